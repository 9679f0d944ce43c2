// SPDX-License-Identifier: Apache-2.0
// How well a model tells the stories of stories.hpp: samples some, judges each, and compares the loss with the
// grammar's own entropy, below which no model can get.
#pragma once

#include "stories.hpp"

#include <atom/io/tokenizer.hpp>
#include <atom/sample/generate.hpp>

#include <fmt/core.h>

// Nats a token that a perfect model pays on a text of whole stories.
inline double story_entropy(std::string_view text, atom::Index tokens) {
  double stories = 0;
  for (std::size_t at = text.find("\n\n"); at != text.npos; at = text.find("\n\n", at + 2)) ++stories;
  return stories::nats_per_story() * stories / static_cast<double>(tokens);
}

// What separates documents. Encoded apart: together the two ends of line may be one token.
inline std::vector<atom::TokenId> blank_line(const atom::io::Tokenizer& tokenizer) {
  auto ids = tokenizer.encode("\n");
  const auto once = ids;
  ids.insert(ids.end(), once.begin(), once.end());
  return ids;
}

// `count` stories at temperature 1, each with the blank line that ends it.
template <class Model> std::vector<std::string> tell_stories(const Model& model, const atom::io::Tokenizer& tokenizer,
                                                             int count, std::uint64_t seed) {
  const auto end = blank_line(tokenizer);
  const std::vector<std::vector<atom::TokenId>> prompts(static_cast<std::size_t>(count), {end.back()});
  std::vector<std::vector<atom::TokenId>> told(prompts.size());
  atom::sample::GenerateOptions options{.tokens = model.config.context - 1, .seed = seed};
  options.on_batch_token = [&](atom::Index row, atom::TokenId id) {
    auto& ids = told[static_cast<std::size_t>(row)];
    ids.push_back(id);
    return ids.size() < end.size() || !std::equal(end.rbegin(), end.rend(), ids.rbegin());
  };
  atom::sample::generate_batch(model, std::span(prompts), options);
  std::vector<std::string> stories;
  for (const auto& ids : told) stories.push_back(tokenizer.decode(ids));
  return stories;
}

// Prints five stories, how many of 200 parse and are new, and the loss beside the entropy.
template <class Model> void report_stories(const Model& model, const atom::io::Tokenizer& tokenizer,
                                           std::string_view text, double loss, double entropy, std::uint64_t seed) {
  const auto stories = tell_stories(model, tokenizer, 200, seed);
  int parse = 0, fresh = 0;
  for (const auto& story : stories) {
    parse += static_cast<bool>(stories::understand(story));
    fresh += text.find(story) == text.npos;
  }
  for (std::size_t i = 0; i < 5; ++i) fmt::print("{}", stories[i]);
  fmt::print("{:.1f} % of 200 sampled stories are well formed and consistent\n", parse / 2.0);
  fmt::print("{:.1f} % of them do not stand in the training text\n", fresh / 2.0);
  fmt::print("validation loss {:.4f} nats a token; the grammar's entropy {:.4f} ({:+.1f} %)\n", loss, entropy,
             100 * (loss / entropy - 1));
}

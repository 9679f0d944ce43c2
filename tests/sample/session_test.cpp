// SPDX-License-Identifier: Apache-2.0
// A text that grows turn by turn is the same as one that is read anew each time.
#include <atom/sample/session.hpp>

#include "catch.hpp"

#include <atom/models/transformer.hpp>

using namespace atom;

namespace {

models::TransformerConfig config() { return models::TransformerConfig::llama(31, 2, 2, 16, 64); }
std::vector<TokenId> joined(std::vector<TokenId> text, const std::vector<TokenId>& more) {
  text.insert(text.end(), more.begin(), more.end());
  return text;
}

}  // namespace

TEST_CASE("a session reads what is new, and answers as if it read everything", "[session]") {
  const models::Transformer<float> model(config(), Rng(1));
  sample::Session session(model);
  const sample::GenerateOptions options{.tokens = 5, .seed = 3};
  std::vector<TokenId> text = {1, 2, 3, 4};
  for (int turn = 0; turn < 4; ++turn) {
    const auto answer = session.generate(text, options);
    CHECK(answer.ids == sample::generate(model, text, options));
    CHECK(answer.end == sample::End::tokens);
    // The last token drawn has not been read.
    CHECK(answer.reused == (turn == 0 ? 0 : text.size() - 4));
    text = joined(joined(text, answer.ids), {5, 6, 7});
  }
  // Another beginning: only what is the same is kept.
  text[2] = 30;
  const auto other = session.generate(text, options);
  CHECK(other.reused == 2);
  CHECK(other.ids == sample::generate(model, text, options));
  CHECK(session.generate(text, options).ids == other.ids);
}

TEST_CASE("an answer ends where the cache is full, by a stop id or a callback", "[session]") {
  const models::Transformer<float> model(config(), Rng(1));
  sample::Session session(model, 64);
  const std::vector<TokenId> text(40, 3);
  const auto full = session.generate(text, {.tokens = 100, .temperature = 0});
  CHECK(full.end == sample::End::full);
  CHECK(full.ids.size() == 25);  // the last one needs no room
  const auto stopped = session.generate(text, {.tokens = 100, .temperature = 0, .stop_ids = {full.ids[0]}});
  CHECK(stopped.end == sample::End::stop_id);
  CHECK(stopped.ids.empty());
  const auto cut = session.generate(text, {.tokens = 100, .temperature = 0, .on_token = [](TokenId) { return false; }});
  CHECK(cut.end == sample::End::callback);
  CHECK(cut.ids.size() == 1);
  CHECK_THROWS_WITH(session.generate({}, {}), Catch::Contains("at least one token"));
}

TEST_CASE("rows of a padded vocabulary are never drawn", "[session]") {
  const models::Transformer<float> model(config(), Rng(2));
  const std::vector<TokenId> text = {1, 2};
  const auto ids = sample::generate(model, text, {.tokens = 60, .temperature = 3, .seed = 5, .vocab = 4});
  CHECK(std::ranges::all_of(ids, [](TokenId id) { return id < 4; }));
}

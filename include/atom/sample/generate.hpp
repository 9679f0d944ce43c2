// SPDX-License-Identifier: Apache-2.0
// generate: continues prompts with tokens drawn from a model, over a key-value cache.
#pragma once

#include "../tensor/tensor.hpp"
#include "sampler.hpp"

#include <functional>

namespace atom::sample {

struct GenerateOptions {
  Index tokens = 256;  // at most so many new ones
  double temperature = 1;
  Index top_k = 0;
  double top_p = 1, min_p = 0, repetition_penalty = 1;
  std::uint64_t seed = 0;
  Index vocab = 0;                     // > 0: ids from here on are never drawn: rows of a padded vocabulary
  std::vector<TokenId> stop_ids = {};  // any of them ends a sequence; it is not part of the result
  // Called for each new token of sequence `row`, in order; false ends that sequence (the token stays in the result).
  std::function<bool(Index row, TokenId id)> on_batch_token = {};
  std::function<bool(TokenId id)> on_token = {};  // the same for a single prompt

  SamplerOptions sampler() const { return {temperature, top_k, top_p, min_p, repetition_penalty}; }
};

// Why a sequence ended: one of stop_ids; as many tokens as asked for; a callback; no room in the cache.
enum class End { stop_id, tokens, callback, full };

namespace detail {
template <class M> using CacheOf = decltype(std::declval<const M&>().make_cache(Index{1}));
}

// What generation asks of a model: `make_cache`, `next_logits`, `device()`, as models::Transformer has them.
template <class M>
concept LanguageModel = requires(const M& model, const Tensor<TokenId, typename M::DeviceType>& ids,
                                 std::span<const std::int32_t> counts, detail::CacheOf<M>& cache) {
  { model.next_logits(ids, counts, cache) } -> std::same_as<Tensor<typename M::Scalar, typename M::DeviceType>>;
};

namespace detail {

// Room for what is asked, and no more than the model has.
template <class M> auto cache_for(const M& model, Index batch, std::size_t longest) {
  if constexpr (requires { model.make_cache(batch, model.config.context); })
    return model.make_cache(batch, std::clamp<Index>(static_cast<Index>(longest), 1, model.config.context));
  else
    return model.make_cache(batch);
}

// One sequence on its way.
struct Sequence {
  std::vector<TokenId> all;  // prompt and what was drawn
  std::size_t read = 0;      // how many of `all` the model has read
  std::size_t prompt = 0, drawn = 0;
  std::optional<End> end = {};  // nothing: it goes on

  Sequence(std::span<const TokenId> start, Index most) : all(start.begin(), start.end()), prompt(start.size()) {
    check(!start.empty(), "generate", "a prompt has at least one token");
    all.reserve(start.size() + static_cast<std::size_t>(most));
    if (most == 0) end = End::tokens;
  }
  std::vector<TokenId> answer() const { return {all.begin() + static_cast<std::ptrdiff_t>(prompt), all.end()}; }
};

// Draws until every sequence has ended. The cache holds what is `read` of each. Where one outgrows it, the model goes
// on with the last half of the text if it `slides`, else the sequence ends.
template <LanguageModel M, class Cache> void generate_on(const M& model, Cache& cache, std::vector<Sequence>& sequences,
                                                         const GenerateOptions& options, bool slides) {
  using T = typename M::Scalar;
  using D = typename M::DeviceType;
  Sampler sampler(options.sampler());
  const auto batch = std::ssize(sequences);
  const auto capacity = static_cast<std::size_t>(cache.shape().capacity);
  const Rng rng(options.seed);
  std::vector<RandomKey> keys;
  for (std::size_t b = 0; b < sequences.size(); ++b) keys.push_back(rng.key("sample", b));
  std::vector<std::int32_t> counts(sequences.size());
  std::vector<TokenId> ids;
  std::vector<T> logits;
  std::vector<float> row;
  for (;;) {
    Index t = 0;
    for (std::size_t b = 0; b < sequences.size(); ++b) {
      auto& s = sequences[b];
      if (!s.end && static_cast<std::size_t>(cache.lengths()[b]) + s.all.size() - s.read > capacity) {
        if (!slides) {
          s.end = End::full;
        } else {
          cache.truncate(static_cast<Index>(b), 0);
          s.read = s.all.size() - std::min(s.all.size(), std::max<std::size_t>(capacity / 2, 1));
        }
      }
      counts[b] = s.end ? 0 : static_cast<std::int32_t>(s.all.size() - s.read);
      t = std::max<Index>(t, counts[b]);
    }
    if (t == 0) return;
    ids.assign(static_cast<std::size_t>(batch * t), 0);
    for (std::size_t b = 0; b < sequences.size(); ++b) {
      auto& s = sequences[b];
      if (s.end) continue;
      std::copy(s.all.begin() + static_cast<std::ptrdiff_t>(s.read), s.all.end(),
                ids.begin() + static_cast<std::ptrdiff_t>(b) * t);
      s.read = s.all.size();
    }
    const auto y = model.next_logits(Tensor<TokenId, D>::from(ids, {batch, t}, model.device()), counts, cache);
    const Index v = y.dim(-1);
    logits.resize(static_cast<std::size_t>(y.size()));
    copy_to_host(y.device(), logits.data(), y.buffer().data(), logits.size() * sizeof(T));
    for (std::size_t b = 0; b < sequences.size(); ++b) {
      auto& s = sequences[b];
      if (s.end) continue;
      const auto first = logits.begin() + static_cast<std::ptrdiff_t>(b) * v;
      row.assign(first, first + (options.vocab > 0 ? std::min(v, options.vocab) : v));
      const TokenId id = sampler(row, s.all, uniform(keys[b], static_cast<Index>(s.drawn)));
      if (std::find(options.stop_ids.begin(), options.stop_ids.end(), id) != options.stop_ids.end()) {
        s.end = End::stop_id;
        continue;
      }
      s.all.push_back(id);
      const bool wanted = (!options.on_batch_token || options.on_batch_token(static_cast<Index>(b), id)) &&
                          (!options.on_token || options.on_token(id));
      if (++s.drawn == static_cast<std::size_t>(options.tokens)) s.end = End::tokens;
      if (!wanted) s.end = End::callback;
    }
  }
}

}  // namespace detail

// The continuation of each prompt. Row b draws from a stream of (seed, b) alone, so it does not depend on the others.
// When a sequence outgrows the cache, the model goes on with the last half of what it holds.
// Errors: an empty prompt, an option out of range, an id outside the vocabulary.
template <LanguageModel M>
std::vector<std::vector<TokenId>> generate_batch(const M& model, std::span<const std::vector<TokenId>> prompts,
                                                 const GenerateOptions& options = {}) {
  check(options.tokens >= 0, "generate", "tokens is at least 0: found ", options.tokens);
  std::size_t longest = 0;
  std::vector<detail::Sequence> sequences;
  for (const auto& prompt : prompts) {
    sequences.emplace_back(prompt, options.tokens);
    longest = std::max(longest, prompt.size());
  }
  if (prompts.empty()) return {};
  auto cache = detail::cache_for(model, std::ssize(prompts), longest + static_cast<std::size_t>(options.tokens));
  detail::generate_on(model, cache, sequences, options, true);
  std::vector<std::vector<TokenId>> results;
  for (const auto& s : sequences) results.push_back(s.answer());
  return results;
}

// The continuation of one prompt.
template <LanguageModel M>
std::vector<TokenId> generate(const M& model, std::span<const TokenId> prompt, const GenerateOptions& options = {}) {
  const std::vector<std::vector<TokenId>> prompts{{prompt.begin(), prompt.end()}};
  return std::move(generate_batch(model, std::span(prompts), options)[0]);
}
template <LanguageModel M> std::vector<TokenId> generate(const M& model, std::initializer_list<TokenId> prompt,
                                                         const GenerateOptions& options = {}) {
  return generate(model, std::span(prompt.begin(), prompt.size()), options);
}

}  // namespace atom::sample

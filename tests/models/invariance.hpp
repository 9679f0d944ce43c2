// SPDX-License-Identifier: Apache-2.0
// Whether a model's logits are the same bits however a text is read.
#pragma once

#include "catch.hpp"

#include <atom/models/transformer.hpp>
#include <cstring>
#include <random>

// The logits after every token of a sequence alone: in one pass without a cache.
template <class M> auto alone(const M& model) {
  return [&model](const std::vector<atom::TokenId>& ids) {
    const atom::NoGrad no_grad;
    return model(atom::Tensor<atom::TokenId, atom::Cpu>::from(ids, {1, std::ssize(ids)})).to_vector();
  };
}

// The same, token by token over a cache.
template <class M> auto alone_by_token(const M& model) {
  return [&model](const std::vector<atom::TokenId>& ids) {
    auto cache = model.make_cache(1);
    std::vector<float> all;
    for (const atom::TokenId id : ids) {
      const auto row = model
                           .next_logits(atom::Tensor<atom::TokenId, atom::Cpu>::from({id}, {1, 1}),
                                        std::vector<std::int32_t>{1}, cache)
                           .to_vector();
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  };
}

inline bool same(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// Ragged batches, read in random pieces: the logits after every piece are those of the sequence alone.
// `alone(text)` gives these. `without_cache`: so does a pass without a cache.
template <class M, class Alone>
void check_invariance(const M& model, unsigned seed, const Alone& alone, bool without_cache = true) {
  using namespace atom;
  std::mt19937 random(seed);
  const auto below = [&](unsigned n) { return static_cast<Index>(random() % n); };
  const Index batch = 1 + below(4);
  const auto v = static_cast<std::size_t>(model.config.vocab);
  std::vector<std::vector<TokenId>> texts(static_cast<std::size_t>(batch));
  std::vector<std::vector<float>> expected;
  for (auto& text : texts) {
    text.resize(static_cast<std::size_t>(1 + below(150)));
    for (auto& id : text) id = static_cast<TokenId>(below(61));
    expected.push_back(alone(text));
  }
  auto cache = model.make_cache(batch);
  std::vector<std::size_t> read(texts.size(), 0);
  const bool by_token = seed % 3 == 0;
  for (;;) {
    std::vector<std::int32_t> counts(texts.size());
    Index t = 0;
    for (std::size_t b = 0; b < texts.size(); ++b) {
      const auto left = static_cast<Index>(texts[b].size() - read[b]);
      counts[b] = static_cast<std::int32_t>(by_token ? std::min<Index>(left, 1) : std::min<Index>(left, below(90)));
      t = std::max<Index>(t, counts[b]);
    }
    if (t == 0) {
      bool done = true;
      for (std::size_t b = 0; b < texts.size(); ++b) done = done && read[b] == texts[b].size();
      if (done) break;
      continue;
    }
    std::vector<TokenId> ids(static_cast<std::size_t>(batch * t), 3);
    for (std::size_t b = 0; b < texts.size(); ++b)
      for (std::int32_t i = 0; i < counts[b]; ++i)
        ids[b * static_cast<std::size_t>(t) + static_cast<std::size_t>(i)] =
            texts[b][read[b] + static_cast<std::size_t>(i)];
    const auto logits = model.next_logits(Tensor<TokenId, Cpu>::from(ids, {batch, t}), counts, cache).to_vector();
    for (std::size_t b = 0; b < texts.size(); ++b) {
      read[b] += static_cast<std::size_t>(counts[b]);
      if (counts[b] == 0) continue;
      const std::span<const float> row(logits.data() + b * v, v), wanted(expected[b].data() + (read[b] - 1) * v, v);
      INFO("seed " << seed << ", sequence " << b << ", after token " << read[b]);
      REQUIRE(same(row, wanted));
    }
  }
  if (!without_cache) return;
  // The whole batch at once, right-padded, without a cache.
  std::size_t longest = 0;
  for (const auto& text : texts) longest = std::max(longest, text.size());
  std::vector<TokenId> ids(texts.size() * longest, 0);
  for (std::size_t b = 0; b < texts.size(); ++b)
    std::copy(texts[b].begin(), texts[b].end(), ids.begin() + static_cast<std::ptrdiff_t>(b * longest));
  const auto whole = model(Tensor<TokenId, Cpu>::from(ids, {batch, static_cast<Index>(longest)})).to_vector();
  for (std::size_t b = 0; b < texts.size(); ++b) {
    const std::span<const float> rows(whole.data() + b * longest * v, texts[b].size() * v);
    REQUIRE(same(rows, expected[b]));
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/models/transformer.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/policy/sliding_window.hpp>
#include <atom/sample/generate.hpp>
#include <cstring>
#include <random>

using namespace atom;
using models::Transformer;
using models::TransformerConfig;

namespace {

TransformerConfig tiny(int kind) {
  if (kind == 0) return TransformerConfig::gpt2(61, 2, 4, 32, 160);
  auto c = TransformerConfig::llama(61, 2, 4, 32, 160);
  c.kv_heads = 2;
  return c;
}

// The logits of `length` tokens of one sequence read alone in one pass without a cache.
template <class M> std::vector<float> alone(const M& model, const std::vector<TokenId>& ids) {
  const NoGrad no_grad;
  return model(Tensor<TokenId, Cpu>::from(ids, {1, static_cast<Index>(ids.size())})).to_vector();
}

bool same(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// Ragged batches, read in random pieces: the logits after every piece are those of the sequence alone.
template <class M> void check_invariance(const M& model, unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](unsigned n) { return static_cast<Index>(random() % n); };
  const Index batch = 1 + below(4);
  const auto v = static_cast<std::size_t>(model.config.vocab);
  std::vector<std::vector<TokenId>> texts(static_cast<std::size_t>(batch));
  std::vector<std::vector<float>> expected;
  for (auto& text : texts) {
    text.resize(static_cast<std::size_t>(1 + below(150)));
    for (auto& id : text) id = static_cast<TokenId>(below(61));
    expected.push_back(alone(model, text));
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

}  // namespace

TEST_CASE("a sequence's logits are the same bits alone, in any batch, at once or token by token", "[transformer]") {
  const auto gpt2 = Transformer<float, Cpu>(tiny(0), Rng(1));
  const auto llama = Transformer<float, Cpu>(tiny(1), Rng(2));
  const auto window = Transformer<float, Cpu, SlidingWindow>(tiny(1), Rng(3), {}, {.window = 20, .full_every = 2});
  for (unsigned seed = 0; seed < 80; ++seed) {
    check_invariance(gpt2, seed);
    check_invariance(llama, seed + 1000);
    if (seed < 40) check_invariance(window, seed + 2000);
  }
}

TEST_CASE("accumulated gradients equal those of the whole batch, ragged too", "[transformer]") {
  for (const int kind : {0, 1}) {
    const Index b = 24, t = 7;
    std::vector<TokenId> ids, targets;
    std::mt19937 random(5);
    Index tokens = 0;
    for (Index i = 0; i < b; ++i) {
      const Index length = 1 + static_cast<Index>(random() % 7);
      for (Index j = 0; j < t; ++j) {
        ids.push_back(static_cast<TokenId>(random() % 61));
        targets.push_back(j < length ? static_cast<TokenId>(random() % 61) : -100);
        tokens += j < length;
      }
    }
    const auto gradients = [&](Index parts) {
      auto model = Transformer<double>(tiny(kind), Rng(4));
      double loss = 0;
      const Index rows = b / parts;
      for (Index part = 0; part < parts; ++part) {
        const auto first = static_cast<std::size_t>(part * rows * t), count = static_cast<std::size_t>(rows * t);
        const auto x = Tensor<TokenId>::from(std::span(ids).subspan(first, count), {rows, t});
        const auto y = Tensor<TokenId>::from(std::span(targets).subspan(first, count), {rows, t});
        const auto l = model.loss(x, y, {.tokens = tokens});
        loss += l.item();
        backward(l);
      }
      std::vector<double> all{loss};
      nn::for_each_tensor(model, [&](const std::string&, auto& tensor, Role) {
        const auto values = tensor.grad().to_vector();
        all.insert(all.end(), values.begin(), values.end());
      });
      return all;
    };
    const auto whole = gradients(1);
    for (const Index parts : {2, 3, 8}) {
      const auto split = gradients(parts);
      double worst = 0;
      for (std::size_t i = 0; i < whole.size(); ++i) worst = std::max(worst, std::abs(whole[i] - split[i]));
      CHECK(worst <= 1e-12);
    }
  }
}

TEST_CASE("training learns a small sequence and generate repeats it", "[transformer]") {
  for (const int kind : {0, 1}) {
    auto model = Transformer<float>(tiny(kind), Rng(7));
    auto optim = optim::AdamW(model, {.lr = 3e-3F});
    const auto x = Tensor<TokenId>::from({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {1, 10});
    const auto y = Tensor<TokenId>::from({2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {1, 10});
    float loss = 0;
    for (int step = 0; step < 80; ++step) {
      const auto l = model.loss(x, y);
      backward(l);
      CHECK_FALSE(optim.step().skipped);
      loss = l.item();
    }
    CHECK(loss < 0.1F);
    CHECK(sample::generate(model, {1, 2, 3}, {.tokens = 6, .temperature = 0}) ==
          std::vector<TokenId>{4, 5, 6, 7, 8, 9});
  }
}

TEST_CASE("impossible configurations are refused", "[transformer]") {
  CHECK_THROWS_WITH(Transformer<float>({.vocab = 10, .heads = 3, .width = 64}),
                    Catch::Contains("heads divides width: found 3 and 64"));
  CHECK_THROWS_WITH(Transformer<float>({.vocab = 0}), Catch::Contains("vocab is positive: found 0"));
  CHECK_THROWS_WITH(Transformer<float>({.vocab = 5, .heads = 4, .kv_heads = 3}),
                    Catch::Contains("kv_heads divides heads"));
  const auto model = Transformer<float, Cpu>({.vocab = 5, .context = 8}, Rng(1));
  CHECK_THROWS_WITH(model(Tensor<TokenId, Cpu>::zeros({1, 9})),
                    Catch::Contains("at most 8 tokens fit the context: found 9"));
  CHECK_THROWS_WITH(model(Tensor<TokenId, Cpu>::full({1, 2}, 5)), Catch::Contains("out of range: found 5"));
}

TEST_CASE("a gradient that is not finite changes nothing", "[adamw]") {
  auto model = Transformer<float>(tiny(0), Rng(7));
  auto optim = optim::AdamW(model, {});
  const auto before = model.embedding.weight.to_vector();
  const auto x = Tensor<TokenId>::full({1, 4}, 1);
  backward(model.loss(x, x) * std::numeric_limits<float>::infinity());
  CHECK(optim.step().skipped);
  CHECK(model.embedding.weight.to_vector() == before);
  CHECK(optim.steps() == 0);
  backward(model.loss(x, x));
  CHECK_FALSE(optim.step().skipped);
  CHECK(optim.steps() == 1);
}

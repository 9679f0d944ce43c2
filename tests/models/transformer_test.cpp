// SPDX-License-Identifier: Apache-2.0
#include <atom/models/transformer.hpp>

#include "catch.hpp"
#include "invariance.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/optim/adamw.hpp>
#include <atom/policy/sliding_window.hpp>
#include <atom/sample/generate.hpp>
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

}  // namespace

TEST_CASE("a sequence's logits are the same bits alone, in any batch, at once or token by token", "[transformer]") {
  const auto gpt2 = Transformer<float, Cpu>(tiny(0), Rng(1));
  const auto llama = Transformer<float, Cpu>(tiny(1), Rng(2));
  const auto window = Transformer<float, Cpu, SlidingWindow>(tiny(1), Rng(3), {}, {.window = 20, .full_every = 2});
  for (unsigned seed = 0; seed < 80; ++seed) {
    check_invariance(gpt2, seed, alone(gpt2));
    check_invariance(llama, seed + 1000, alone(llama));
    if (seed < 40) check_invariance(window, seed + 2000, alone(window));
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
  CHECK_THROWS_WITH(Transformer<float>({.vocab = 0}), Catch::Contains("vocab is in 1..1073741824: found 0"));
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

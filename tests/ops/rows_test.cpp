// SPDX-License-Identifier: Apache-2.0
// What operations on rows promise beyond their values: errors that name the rule, identities, equal bits.
#include <atom/autograd/backward.hpp>
#include <atom/ops/cross_entropy.hpp>
#include <atom/ops/dropout.hpp>
#include <atom/ops/embedding.hpp>
#include <atom/ops/linear_cross_entropy.hpp>
#include <atom/ops/norm.hpp>
#include <atom/ops/rope.hpp>
#include <atom/ops/softmax.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using Values = Tensor<float, Cpu>;
using Ids = Tensor<TokenId, Cpu>;

TEST_CASE("wrong shapes and ids are named") {
  const auto x = Values::zeros({2, 64}), scalar = Values::zeros({}), weight = Values::zeros({48});
  CHECK_THROWS_WITH(ops::rms_norm(x, weight), "[rms_norm] weight has shape (48), expected the last axis of x: 64");
  CHECK_THROWS_WITH(ops::layer_norm(x, Values(), weight),
                    "[layer_norm] bias has shape (48), expected the last axis of x: 64");
  CHECK_THROWS_WITH(ops::softmax(scalar), "[softmax] x is a scalar, expected at least one axis");
  CHECK_THROWS_WITH(ops::dropout(x, 1, RandomKey{}), "[dropout] the probability is in [0, 1): found 1");

  const auto table = Values::zeros({65, 4});
  CHECK_THROWS_WITH(ops::embedding(Ids::from({1, 2, 3, 70}, {1, 4}), table),
                    "[embedding] id out of range: found 70 at (0, 3), expected 0..64");
  CHECK_THROWS_WITH(ops::embedding(Ids::zeros({1}), weight), "[embedding] weight has shape (48), expected (v, c)");
  CHECK_THROWS_WITH(ops::cross_entropy(x, Ids::from({1, 64}, {2})),
                    "[cross_entropy] id out of range: found 64 at (1), expected 0..63");
  CHECK_THROWS_WITH(ops::token_losses(x, Ids::from({1, -1}, {2})),
                    "[token_losses] id out of range: found -1 at (1), expected 0..63");
  CHECK_THROWS_WITH(ops::cross_entropy(x, Ids::zeros({3})),
                    "[cross_entropy] targets have shape (3), expected that of x without its last axis: (2, 64)");
  CHECK_THROWS_WITH(
      ops::linear_cross_entropy(x, table, Ids::zeros({2})),
      "[linear_cross_entropy] weight has shape (65, 4), expected (v, c) with c the last axis of x: (2, 64)");
  CHECK_THROWS_WITH(ops::linear_log_probs(Values::zeros({1, 4}), table, Ids::full({1}, -100)),
                    "[linear_log_probs] id out of range: found -100 at (0), expected 0..64");

  const ops::RopeTable<float, Cpu> angles(ops::rope_frequencies(8), 16);
  const auto heads = Values::zeros({2, 3, 1, 8});
  CHECK_THROWS_WITH(ops::rope(x, angles), "[rope] x has shape (2, 64), expected (b, t, h, d)");
  CHECK_THROWS_WITH(ops::rope(heads, angles, 14), "[rope] positions 14 to 16, expected 0..15");
  CHECK_THROWS_WITH(ops::rope(heads, angles, Ids::full({2, 3}, 16)),
                    "[rope] id out of range: found 16 at (0, 0), expected 0..15");
  CHECK_THROWS_WITH(ops::rope(Values::zeros({1, 1, 1, 6}), angles),
                    "[rope] the table rotates 8 elements, expected at most d: 6");
  CHECK_THROWS_WITH(ops::rope_frequencies(7), "[rope] the number of rotated elements is even: found 7");
}

TEST_CASE("rope's table is exact, and positions say the same as a start") {
  const Index rotated = 64, positions = 4096;
  const auto frequencies = ops::rope_frequencies(rotated, 10000);
  const ops::RopeTable<double, Cpu> table(frequencies, positions);
  const auto cosines = table.cosines.span(), sines = table.sines.span();
  double worst = 0;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    CHECK(frequencies[i] == Approx(std::pow(10000.0, -2.0 * double(i) / double(rotated))).epsilon(4e-15));
    for (std::size_t p = 0; p < std::size_t(positions); ++p) {
      const double angle = double(p) * frequencies[i];
      worst = std::max(worst, std::abs(cosines[p * frequencies.size() + i] - std::cos(angle)));
      worst = std::max(worst, std::abs(sines[p * frequencies.size() + i] - std::sin(angle)));
    }
  }
  CHECK(worst < 5e-16);

  const ops::RopeTable<float, Cpu> narrow(frequencies, positions);
  const auto x = Values::from(test::values<float>(2 * 3 * 2 * 64, 1), {2, 3, 2, 64});
  const auto given = Ids::from({7, 8, 9, 7, 8, 9}, {2, 3});
  CHECK(ops::rope(x, narrow, 7).to_vector() == ops::rope(x, narrow, given).to_vector());
}

TEST_CASE("dropout keeps its share, scales what it keeps, and draws the same mask backward") {
  const Index n = 100000;
  const auto ones = Values::full({n}, 1.0f);
  const auto same = ops::dropout(ones, 0, RandomKey{1, 1});
  CHECK(same.buffer().data() == ones.buffer().data());  // p = 0 is x itself
  for (const double p : {0.1, 0.5, 0.9}) {
    auto x = ones.clone();
    const auto y = ops::dropout(x.require_grad(), p, RandomKey{3, 4});
    backward(y, ones);
    const auto values = y.to_vector();
    CHECK(x.grad().to_vector() == values);
    const auto kept = std::count_if(values.begin(), values.end(), [](float value) { return value != 0; });
    CHECK(std::abs(double(kept) / double(n) - (1 - p)) < 0.006);
    const auto scaled = std::count(values.begin(), values.end(), 1.0f * (1.0f / (1.0f - static_cast<float>(p))));
    CHECK(scaled == kept);
    CHECK(ops::dropout(ones, p, RandomKey{3, 5}).to_vector() != values);
  }
}

TEST_CASE("embedding of 16-bit weights gives float") {
  const auto weight = Tensor<bfloat16, Cpu>::from({bfloat16(1.5f), bfloat16(-2.0f)}, {2, 1});
  const Values y = ops::embedding(Ids::from({1, 0, 1}, {3}), weight);
  CHECK(y.to_vector() == std::vector<float>{-2.0f, 1.5f, -2.0f});
}

TEST_CASE("token_losses sum to cross_entropy, and log_softmax agrees") {
  const Index n = 7, v = 33;
  const auto logits = Values::from(test::values<float>(n * v, 2, 3), {n, v});
  const auto targets = Ids::from({3, 32, -100, 0, 5, -100, 9}, {n});
  const auto losses = ops::token_losses(logits, targets).to_vector();
  const auto log_p = ops::log_softmax(logits).to_vector();
  float sum = 0;
  for (std::size_t i = 0; i < std::size_t(n); ++i) {
    const TokenId target = targets.span()[i];
    if (target >= 0)
      CHECK(losses[i] == -log_p[i * std::size_t(v) + std::size_t(target)]);
    else
      CHECK(losses[i] == 0);
    sum += losses[i];
  }
  CHECK(ops::cross_entropy(logits, targets).item() == Approx(sum / 5).epsilon(1e-6));
}

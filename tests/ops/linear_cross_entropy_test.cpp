// SPDX-License-Identifier: Apache-2.0
// The fused head against its definition, and across splits of a step.
#include <atom/ops/linear_cross_entropy.hpp>

#include <atom/autograd/backward.hpp>
#include <atom/ops/linear.hpp>
#include <atom/ops/matmul.hpp>
#include <atom/ops/shape.hpp>

#include "backend/everywhere.hpp"

using namespace atom;

namespace {

struct Step {
  std::vector<double> loss, dx, dweight;
};

template <class T> std::vector<double> in_double(const Tensor<T, Cpu>& x) {
  const auto values = x.to_vector();
  return {values.begin(), values.end()};
}

template <class T, class F> Step gradients(const Tensor<T, Cpu>& x0, const Tensor<T, Cpu>& weight0, F loss_of) {
  auto x = x0.clone(), weight = weight0.clone();
  const auto loss = loss_of(x.require_grad(), weight.require_grad());
  backward(loss, Tensor<T, Cpu>::full({}, T(0.5)));
  return {in_double(loss), in_double(x.grad()), in_double(weight.grad())};
}

template <class T> Tensor<T, Cpu> random_tensor(const Shape& shape, unsigned seed) {
  return Tensor<T, Cpu>::from(test::values<T>(element_count(shape), seed, 0.5), shape);
}
Tensor<TokenId, Cpu> random_targets(const Shape& shape, Index v) {
  std::vector<TokenId> ids;
  for (Index i = 0; i < element_count(shape); ++i) ids.push_back(i % 5 == 1 ? -100 : static_cast<TokenId>(i * 31 % v));
  return Tensor<TokenId, Cpu>::from(ids, shape);
}

}  // namespace

TEMPLATE_TEST_CASE("linear_cross_entropy is cross_entropy of the product", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 2e-6 : 1e-14;
  const Index v = 300, c = 20, n = GENERATE(1, 19, 41);  // fewer rows than channels: dlogits are kept, not dweight
  const auto x = random_tensor<T>({n, c}, 1), weight = random_tensor<T>({v, c}, 2);
  const auto targets = random_targets({n}, v);
  for (const double normaliser : {0.0, 1000.0}) {
    const ops::CrossEntropyOptions options{.normaliser = normaliser};
    const auto fused = gradients(
        x, weight, [&](const auto& a, const auto& w) { return ops::linear_cross_entropy(a, w, targets, options); });
    const auto plain = gradients(x, weight, [&](const auto& a, const auto& w) {
      return ops::cross_entropy(ops::matmul(a, ops::transpose(w)), targets, options);
    });
    CHECK(fused.loss == plain.loss);  // the same bits
    CHECK(test::difference(fused.dx, plain.dx) < bar);
    CHECK(test::difference(fused.dweight, plain.dweight) < bar);
  }
}

TEST_CASE("a step split into calls with one normaliser is the whole step") {
  const Index v = 11, c = GENERATE(4, 12), b = 6, t = 5;
  const auto x = random_tensor<double>({b, t, c}, 3), weight = random_tensor<double>({v, c}, 4);
  const auto targets = random_targets({b, t}, v);
  const auto ids = targets.to_vector();
  const auto counted = static_cast<double>(std::count_if(ids.begin(), ids.end(), [](TokenId id) { return id >= 0; }));
  const auto whole =
      gradients(x, weight, [&](const auto& a, const auto& w) { return ops::linear_cross_entropy(a, w, targets); });
  const auto parts = gradients(x, weight, [&](const auto& a, const auto& w) {
    Tensor<double, Cpu> sum;
    for (Index row = 0; row < b; row += 2) {
      const std::vector<TokenId> some(ids.begin() + row * t, ids.begin() + (row + 2) * t);
      const auto loss = ops::linear_cross_entropy(ops::slice(a, 0, row, 2), w, Tensor<TokenId, Cpu>::from(some, {2, t}),
                                                  {.normaliser = counted});
      sum = sum.defined() ? sum + loss : loss;
    }
    return sum;
  });
  CHECK(test::difference(parts.loss, whole.loss) < 1e-14);
  CHECK(test::difference(parts.dx, whole.dx) < 1e-14);
  CHECK(test::difference(parts.dweight, whole.dweight) < 1e-14);
}

TEST_CASE("targets that are all ignored give no loss and no gradient") {
  const auto x = random_tensor<float>({3, 2}, 5), weight = random_tensor<float>({4, 2}, 6);
  const auto targets = Tensor<TokenId, Cpu>::full({3}, -100);
  const auto step =
      gradients(x, weight, [&](const auto& a, const auto& w) { return ops::linear_cross_entropy(a, w, targets); });
  CHECK(step.loss == std::vector<double>{0});
  CHECK(step.dx == std::vector<double>(6, 0.0));
  CHECK(step.dweight == std::vector<double>(8, 0.0));
}

TEST_CASE("a head with a bias and a cap agrees with the definition") {
  const Index v = 37, c = 6, n = GENERATE(5, 70);
  const auto x = random_tensor<double>({n, c}, 9), weight = random_tensor<double>({v, c}, 10);
  const auto targets = random_targets({n}, v);
  for (const double cap : {0.0, 0.7, 30.0})
    for (const bool biased : {false, true}) {
      auto bias = biased ? random_tensor<double>({v}, 11) : Tensor<double, Cpu>();
      if (biased) bias.require_grad();
      std::vector<std::vector<double>> dbias;
      const auto run = [&](auto&& loss_of) {
        bias.clear_grad();
        const auto step = gradients(x, weight, loss_of);
        dbias.push_back(biased ? in_double(bias.grad()) : std::vector<double>{0});
        return step;
      };
      const auto fused = run([&](const auto& a, const auto& w) {
        return ops::linear_cross_entropy(a, ops::Head<double, Cpu>{w, bias, cap}, targets);
      });
      const auto plain = run([&](const auto& a, const auto& w) {
        auto logits = ops::linear(a, w, bias);
        if (cap > 0) logits = ops::soft_cap(logits, cap);
        return ops::cross_entropy(logits, targets);
      });
      CHECK(test::difference(fused.loss, plain.loss) < 1e-14);
      CHECK(test::difference(fused.dx, plain.dx) < 1e-13);
      CHECK(test::difference(fused.dweight, plain.dweight) < 1e-13);
      CHECK(test::difference(dbias[0], dbias[1]) < 1e-13);
    }
}

TEST_CASE("linear_log_probs has the bits of the training loss, for a token alone and in a batch") {
  const Index v = 65, c = 48, n = 30;
  const auto x = random_tensor<float>({n, c}, 7), weight = random_tensor<float>({v, c}, 8);
  std::vector<TokenId> tokens;
  for (Index i = 0; i < n; ++i) tokens.push_back(static_cast<TokenId>(i * 7 % v));
  const auto all = ops::linear_log_probs(x, weight, Tensor<TokenId, Cpu>::from(tokens, {n})).to_vector();
  for (Index i = 0; i < n; ++i) {
    const auto row = ops::slice(x, 0, i, 1);
    const auto token = Tensor<TokenId, Cpu>::from({tokens[static_cast<std::size_t>(i)]}, {1});
    CHECK(ops::linear_log_probs(row, weight, token).item() == all[static_cast<std::size_t>(i)]);
    CHECK(-ops::linear_cross_entropy(row, weight, token).item() == all[static_cast<std::size_t>(i)]);
  }
}

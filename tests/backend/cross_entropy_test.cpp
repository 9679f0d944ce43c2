// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/cross_entropy.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

TEMPLATE_TEST_CASE("cross entropy and its gradient agree with their definition", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 3e-6 : 1e-13;
  for (const auto& size : std::vector<std::pair<Index, Index>>{{0, 5}, {1, 1}, {6, 3}, {40, 65}, {3, 1000}}) {
    const Index n = size.first, v = size.second;
    INFO(n << " x " << v);
    const auto logits = values<T>(n * v, 1, 4), dloss = values<T>(n, 2);
    std::vector<TokenId> targets;
    for (Index i = 0; i < n; ++i) targets.push_back(i % 4 == 2 ? -100 : static_cast<TokenId>(i * 7 % v));
    const T scale = T(0.25);
    std::vector<double> expected(static_cast<std::size_t>(n)), gradient, row_gradient;
    double total = 0;
    for (Index i = 0; i < n; ++i) {
      const T* x = logits.data() + i * v;
      const Index target = targets[static_cast<std::size_t>(i)];
      double sum = 0;
      for (Index j = 0; j < v; ++j) sum += std::exp(double(x[j]));
      const double loss = target < 0 ? 0 : std::log(sum) - double(x[target]);
      expected[static_cast<std::size_t>(i)] = loss;
      total += loss * double(scale);
      for (Index j = 0; j < v; ++j) {
        const double slope = target < 0 ? 0 : std::exp(double(x[j])) / sum - (j == target);
        gradient.push_back(slope * double(scale));
        row_gradient.push_back(slope * double(scale) * double(dloss[static_cast<std::size_t>(i)]));
      }
    }
    expected.insert(expected.end(), gradient.begin(), gradient.end());          // together with the loss, in place
    expected.insert(expected.end(), row_gradient.begin(), row_gradient.end());  // from saved logits
    expected.push_back(total);
    test::everywhere(
        [&](Cpu device) {
          std::vector<T> result(static_cast<std::size_t>(n)), log_sum(result.size()), fused(logits),
              later(logits.size());
          cross_entropy_forward(device, CrossEntropyForward<T>{.n = n,
                                                               .v = v,
                                                               .logits = fused.data(),
                                                               .targets = targets.data(),
                                                               .loss = result.data(),
                                                               .dlogits = fused.data(),
                                                               .scale = &scale});
          auto loss = result;
          cross_entropy_forward(device, CrossEntropyForward<T>{.n = n,
                                                               .v = v,
                                                               .logits = logits.data(),
                                                               .targets = targets.data(),
                                                               .loss = loss.data(),
                                                               .log_sum = log_sum.data()});
          REQUIRE(test::same_bits(loss, result));
          cross_entropy_backward(device, CrossEntropyBackward<T>{.n = n,
                                                                 .v = v,
                                                                 .logits = logits.data(),
                                                                 .log_sum = log_sum.data(),
                                                                 .targets = targets.data(),
                                                                 .scale = &scale,
                                                                 .dloss = dloss.data(),
                                                                 .dloss_stride = 1,
                                                                 .dlogits = later.data()});
          T sum = -1;
          cross_entropy_sum(device, n, loss.data(), &scale, &sum);
          result.insert(result.end(), fused.begin(), fused.end());
          result.insert(result.end(), later.begin(), later.end());
          result.push_back(sum);
          return result;
        },
        [&](const std::vector<T>& found) { CHECK(test::difference(found, expected) < bar); });
  }
}

TEST_CASE("the scale of a cross entropy counts the targets that are not ignored") {
  const std::vector<TokenId> targets{1, -100, 2, 0, -100};
  double scale = -1;
  cross_entropy_scale(Cpu{}, 5, targets.data(), -100, 0.0, &scale);
  CHECK(scale == 1.0 / 3);
  cross_entropy_scale(Cpu{}, 5, targets.data(), 2, 0.0, &scale);
  CHECK(scale == 1.0 / 4);
  cross_entropy_scale(Cpu{}, 5, targets.data(), -100, 8.0, &scale);
  CHECK(scale == 1.0 / 8);
  cross_entropy_scale(Cpu{}, 0, targets.data(), -100, 0.0, &scale);
  CHECK(scale == 0);
}

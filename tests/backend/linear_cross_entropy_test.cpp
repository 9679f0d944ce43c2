// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/linear_cross_entropy.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

TEMPLATE_TEST_CASE("the fused head, chunk by chunk, agrees with the definition", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 3e-6 : 1e-14;
  struct Case {
    Index n, v, c, chunk;
  };
  for (const Case k :
       {Case{0, 4, 3, 2}, {1, 1, 1, 1}, {12, 9, 5, 5}, {64, 70, 33, 32}, {7, 300, 17, 1}, {5, 3, 2, 100}}) {
    INFO(k.n << " x " << k.v << " x " << k.c << " by " << k.chunk);
    const auto x = values<T>(k.n * k.c, 1), weight = values<T>(k.v * k.c, 2);
    const T scale = T(0.125);
    std::vector<TokenId> targets;
    for (Index i = 0; i < k.n; ++i) targets.push_back(i % 4 == 1 ? -100 : static_cast<TokenId>(i * 13 % k.v));

    std::vector<double> loss, dx(x.size()), dweight(weight.size());
    for (Index i = 0; i < k.n; ++i) {
      std::vector<double> logits;
      double total = 0;
      for (Index j = 0; j < k.v; ++j) {
        double sum = 0;
        for (Index l = 0; l < k.c; ++l)
          sum += double(x[std::size_t(i * k.c + l)]) * double(weight[std::size_t(j * k.c + l)]);
        logits.push_back(sum);
        total += std::exp(sum);
      }
      const Index target = targets[std::size_t(i)];
      loss.push_back(target < 0 ? 0 : std::log(total) - logits[std::size_t(target)]);
      for (Index j = 0; j < k.v && target >= 0; ++j) {
        const double slope = (std::exp(logits[std::size_t(j)]) / total - (j == target)) * double(scale);
        for (Index l = 0; l < k.c; ++l) {
          dx[std::size_t(i * k.c + l)] += slope * double(weight[std::size_t(j * k.c + l)]);
          dweight[std::size_t(j * k.c + l)] += slope * double(x[std::size_t(i * k.c + l)]);
        }
      }
    }
    loss.insert(loss.end(), dx.begin(), dx.end());
    loss.insert(loss.end(), dweight.begin(), dweight.end());

    test::everywhere(
        [&](Cpu device) {
          std::vector<T> found(targets.size()), gx(x.size()), gw(weight.size(), T(7));  // overwritten
          std::vector<T> logits(std::size_t(std::min(k.n, k.chunk) * k.v));
          LinearCrossEntropy<T> args{.n = k.n,
                                     .v = k.v,
                                     .c = k.c,
                                     .x = x.data(),
                                     .weight = weight.data(),
                                     .targets = targets.data(),
                                     .scale = &scale,
                                     .loss = found.data(),
                                     .dx = gx.data(),
                                     .dweight = gw.data(),
                                     .logits = logits.data(),
                                     .chunk = k.chunk};
          linear_cross_entropy_sweep(device, args);
          const auto with_gradients = found;
          args.dx = args.dweight = nullptr;
          linear_cross_entropy_sweep(device, args);
          REQUIRE(test::same_bits(found, with_gradients));
          found.insert(found.end(), gx.begin(), gx.end());
          found.insert(found.end(), gw.begin(), gw.end());
          return found;
        },
        [&](const std::vector<T>& found) { CHECK(test::difference(found, loss) < bar); });
  }
}

// SPDX-License-Identifier: Apache-2.0
// The AdamW kernel against its formula in double, what does not change its bits, and the norm.
#include <atom/backend/adamw.hpp>

#include "backend/everywhere.hpp"

using namespace atom;

namespace {

template <class T> struct State { std::vector<T> weight, gradient, m, v; };

template <class T> State<T> state_of(Index n) {
  auto v = test::values<T>(n, 4, 1e-3);
  for (T& value : v) value *= value;
  return {test::values<T>(n, 1), test::values<T>(n, 2, 0.1), test::values<T>(n, 3, 0.01), v};
}

template <class T> AdamWStep<T> step_of(int t) {
  return {.lr = T(1e-2),
          .beta1 = T(0.9),
          .beta2 = T(0.95),
          .eps = T(1e-8),
          .weight_decay = T(0.1),
          .correction1 = T(1 - std::pow(0.9, t)),
          .correction2 = T(1 - std::pow(0.95, t)),
          .gradient_scale = T(0.5)};
}

// One segment, cut every `run` elements.
template <class T> std::vector<AdamWSegment<T>> segments_of(State<T>& s, Index run, T decay) {
  std::vector<AdamWSegment<T>> segments;
  const Index n = std::ssize(s.weight);
  for (Index i = 0; i < n; i += run)
    segments.push_back(
        {s.weight.data() + i, s.gradient.data() + i, s.m.data() + i, s.v.data() + i, std::min(run, n - i), decay});
  return segments;
}

template <class T> void update(Cpu device, State<T>& s, Index run, T decay, int t) {
  const auto segments = segments_of(s, run, decay);
  adamw(device, std::span<const AdamWSegment<T>>(segments), step_of<T>(t));
}

}  // namespace

TEMPLATE_TEST_CASE("adamw: three steps follow PyTorch's formula", "[adamw]", float, double) {
  using T = TestType;
  for (const T decay : {T(0), T(1)}) {
    constexpr Index n = 1003;
    auto expected = state_of<double>(n);
    if (std::is_same_v<T, float>) {
      const auto start = state_of<float>(n);
      expected = {{start.weight.begin(), start.weight.end()},
                  {start.gradient.begin(), start.gradient.end()},
                  {start.m.begin(), start.m.end()},
                  {start.v.begin(), start.v.end()}};
    }
    for (int t = 1; t <= 3; ++t)
      for (std::size_t i = 0; i < n; ++i) {
        const double g = 0.5 * expected.gradient[i];
        double &w = expected.weight[i], &m = expected.m[i], &v = expected.v[i];
        w -= 1e-2 * 0.1 * static_cast<double>(decay) * w;
        m = 0.9 * m + 0.1 * g;
        v = 0.95 * v + 0.05 * g * g;
        w -= 1e-2 / (1 - std::pow(0.9, t)) * m / (std::sqrt(v) / std::sqrt(1 - std::pow(0.95, t)) + 1e-8);
      }
    test::everywhere(
        [&](Cpu device) {
          auto s = state_of<T>(n);
          for (int t = 1; t <= 3; ++t) update(device, s, 100, decay, t);
          s.weight.insert(s.weight.end(), s.m.begin(), s.m.end());
          s.weight.insert(s.weight.end(), s.v.begin(), s.v.end());
          return s.weight;
        },
        [&](const std::vector<T>& found) {
          auto all = expected.weight;
          all.insert(all.end(), expected.m.begin(), expected.m.end());
          all.insert(all.end(), expected.v.begin(), expected.v.end());
          CHECK(test::difference(found, all) < (std::is_same_v<T, float> ? 2e-6 : 1e-14));
        });
  }
}

TEST_CASE("adamw: how the parameters are cut into segments changes nothing", "[adamw]") {
  auto whole = state_of<float>(5000), cut = whole;
  update(Cpu{}, whole, 5000, 1.0F, 1);
  update(Cpu{}, cut, 37, 1.0F, 1);
  CHECK(test::same_bits(whole.weight, cut.weight));
  CHECK(test::same_bits(whole.m, cut.m));
  CHECK(test::same_bits(whole.v, cut.v));
}

TEST_CASE("adamw: a moment without gradient ends at 0, not among denormal numbers", "[adamw]") {
  State<float> s{{1, 1}, {0, 0}, {1e-3F, -1e-3F}, {1, 1}};
  for (int t = 1; t <= 800; ++t) update(Cpu{}, s, 2, 0.0F, 100);
  CHECK(s.m == std::vector<float>{0, 0});
  CHECK(s.weight[0] < 1);
  CHECK(s.weight[1] > 1);
}

TEST_CASE("adamw: the squared norm is exact enough, and the same with any threads", "[adamw]") {
  for (const Index n : {Index(0), Index(1), Index(1000), Index(300001)}) {
    const auto x = test::values<float>(n, 6);
    long double exact = 0;
    for (const float value : x) exact += static_cast<long double>(value) * value;
    test::everywhere(
        [&](Cpu device) { return std::vector<double>{squared_norm(device, x.data(), n)}; },
        [&](const std::vector<double>& found) { CHECK(found[0] == Approx(static_cast<double>(exact)).epsilon(1e-7)); });
  }
}

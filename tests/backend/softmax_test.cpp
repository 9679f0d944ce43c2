// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/softmax.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

TEMPLATE_TEST_CASE("softmax and log-softmax agree with their definition", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 2e-6 : 1e-14;
  for (const auto& size :
       std::vector<std::pair<Index, Index>>{{0, 4}, {3, 0}, {1, 1}, {5, 3}, {4, 16}, {9, 33}, {70, 257}}) {
    const Index rows = size.first, n = size.second;
    INFO(rows << " x " << n);
    const auto x = values<T>(rows * n, 1, 8), dy = values<T>(rows * n, 2);
    std::vector<double> y(x.size()), dx(x.size()), log_y(x.size()), log_dx(x.size());
    for (Index row = 0; row < rows; ++row) {
      const auto first = static_cast<std::size_t>(row * n), last = first + static_cast<std::size_t>(n);
      double total = 0, weighted = 0, whole = 0;
      for (auto i = first; i < last; ++i) total += std::exp(double(x[i]));
      for (auto i = first; i < last; ++i) {
        y[i] = std::exp(double(x[i])) / total;
        log_y[i] = double(x[i]) - std::log(total);
        weighted += y[i] * double(dy[i]);
        whole += double(dy[i]);
      }
      for (auto i = first; i < last; ++i) {
        dx[i] = y[i] * (double(dy[i]) - weighted);
        log_dx[i] = double(dy[i]) - y[i] * whole;
      }
    }
    const auto run = [&](bool logarithm) {
      test::everywhere(
          [&](Cpu device) {
            std::vector<T> to(x), gradient(dy);  // all in place
            if (logarithm) {
              log_softmax_forward(device, rows, n, to.data(), to.data());
              log_softmax_backward(device, rows, n, to.data(), gradient.data(), gradient.data());
            } else {
              softmax_forward(device, rows, n, to.data(), to.data());
              softmax_backward(device, rows, n, to.data(), gradient.data(), gradient.data());
            }
            to.insert(to.end(), gradient.begin(), gradient.end());
            return to;
          },
          [&](const std::vector<T>& found) {
            auto expected = logarithm ? log_y : y;
            const auto& tail = logarithm ? log_dx : dx;
            expected.insert(expected.end(), tail.begin(), tail.end());
            CHECK(test::difference(found, expected) < bar * (logarithm ? 8 : 1));
          });
    };
    run(false);
    run(true);
  }
}

TEST_CASE("softmax of extreme values") {
  constexpr float inf = INFINITY;
  const auto softmax = [](std::vector<float> x) {
    softmax_forward(Cpu{}, 1, static_cast<Index>(x.size()), x.data(), x.data());
    return x;
  };
  CHECK(softmax({1000, -inf, -1000}) == std::vector<float>{1, 0, 0});
  CHECK(softmax({3e38f, 3e38f}) == std::vector<float>{0.5f, 0.5f});
  CHECK(softmax({-3e38f}) == std::vector<float>{1});
  for (const float value : softmax({-inf, -inf})) CHECK(std::isnan(value));
  for (const float value : softmax({0, NAN, 1})) CHECK(std::isnan(value));
  std::vector<float> x{0, -inf};
  log_softmax_forward(Cpu{}, 1, 2, x.data(), x.data());
  CHECK(x == std::vector<float>{0, -inf});
}

TEST_CASE("a row's softmax does not depend on the rows beside it") {
  const Index rows = 300, n = 35;
  const auto x = values<float>(rows * n, 5);
  std::vector<float> all(x.size());
  softmax_forward(Cpu{}, rows, n, x.data(), all.data());
  for (Index row = 0; row < rows; ++row) {
    std::vector<float> alone(static_cast<std::size_t>(n));
    softmax_forward(Cpu{}, 1, n, x.data() + row * n, alone.data());
    REQUIRE(std::memcmp(alone.data(), all.data() + row * n, alone.size() * sizeof(float)) == 0);
  }
}

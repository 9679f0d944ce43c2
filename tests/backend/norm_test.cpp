// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/norm.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

namespace {

struct Case {
  Index rows, channels;
  bool centred, weight, bias;
  double offset;
};
const Case cases[] = {{0, 8, true, true, true, 0},     {1, 1, false, true, false, 0},  {3, 5, true, false, false, 0},
                      {4, 16, false, false, false, 0}, {7, 33, true, true, false, 0},  {300, 48, true, true, true, 0},
                      {2, 768, false, true, false, 1}, {65, 130, false, true, true, 1}};
constexpr double eps = 1e-5;

struct Expected {
  std::vector<double> y, dx, dweight, dbias;
};

// The definition, in double.
template <class T> Expected reference(const Case& c, const std::vector<T>& x, const std::vector<T>& w,
                                      const std::vector<T>& b, const std::vector<T>& dy) {
  const auto n = static_cast<std::size_t>(c.channels);
  Expected e{std::vector<double>(x.size()), std::vector<double>(x.size()), std::vector<double>(n),
             std::vector<double>(n)};
  for (std::size_t row = 0; row < static_cast<std::size_t>(c.rows); ++row) {
    double mean = 0, square = 0, g_mean = 0, gh_mean = 0;
    if (c.centred)
      for (std::size_t i = 0; i < n; ++i) mean += double(x[row * n + i]) / double(n);
    for (std::size_t i = 0; i < n; ++i) square += std::pow(double(x[row * n + i]) - mean, 2) / double(n);
    const double rstd = 1 / std::sqrt(square + eps);
    const auto factor = [&](std::size_t i) { return c.weight ? double(w[i]) + c.offset : 1.0; };
    const auto h = [&](std::size_t i) { return (double(x[row * n + i]) - mean) * rstd; };
    for (std::size_t i = 0; i < n; ++i) {
      const double g = double(dy[row * n + i]) * factor(i);
      e.y[row * n + i] = h(i) * factor(i) + (c.bias ? double(b[i]) : 0);
      if (c.centred) g_mean += g / double(n);
      gh_mean += g * h(i) / double(n);
      e.dweight[i] += double(dy[row * n + i]) * h(i);
      e.dbias[i] += double(dy[row * n + i]);
    }
    for (std::size_t i = 0; i < n; ++i)
      e.dx[row * n + i] = rstd * (double(dy[row * n + i]) * factor(i) - g_mean - h(i) * gh_mean);
  }
  return e;
}

}  // namespace

TEMPLATE_TEST_CASE("norms agree with their definition, on any threads and instruction set", "", float, double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 2e-5 : 1e-12;
  for (const Case& c : cases) {
    INFO(c.rows << " x " << c.channels << (c.centred ? " layer" : " rms"));
    const Index n = c.rows * c.channels;
    auto x = values<T>(n, 1, 3);
    for (auto& value : x) value += T(0.5);
    const auto w = values<T>(c.channels, 2), b = values<T>(c.channels, 3), dy = values<T>(n, 4);
    const auto expected = reference(c, x, w, b, dy);
    const T* weight = c.weight ? w.data() : nullptr;
    const auto run = [&](Cpu device, bool accumulate) {
      std::vector<T> y(x.size()), mean(std::size_t(c.rows)), rstd(std::size_t(c.rows));
      norm_forward(device, NormForward<T>{.rows = c.rows,
                                          .channels = c.channels,
                                          .centred = c.centred,
                                          .eps = T(eps),
                                          .weight_offset = T(c.offset),
                                          .x = x.data(),
                                          .weight = weight,
                                          .bias = c.bias ? b.data() : nullptr,
                                          .y = y.data(),
                                          .mean = mean.data(),
                                          .rstd = rstd.data()});
      std::vector<T> dx(x.size(), T(1)), dweight(w.size(), T(1)), dbias(w.size(), T(1));
      norm_backward(device, NormBackward<T>{.rows = c.rows,
                                            .channels = c.channels,
                                            .centred = c.centred,
                                            .weight_offset = T(c.offset),
                                            .x = x.data(),
                                            .weight = weight,
                                            .mean = mean.data(),
                                            .rstd = rstd.data(),
                                            .dy = dy.data(),
                                            .dx = dx.data(),
                                            .dweight = dweight.data(),
                                            .dbias = dbias.data(),
                                            .accumulate = accumulate});
      for (const auto* part : {&dx, &dweight, &dbias}) y.insert(y.end(), part->begin(), part->end());
      return y;
    };
    for (const bool accumulate : {false, true}) {
      auto all = expected.y;
      for (const auto* part : {&expected.dx, &expected.dweight, &expected.dbias})
        for (const double value : *part) all.push_back(value + accumulate);
      test::everywhere([&](Cpu device) { return run(device, accumulate); },
                       [&](const std::vector<T>& found) { CHECK(test::difference(found, all) < bar); });
    }
  }
}

TEST_CASE("a row's norm does not depend on the rows beside it") {
  const Index rows = 37, channels = 70;
  const auto x = values<float>(rows * channels, 5);
  const auto norm = [&](const float* from, Index count) {
    std::vector<float> y(static_cast<std::size_t>(count * channels));
    norm_forward(Cpu{},
                 NormForward<float>{
                     .rows = count, .channels = channels, .centred = true, .eps = 1e-5f, .x = from, .y = y.data()});
    return y;
  };
  const auto all = norm(x.data(), rows);
  for (Index row = 0; row < rows; ++row) {
    const auto alone = norm(x.data() + row * channels, 1);
    CHECK(std::memcmp(alone.data(), all.data() + row * channels, alone.size() * sizeof(float)) == 0);
  }
}

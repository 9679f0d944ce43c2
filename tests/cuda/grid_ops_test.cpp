// SPDX-License-Identifier: Apache-2.0
// Every operation of the table on the other device against the processor: values and gradients, in double and float.
#include "grid.hpp"

#include "catch.hpp"
#include "ops/op_cases.hpp"

#include <atom/autograd/backward.hpp>

using namespace test;

namespace {

struct Outcome {
  std::vector<double> y;
  std::vector<std::vector<double>> gradients;  // of each input; empty where there is none
};

template <class T> std::vector<double> in_double(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

template <class T, class D> Outcome outcome(const OpCase<T, D>& c, const Shapes& shapes, bool strided) {
  auto leaves = case_leaves<T>(shapes, c.positive, strided, D{});
  for (auto& leaf : leaves) leaf.require_grad();
  const auto y = run_case(c, leaves, strided);
  backward(y, Tensor<T, D>::from(case_values<T>(y.size(), 9, false), y.shape(), D{}));
  Outcome result{in_double(y.to_vector()), {}};
  for (const auto& leaf : leaves) {
    const auto gradient = leaf.grad();
    result.gradients.push_back(gradient.defined() ? in_double(gradient.to_vector()) : std::vector<double>());
  }
  return result;
}

// max |a - b| / (1 + max |b|)
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0, size = 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) worst = std::max(worst, std::abs(a[i] - b[i]));
    if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
    size = std::max(size, std::abs(b[i]));
  }
  return worst / size;
}

template <class T> void compare_all(double tolerance) {
  const auto expected = op_cases<double, Cpu>();
  const auto found = op_cases<T, OtherDevice>();
  for (std::size_t i = 0; i < expected.size(); ++i)
    for (const Shapes& shapes : expected[i].calls)
      for (const bool strided : {false, true}) {
        std::string text(expected[i].op);
        for (const Shape& shape : shapes) text += to_text(" ", shape);
        INFO(text << (strided ? " strided" : ""));
        const Outcome a = outcome(found[i], shapes, strided), b = outcome(expected[i], shapes, strided);
        CHECK(difference(a.y, b.y) <= tolerance);
        for (std::size_t input = 0; input < shapes.size(); ++input) {
          INFO("gradient of input " << input);
          CHECK(difference(a.gradients[input], b.gradients[input]) <= tolerance);
        }
      }
}

}  // namespace

TEST_CASE("every operation computes what it does on the processor, in double") { compare_all<double>(1e-12); }
TEST_CASE("every operation computes what it does on the processor, in float") { compare_all<float>(1e-5); }

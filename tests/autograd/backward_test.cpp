// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"

#include <atom/autograd/checkpoint.hpp>
#include <atom/autograd/gradcheck.hpp>
#include <atom/ops/elementwise.hpp>
#include <atom/ops/matmul.hpp>
#include <atom/ops/reduce.hpp>

#include <thread>

using namespace atom;

namespace {
Tensor<double> leaf(std::initializer_list<double> values) {
  auto x = Tensor<double>::from(values, {static_cast<Index>(values.size())});
  return x.require_grad();
}
}  // namespace

TEST_CASE("gradients of all consumers add up", "[autograd]") {
  auto x = leaf({2, 3});
  backward(ops::sum(x * x + x * 4.0));
  CHECK(x.grad().to_vector() == std::vector<double>{8, 10});
  backward(ops::sum(x));  // leaves accumulate over calls
  CHECK(x.grad().to_vector() == std::vector<double>{9, 11});
  x.clear_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a result used by two operations is propagated once", "[autograd]") {
  auto x = leaf({1, 2});
  const auto y = x * 3.0;
  backward(ops::sum(y * y + y));
  CHECK(x.grad().to_vector() == std::vector<double>{21, 39});  // 18 x + 3
}

TEST_CASE("a chain of 100,000 operations runs backward and is freed without recursion", "[autograd]") {
  auto x = leaf({1});
  auto y = x * 1.0;
  for (int i = 0; i < 100'000; ++i) y = y + 1.0;
  SECTION("backward") {
    backward(y);
    CHECK(x.grad().item() == 1);
  }
  SECTION("dropped unused") { y = {}; }
}

TEST_CASE("a graph is used once", "[autograd]") {
  auto x = leaf({1, 2});
  const auto y = x * x;
  const auto loss = ops::sum(y);
  backward(loss);
  CHECK_THROWS_WITH(backward(loss), Catch::Contains("'sum' was used by an earlier backward"));
  CHECK_THROWS_WITH(backward(ops::sum(y * 2.0)), Catch::Contains("'mul' was used by an earlier backward"));
}

TEST_CASE("overwriting a saved value is an error, not a wrong gradient", "[autograd]") {
  auto x = leaf({1, 2});
  const auto loss = ops::sum(x * x);
  x.assign(std::vector{5.0, 2.0});
  CHECK_THROWS_WITH(backward(loss), Catch::Contains("a value saved by 'mul' was overwritten"));
}

TEST_CASE("backward wants a scalar that depends on a leaf", "[autograd]") {
  auto x = leaf({1, 2});
  CHECK_THROWS_WITH(backward(x * 2.0), Catch::Contains("one element: found shape (2)"));
  CHECK_THROWS_WITH(backward(ops::sum(x.detach())), Catch::Contains("depends on nothing"));
}

TEST_CASE("NoGrad records nothing, on this thread only", "[autograd]") {
  auto x = leaf({1});
  const NoGrad no_grad;
  CHECK_FALSE((x * 2.0).requires_grad());
  bool elsewhere = false;
  std::thread([&] { elsewhere = (x * 2.0).requires_grad(); }).join();
  CHECK(elsewhere);
}

TEST_CASE("checkpoint gives the same gradients as keeping everything", "[autograd]") {
  auto x = leaf({0.5, -1.5}), w = leaf({2, 3});
  const auto f = [&](const Tensor<double>& a) { return ops::exp(a * w) * a; };
  backward(ops::sum(f(x)));
  const auto dx = x.grad().to_vector(), dw = w.grad().to_vector();
  x.clear_grad(), w.clear_grad();
  backward(ops::sum(checkpoint(f, x)));
  CHECK(x.grad().to_vector() == dx);
  CHECK(w.grad().to_vector() == dw);
  w.clear_grad();
  backward(ops::sum(checkpoint(f, x.detach())));  // only a captured parameter wants a gradient
  CHECK(w.grad().to_vector() == dw);
}

TEST_CASE("gradcheck catches planted mistakes", "[autograd]") {
  auto x = leaf({0.3, 0.7, -0.2});
  const auto planted = [&](double factor, double offset) {
    return gradcheck(
        [&] {
          const auto y = ops::detail::map(ops::detail::Square{}, x.buffer());
          return record<"square">(
              y,
              [x = save(x), factor, offset](const Buffer<double, Device>& dy) {
                const auto dx = ops::detail::map(ops::detail::SquareGradient{}, *x, dy);
                return ops::detail::map(ops::detail::Shift<double>{offset},
                                        ops::detail::map(ops::detail::Scale<double>{factor}, dx));
              },
              x);
        },
        x);
  };
  CHECK(planted(1, 0) <= 1);
  CHECK(planted(1.0001, 0) > 1);
  CHECK(planted(-1, 0) > 1);
  CHECK(planted(1, 1e-5) > 1);
}

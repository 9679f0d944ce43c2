// SPDX-License-Identifier: Apache-2.0
// Tensors, arithmetic, and a gradient.
#include <fmt/core.h>
#include <atom/atom.hpp>
#include <atom/tensor/format.hpp>

int main() try {
  using namespace atom;

  // A tensor has a scalar type and a device; copies share memory.
  const auto a = Tensor<float>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const auto row = Tensor<float>::from({10, 20, 30}, {3});
  fmt::print("a + row =\n{}\n", a + row);                         // broadcasts over the first axis
  fmt::print("a aᵀ =\n{}\n", ops::matmul(a, ops::transpose(a)));  // the transpose is a view

  // Ask for a gradient, compute one number, walk back.
  auto x = Tensor<float>::from({-1, 0, 2}, {3});
  x.require_grad();
  const auto y = ops::sum(ops::square(x) * 0.5F);
  backward(y);
  fmt::print("y = {}, dy/dx = {}\n", y.item(), x.grad());
  return x.grad().to_vector() == std::vector<float>{-1, 0, 2} ? 0 : 1;  // d(x²/2)/dx = x, exactly
} catch (const atom::Error& error) {                                    // a GPU build without a GPU, for one
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// A foreign program of two translation units: a gradient, and the error of a wrong shape.
#include <fmt/core.h>
#include <atom/atom.hpp>
#include <atom/tensor/format.hpp>

float slope_at(float x);

int main() {
  const auto a = atom::Tensor<float>::zeros({2, 3});
  try {
    atom::ops::matmul(a, a);
    return 1;
  } catch (const atom::Error& error) {
    fmt::print("atom {}: {}\nd(x*x)/dx at 3 = {}\n", ATOM_VERSION, error.what(), slope_at(3));
  }
  return slope_at(3) == 6 ? 0 : 1;
}

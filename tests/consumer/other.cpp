// SPDX-License-Identifier: Apache-2.0
// A second translation unit of the foreign program.
#include <atom/atom.hpp>

float slope_at(float x) {
  auto point = atom::Tensor<float>::from({x}, {1});
  point.require_grad();
  atom::backward(atom::ops::sum(atom::ops::square(point)));
  return point.grad().item();
}

// SPDX-License-Identifier: Apache-2.0
// Linear: y = activation(x Wᵀ + b) + residual.
#pragma once

#include "../ops/linear.hpp"
#include "weights.hpp"

namespace atom::nn {

template <class T, class D> struct Linear {
  using Scalar = T;
  using DeviceType = D;

  Tensor<T, D> weight;     // (out, in), or
  StoredMatrix<D> stored;  // in its place
  Tensor<T, D> bias;       // (out), or undefined

  Linear() = default;
  Linear(Index in, Index out, bool with_bias, D device = {})
      : bias(with_bias ? Tensor<T, D>::zeros({out}, device) : Tensor<T, D>()) {
    detail::make_weight(weight, stored, {out, in}, device);
  }

  Index in() const { return weight_shape(weight, stored)[1]; }
  Index out() const { return weight_shape(weight, stored)[0]; }
  ops::Weight<T, D> matrix() const { return {weight, stored}; }
  // What x is multiplied by, as one tensor: made anew where it is stored.
  Tensor<T, D> dense() const { return matrix().tensor(); }

  // x (..., in) -> (..., out); options: a fused activation, a residual (..., out) added after it.
  [[gnu::noinline]] Tensor<T, D> operator()(const Tensor<T, D>& x, const ops::LinearOptions<T, D>& options = {}) const {
    return ops::linear(x, matrix(), bias, options);
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, self.stored, Role::matrix);
    f("bias", self.bias, Role::bias);
  }
};

}  // namespace atom::nn

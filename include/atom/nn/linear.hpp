// SPDX-License-Identifier: Apache-2.0
// Linear: y = activation(x Wᵀ + b) + residual.
#pragma once

#include "../ops/linear.hpp"
#include "module.hpp"

namespace atom::nn {

template <class T, class D> struct Linear {
  using Scalar = T;
  using DeviceType = D;

  Tensor<T, D> weight;  // (out, in)
  Tensor<T, D> bias;    // (out), or undefined

  Linear() = default;
  Linear(Index in, Index out, bool with_bias, D device = {})
      : weight(Tensor<T, D>::zeros({out, in}, device)),
        bias(with_bias ? Tensor<T, D>::zeros({out}, device) : Tensor<T, D>()) {}

  // x (..., in) -> (..., out); options: a fused activation, a residual (..., out) added after it.
  Tensor<T, D> operator()(const Tensor<T, D>& x, const ops::LinearOptions<T, D>& options = {}) const {
    return ops::linear(x, weight, bias, options);
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, Role::matrix);
    f("bias", self.bias, Role::bias);
  }
};

}  // namespace atom::nn

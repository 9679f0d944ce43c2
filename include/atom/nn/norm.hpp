// SPDX-License-Identifier: Apache-2.0
// Norm: layer norm or rms norm over the last axis, with a weight and, for layer norm, a bias, or without.
#pragma once

#include "../ops/norm.hpp"
#include "module.hpp"

namespace atom::nn {

enum class NormKind { rms, layer };

struct NormShape {
  NormKind kind = NormKind::rms;
  double eps = 1e-5;
  bool weight = true;  // and a bias, if it is a layer norm
  double offset = 0;   // rms norm: added to the weight, where that is stored as its distance from 1 (Gemma: 1)

  friend bool operator==(const NormShape&, const NormShape&) = default;
};

template <class T, class D> struct Norm {
  using Scalar = T;
  using DeviceType = D;

  NormShape shape;
  Tensor<T, D> weight;  // (c), or undefined
  Tensor<T, D> bias;    // (c), or undefined

  Norm() = default;
  Norm(const NormShape& s, Index c, D device = {}) : shape(s) {
    if (!s.weight) return;
    weight = Tensor<T, D>::full({c}, static_cast<T>(1 - s.offset), device);
    if (s.kind == NormKind::layer) bias = Tensor<T, D>::zeros({c}, device);
  }

  Tensor<T, D> operator()(const Tensor<T, D>& x) const {
    return shape.kind == NormKind::rms ? ops::rms_norm(x, weight, shape.eps, shape.offset)
                                       : ops::layer_norm(x, weight, bias, shape.eps);
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, Role::norm);
    f("bias", self.bias, Role::bias);
  }
};

}  // namespace atom::nn

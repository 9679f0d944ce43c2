// SPDX-License-Identifier: Apache-2.0
// Norm: layer norm or rms norm over the last axis, with a weight and, for layer norm, a bias.
#pragma once

#include "../ops/norm.hpp"
#include "module.hpp"

namespace atom::nn {

enum class NormKind { rms, layer };

template <class T, class D> struct Norm {
  using Scalar = T;
  using DeviceType = D;

  NormKind kind = NormKind::rms;
  double eps = 1e-5;
  Tensor<T, D> weight;  // (c)
  Tensor<T, D> bias;    // (c), layer norm only

  Norm() = default;
  Norm(NormKind norm_kind, Index width, double epsilon, D device = {})
      : kind(norm_kind),
        eps(epsilon),
        weight(Tensor<T, D>::full({width}, T(1), device)),
        bias(norm_kind == NormKind::layer ? Tensor<T, D>::zeros({width}, device) : Tensor<T, D>()) {}

  Tensor<T, D> operator()(const Tensor<T, D>& x) const {
    return kind == NormKind::rms ? ops::rms_norm(x, weight, eps) : ops::layer_norm(x, weight, bias, eps);
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, Role::norm);
    f("bias", self.bias, Role::bias);
  }
};

}  // namespace atom::nn

// SPDX-License-Identifier: Apache-2.0
// FeedForward: down(activation(up(x))), or gated: down(activation(gate(x)) * up(x)).
#pragma once

#include "../ops/activation.hpp"
#include "linear.hpp"

namespace atom::nn {

template <class T, class D> struct FeedForward {
  using Scalar = T;
  using DeviceType = D;

  Activation activation = Activation::silu;
  std::optional<Linear<T, D>> gate;  // (f, c); absent: not gated
  Linear<T, D> up, down;             // (f, c), (c, f)

  FeedForward() = default;
  FeedForward(Index width, Index hidden, Activation act, bool gated, bool bias, D device = {})
      : activation(act), up(width, hidden, bias, device), down(hidden, width, bias, device) {
    if (gated) gate.emplace(width, hidden, bias, device);
  }

  // x (b, t, c) -> (b, t, c), plus the residual if there is one.
  Tensor<T, D> operator()(const Tensor<T, D>& x, const Tensor<T, D>& residual = {}) const {
    const auto hidden = gate ? ops::gated(activation, (*gate)(x), up(x)) : up(x, {.activation = activation});
    return down(hidden, {.residual = residual});
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("gate", self.gate);
    f("up", self.up);
    f("down", self.down);
  }
};

}  // namespace atom::nn

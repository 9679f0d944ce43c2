// SPDX-License-Identifier: Apache-2.0
// clamped_swiglu: the gated activation of gpt-oss.
#pragma once

#include "../core/math.hpp"
#include "map.hpp"

namespace atom::ops {

namespace detail {

template <class T> struct ClampedSwiglu {
  T alpha, limit;
  template <class S> ATOM_HD S operator()(S gate, S up) const {
    const S top(limit), g = math::min(top, gate);
    const S u = math::max(-top, math::min(top, up));  // in this order a NaN stays one
    return g * math::sigmoid(S(alpha) * g) * (u + S(T(1)));
  }
};
template <class T> struct ClampedSwigluGradient {
  T alpha, limit;
  bool of_gate;  // else of `up`
  template <class S> ATOM_HD S operator()(S gate, S up, S dy) const {
    const S zero(T(0)), one(T(1)), top(limit), g = math::min(top, gate), s = math::sigmoid(S(alpha) * g);
    if (!of_gate) return math::select(math::abs(up) > top, zero, g * s * dy);
    const S u = math::max(-top, math::min(top, up));
    return math::select(gate > top, zero, s * math::fma(S(alpha) * g, one - s, one) * (u + one) * dy);
  }
};

}  // namespace detail

// g sigmoid(alpha g) (u + 1) with g = min(gate, limit) and u = up within -limit..limit, of equal shapes; slopes are 0
// where an input is cut off. Error: shapes.
template <class T, class D>
Tensor<T, D> clamped_swiglu(const Tensor<T, D>& gate, const Tensor<T, D>& up, double alpha = 1.702, double limit = 7) {
  check(gate.shape() == up.shape(), "clamped_swiglu", "shapes differ: gate ", gate.shape(), ", up ", up.shape());
  const T a = static_cast<T>(alpha), l = static_cast<T>(limit);
  return record<"clamped_swiglu">(
      detail::map(detail::ClampedSwiglu<T>{a, l}, gate.buffer(), up.buffer()),
      [a, l, gate = save(gate), up = save(up)](const Buffer<T, D>& dy) {
        return grads(detail::gradient(detail::ClampedSwigluGradient<T>{a, l, true}, dy, gate, up),
                     detail::gradient(detail::ClampedSwigluGradient<T>{a, l, false}, dy, gate, up));
      },
      gate, up);
}

}  // namespace atom::ops

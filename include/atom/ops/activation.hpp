// SPDX-License-Identifier: Apache-2.0
// Activations: of one tensor, and gated by another (Shazeer 2020: swiglu, geglu).
#pragma once

#include "../policy/activation.hpp"
#include "map.hpp"

namespace atom::ops {

namespace detail {

struct Activate {
  Activation activation;
  template <class S> ATOM_HD S operator()(S x) const { return activation_value(activation, x); }
};
struct ActivateGradient {
  Activation activation;
  template <class S> ATOM_HD S operator()(S x, S dy) const { return activation_slope(activation, x) * dy; }
};
struct Gated {
  Activation activation;
  template <class S> ATOM_HD S operator()(S gate, S up) const { return activation_value(activation, gate) * up; }
};
struct GatedGradient {  // of the gate; that of `up` is Gated(gate, dy)
  Activation activation;
  template <class S> ATOM_HD S operator()(S gate, S up, S dy) const {
    return activation_slope(activation, gate) * up * dy;
  }
};

struct Tanh {
  template <class S> ATOM_HD S operator()(S x) const { return math::tanh(x); }
};
struct TanhGradient {  // from the result
  template <class S> ATOM_HD S operator()(S y, S dy) const { return (S(1) - y * y) * dy; }
};
struct Sigmoid {
  template <class S> ATOM_HD S operator()(S x) const { return math::sigmoid(x); }
};
struct SigmoidGradient {  // from the result
  template <class S> ATOM_HD S operator()(S y, S dy) const { return y * (S(1) - y) * dy; }
};

}  // namespace detail

// activation(x), element by element; `none` is x itself.
template <class T, class D> Tensor<T, D> activate(Activation activation, const Tensor<T, D>& x) {
  if (activation == Activation::none) return x;
  const auto y = detail::map(detail::Activate{activation}, x.buffer());
  return record<"activate">(y, detail::rule(detail::ActivateGradient{activation}, save(x)), x);
}
template <class T, class D> Tensor<T, D> relu(const Tensor<T, D>& x) { return activate(Activation::relu, x); }
template <class T, class D> Tensor<T, D> gelu(const Tensor<T, D>& x) { return activate(Activation::gelu_erf, x); }
template <class T, class D> Tensor<T, D> gelu_tanh(const Tensor<T, D>& x) { return activate(Activation::gelu_tanh, x); }
template <class T, class D> Tensor<T, D> silu(const Tensor<T, D>& x) { return activate(Activation::silu, x); }

template <class T, class D> Tensor<T, D> tanh(const Tensor<T, D>& x) {
  const auto y = detail::map(detail::Tanh{}, x.buffer());
  return record<"tanh">(y, detail::rule(detail::TanhGradient{}, save(y)), x);
}
template <class T, class D> Tensor<T, D> sigmoid(const Tensor<T, D>& x) {
  const auto y = detail::map(detail::Sigmoid{}, x.buffer());
  return record<"sigmoid">(y, detail::rule(detail::SigmoidGradient{}, save(y)), x);
}

// activation(gate) * up, of equal shapes. Error: shapes.
template <class T, class D>
Tensor<T, D> gated(Activation activation, const Tensor<T, D>& gate, const Tensor<T, D>& up) {
  check(gate.shape() == up.shape(), "gated", "shapes differ: gate ", gate.shape(), ", up ", up.shape());
  return record<"gated">(
      detail::map(detail::Gated{activation}, gate.buffer(), up.buffer()),
      [activation, gate = save(gate), up = save(up)](const Buffer<T, D>& dy) {
        return grads(detail::map(detail::GatedGradient{activation}, *gate, *up, dy),
                     detail::map(detail::Gated{activation}, *gate, dy));
      },
      gate, up);
}
template <class T, class D> Tensor<T, D> swiglu(const Tensor<T, D>& gate, const Tensor<T, D>& up) {
  return gated(Activation::silu, gate, up);
}
template <class T, class D> Tensor<T, D> geglu(const Tensor<T, D>& gate, const Tensor<T, D>& up) {
  return gated(Activation::gelu_erf, gate, up);
}

}  // namespace atom::ops

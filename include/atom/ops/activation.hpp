// SPDX-License-Identifier: Apache-2.0
// Activations: of one tensor, and gated by another (Shazeer 2020: swiglu, geglu).
#pragma once

#include "../policy/activation.hpp"
#include "map.hpp"

namespace atom::ops {

namespace detail {

template <Activation a> struct ActivateGradient {
  template <class S> ATOM_HD S operator()(S x, S dy) const { return ActivationSlope<a>{}(x)*dy; }
};
template <Activation a> struct Gated {
  template <class S> ATOM_HD S operator()(S gate, S up) const { return Activate<a>{}(gate)*up; }
};
template <Activation a> struct GatedGradientOfGate {
  template <class S> ATOM_HD S operator()(S gate, S up, S dy) const { return ActivationSlope<a>{}(gate)*up * dy; }
};
template <Activation a> struct GatedGradientOfUp {
  template <class S> ATOM_HD S operator()(S gate, S dy) const { return Activate<a>{}(gate)*dy; }
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
  const auto y = with_activation(activation, [&](auto a) { return detail::map(Activate<a()>{}, x.buffer()); });
  return record<"activate">(
      y,
      [activation, x = save(x)](const Buffer<T, D>& dy) {
        return with_activation(activation,
                               [&](auto a) { return detail::map(detail::ActivateGradient<a()>{}, *x, dy); });
      },
      x);
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

// activation(gate) * up, of equal shapes. Errors: shapes; an activation other than silu, gelu_tanh and gelu_erf.
template <class T, class D>
Tensor<T, D> gated(Activation activation, const Tensor<T, D>& gate, const Tensor<T, D>& up) {
  check(gate.shape() == up.shape(), "gated", "shapes differ: gate ", gate.shape(), ", up ", up.shape());
  const auto y =
      with_gate(activation, [&](auto a) { return detail::map(detail::Gated<a()>{}, gate.buffer(), up.buffer()); });
  return record<"gated">(
      y,
      [activation, gate = save(gate), up = save(up)](const Buffer<T, D>& dy) {
        return with_gate(activation, [&](auto a) {
          return grads(detail::map(detail::GatedGradientOfGate<a()>{}, *gate, *up, dy),
                       detail::map(detail::GatedGradientOfUp<a()>{}, *gate, dy));
        });
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

// SPDX-License-Identifier: Apache-2.0
// Activation: the non-linearity of a feed-forward layer, chosen at run time and turned into a template constant at a
// kernel's edge.
#pragma once

#include "../core/error.hpp"
#include "../core/math.hpp"

namespace atom {

enum class Activation : std::uint8_t { none, relu, gelu_erf, gelu_tanh, silu };

constexpr std::string_view name_of(Activation activation) {
  constexpr std::string_view names[] = {"none", "relu", "gelu_erf", "gelu_tanh", "silu"};
  return names[static_cast<std::size_t>(activation)];
}
inline void append_text(std::string& text, Activation activation) { text += name_of(activation); }

template <Activation activation> struct Activate {
  ATOM_HD_QUIET
  template <class S> ATOM_HD S operator()(S x) const {
    using enum Activation;
    if constexpr (activation == relu) return math::max(x, S(0));
    if constexpr (activation == gelu_erf) return math::gelu_erf(x);
    if constexpr (activation == gelu_tanh) return math::gelu_tanh(x);
    if constexpr (activation == silu) return math::silu(x);
    if constexpr (activation == none) return x;
  }
};

// The derivative at x; that of relu at 0 is 0.
template <Activation activation> struct ActivationSlope {
  ATOM_HD_QUIET
  template <class S> ATOM_HD S operator()(S x) const {
    using enum Activation;
    if constexpr (activation == relu) return math::select(x > S(0), S(1), S(0));
    if constexpr (activation == gelu_erf) return math::gelu_erf_slope(x);
    if constexpr (activation == gelu_tanh) return math::gelu_tanh_slope(x);
    if constexpr (activation == silu) return math::silu_slope(x);
    if constexpr (activation == none) return S(1);
  }
};

// f(std::integral_constant<Activation, a>) for the activation a.
template <class F> auto with_activation(Activation activation, F&& f) {
  using enum Activation;
  switch (activation) {
    case relu: return f(std::integral_constant<Activation, relu>());
    case gelu_erf: return f(std::integral_constant<Activation, gelu_erf>());
    case gelu_tanh: return f(std::integral_constant<Activation, gelu_tanh>());
    case silu: return f(std::integral_constant<Activation, silu>());
    case none: break;
  }
  return f(std::integral_constant<Activation, none>());
}

// The same for the activations that gate (Shazeer 2020): each costs three kernels to compile, so only those in use.
// Error: another one.
template <class F> auto with_gate(Activation activation, F&& f) {
  using enum Activation;
  switch (activation) {
    case silu: return f(std::integral_constant<Activation, silu>());
    case gelu_tanh: return f(std::integral_constant<Activation, gelu_tanh>());
    case gelu_erf: return f(std::integral_constant<Activation, gelu_erf>());
    default: fail("gated", "the activation is silu, gelu_tanh or gelu_erf: found ", activation);
  }
}

}  // namespace atom

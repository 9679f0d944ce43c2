// SPDX-License-Identifier: Apache-2.0
// Activation: the non-linearity of a feed-forward layer, chosen at run time.
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

// activation(x). S is a scalar or lanes; one text for all activations, as each kernel that has one is compiled once for
// every instruction set.
template <class S> ATOM_HD S activation_value(Activation activation, S x) {
  switch (activation) {
    case Activation::relu: return math::max(x, S(0));
    case Activation::gelu_erf: return math::gelu_erf(x);
    case Activation::gelu_tanh: return math::gelu_tanh(x);
    case Activation::silu: return math::silu(x);
    case Activation::none: break;
  }
  return x;
}

// The derivative at x; that of relu at 0 is 0.
template <class S> ATOM_HD S activation_slope(Activation activation, S x) {
  switch (activation) {
    case Activation::relu: return math::select(x > S(0), S(1), S(0));
    case Activation::gelu_erf: return math::gelu_erf_slope(x);
    case Activation::gelu_tanh: return math::gelu_tanh_slope(x);
    case Activation::silu: return math::silu_slope(x);
    case Activation::none: break;
  }
  return S(1);
}

}  // namespace atom

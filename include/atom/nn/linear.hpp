// SPDX-License-Identifier: Apache-2.0
// Linear: y = activation(x Wᵀ + b) + residual, where a low-rank adapter may add to x Wᵀ.
#pragma once

#include "../ops/linear.hpp"
#include "weights.hpp"

#include <cmath>

namespace atom::nn {

template <class T, class D> struct Linear;

// What an adapter adds to x Wᵀ: scale (x aᵀ) bᵀ (Hu et al. 2021). lora.hpp makes them.
template <class T, class D> struct Lora {
  Tensor<T, D> a, b;  // (r, in), (out, r)
  double alpha = 1;
  bool rank_stabilised = false;  // Kalajdzievski 2023
  // The layer with its adapter, and W + scale b a: behind pointers, so that only programs that make adapters compile
  // them.
  Tensor<T, D> (*forward)(const Linear<T, D>&, const Tensor<T, D>& x, const ops::LinearOptions<T, D>&) = nullptr;
  Tensor<T, D> (*whole)(const Linear<T, D>&) = nullptr;

  Index rank() const { return a.dim(0); }
  double scale() const {
    const auto r = static_cast<double>(rank());
    return alpha / (rank_stabilised ? std::sqrt(r) : r);
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("a", self.a, Role::matrix);
    f("b", self.b, Role::matrix);
  }
};

template <class T, class D> struct Linear {
  using Scalar = T;
  using DeviceType = D;

  Tensor<T, D> weight;     // (out, in), or
  StoredMatrix<D> stored;  // in its place
  Tensor<T, D> bias;       // (out), or undefined
  std::optional<Lora<T, D>> lora;

  Linear() = default;
  Linear(Index in, Index out, bool with_bias, D device = {})
      : bias(with_bias ? Tensor<T, D>::zeros({out}, device) : Tensor<T, D>()) {
    detail::make_weight(weight, stored, {out, in}, device);
  }
  // Real calls: models of many layers are moved about and dropped in places that are not hot.
  [[gnu::noinline]] Linear(const Linear&) = default;
  [[gnu::noinline]] Linear(Linear&&) noexcept = default;
  [[gnu::noinline]] Linear& operator=(const Linear&) = default;
  [[gnu::noinline]] Linear& operator=(Linear&&) noexcept = default;
  [[gnu::noinline]] ~Linear() = default;

  Index in() const { return weight_shape(weight, stored)[1]; }
  Index out() const { return weight_shape(weight, stored)[0]; }
  ops::Weight<T, D> matrix() const { return {weight, stored}; }  // without the adapter's part
  // What x is multiplied by, as one tensor: made anew where it is stored or has an adapter.
  Tensor<T, D> dense() const { return lora ? lora->whole(*this) : matrix().tensor(); }

  // x (..., in) -> (..., out); options: a fused activation, a residual (..., out) added after it.
  [[gnu::noinline]] Tensor<T, D> operator()(const Tensor<T, D>& x, const ops::LinearOptions<T, D>& options = {}) const {
    return lora ? lora->forward(*this, x, options) : ops::linear(x, matrix(), bias, options);
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, self.stored, Role::matrix);
    f("bias", self.bias, Role::bias);
    f("lora", self.lora);
  }
};

}  // namespace atom::nn

// SPDX-License-Identifier: Apache-2.0
// checkpoint: forget what a block computed, and compute it again in backward. Less memory for one more forward.
#pragma once

#include "backward.hpp"

namespace atom {

// f(inputs...) -> Tensor<T, D>, evaluated without a graph now and again, with one, in backward. f must give the same
// result each time (random numbers by key) and may use parameters that it captures: they get their gradients too.
template <class F, class T, class D, class... Rest>
Tensor<T, D> checkpoint(F f, const Tensor<T, D>& input, const Rest&... rest) {
  Tensor<T, D> y;
  {
    const NoGrad no_grad;
    y = f(input, rest...);
  }
  if (!grad_enabled()) return y;
  auto rule = [f = std::move(f), input = input.detach(),
               rest = std::make_tuple(rest.detach()...)](const Buffer<T, D>& dy) mutable {
    auto again = input.detach();
    again.require_grad();
    auto others = rest;
    std::apply([](auto&... other) { (other.require_grad(), ...); }, others);
    Tensor<T, D> result;
    {
      const detail::Recompute recompute;
      result = std::apply([&](auto&... other) { return f(std::as_const(again), std::as_const(other)...); }, others);
    }
    backward(result, constant(dy));
    return std::apply([&](auto&... other) { return grads(again.node()->gradient(), other.node()->gradient()...); },
                      others);
  };
  return detail::make_node<"checkpoint">(y.buffer(), std::move(rule), input, rest...);
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// What a router reads and says. A router is a policy of how tokens choose their experts, any struct with
//
//   template <class T, class D> Routing<T, D> operator()(const RouterInput<T, D>& in) const;
//
// written in differentiable operations; the gradient reaches the router through the weights and through `loss`.
#pragma once

#include "linear.hpp"
#include "pass.hpp"

namespace atom::nn {

template <class T, class D> struct RouterInput {
  const Linear<T, D>& linear;     // (e, c)
  const Tensor<T, D>& x;          // (n, c)
  Tensor<T, D> select_bias = {};  // (e): moves the choice and nothing else; undefined: none
  Index active = 0;               // experts to choose for each row
  Index length = 0;               // rows of one sequence: n is a multiple
  Mode mode = {};                 // random numbers, where there are any, come from mode.key

  Index experts() const { return linear.out(); }
};

template <class T, class D> struct Routing {
  Tensor<std::int32_t, D> ids;  // (n, k), different in each row
  Tensor<T, D> weights;         // (n, k), of the same columns
  Tensor<T, D> loss = {};       // scalar, added to what training minimises; undefined: none
};

// A program without experts.
struct NoRouter {
  friend bool operator==(NoRouter, NoRouter) = default;
};

}  // namespace atom::nn

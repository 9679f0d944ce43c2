// SPDX-License-Identifier: Apache-2.0
// Embedding: one row of a table for each id.
#pragma once

#include "../ops/embedding.hpp"
#include "module.hpp"

namespace atom::nn {

template <class T, class D> struct Embedding {
  using Scalar = T;
  using DeviceType = D;

  Tensor<T, D> weight;  // (v, c)

  Embedding() = default;
  Embedding(Index rows, Index width, D device = {}) : weight(Tensor<T, D>::zeros({rows, width}, device)) {}

  // ids (...) -> (..., c). Error: an id outside 0..v-1.
  Tensor<T, D> operator()(const Tensor<TokenId, D>& ids) const { return ops::embedding(ids, weight); }

  template <class Self, class F> static void visit(Self& self, F&& f) { f("weight", self.weight, Role::embedding); }
};

}  // namespace atom::nn

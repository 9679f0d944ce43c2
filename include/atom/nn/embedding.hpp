// SPDX-License-Identifier: Apache-2.0
// Embedding: one row of a table for each id.
#pragma once

#include "../ops/embedding.hpp"
#include "weights.hpp"

namespace atom::nn {

template <class T, class D> struct Embedding {
  using Scalar = T;
  using DeviceType = D;

  Tensor<T, D> weight;     // (v, c), or
  StoredMatrix<D> stored;  // in its place

  Embedding() = default;
  Embedding(Index rows, Index width, D device = {}) { detail::make_weight(weight, stored, {rows, width}, device); }

  D device() const { return matrix().device(); }
  ops::Weight<T, D> matrix() const { return {weight, stored}; }
  // The table as one tensor: made anew where it is stored.
  Tensor<T, D> dense() const { return matrix().tensor(); }

  // ids (...) -> (..., c). Error: an id outside 0..v-1.
  Tensor<T, D> operator()(const Tensor<TokenId, D>& ids) const { return ops::embedding(ids, matrix()); }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("weight", self.weight, self.stored, Role::embedding);
  }
};

}  // namespace atom::nn

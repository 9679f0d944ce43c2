// SPDX-License-Identifier: Apache-2.0
// embedding: rows of a table by id.
#pragma once

#include "../backend/check_ids.hpp"
#include "../backend/embedding.hpp"
#include "weight.hpp"

namespace atom::ops {

namespace detail {

// Errors: `table` has not two axes; an id outside 0..v-1. Returns the shape of what the contiguous ids look up.
template <class D> Shape checked_lookup(const Buffer<TokenId, D>& ids, const Shape& table) {
  check(table.rank() == 2, "embedding", "weight has shape ", table, ", expected (v, c)");
  check_ids(ids.device(), "embedding", ids.view(), table[0]);
  Shape shape = ids.shape();
  shape.push_back(table[1]);
  return shape;
}

}  // namespace detail

// ids (...), weight (v, c) -> (..., c). A stored weight takes no gradient. Errors: weight has not two axes or is not
// loaded; an id outside 0..v-1.
template <class T, class D> Tensor<T, D> embedding(const Tensor<TokenId, D>& ids, const Weight<T, D>& weight) {
  check(weight.defined(), "embedding", "the weight ", weight.shape(), " is not loaded");
  const auto rows = contiguous(ids.buffer());
  Buffer<T, D> y(ids.device(), detail::checked_lookup(rows, weight.shape()));
  if (weight.dense.defined()) {
    embedding_forward(y.device(), rows.size(), y.dim(-1), rows.data(), contiguous(weight.dense.buffer()).data(),
                      y.mutable_data());
  } else {
    StoredPart part = weight.stored.part();
    part.ids = rows.data();
    part.rows = rows.size();
    weight.stored.read(part, y.mutable_data());
  }
  return record<"embedding">(
      y,
      [ids = save(rows)](const Buffer<T, D>& dy) {
        return [&](Into<T, D> into) {
          const auto& dweight = into.buffer;
          if (!into.accumulate)
            fill_zero(dy.device(), dweight.mutable_data(), static_cast<std::size_t>(dweight.size()) * sizeof(T));
          embedding_backward(dy.device(), ids->size(), dy.dim(-1), ids->data(), dy.data(), dweight.mutable_data());
        };
      },
      weight.dense);
}

// The same of a tensor. One of 16 bits gives float and takes no gradient.
template <class W, class D>
Tensor<compute_t<W>, D> embedding(const Tensor<TokenId, D>& ids, const Tensor<W, D>& weight) {
  if constexpr (is_differentiable_v<W>) {
    return embedding(ids, Weight<W, D>{weight});
  } else {
    const auto rows = contiguous(ids.buffer());
    Buffer<compute_t<W>, D> y(ids.device(), detail::checked_lookup(rows, weight.shape()));
    embedding_forward(y.device(), rows.size(), y.dim(-1), rows.data(), contiguous(weight.buffer()).data(),
                      y.mutable_data());
    return constant(y);
  }
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// embedding: rows of a table by id.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/check_ids.hpp"
#include "../backend/embedding.hpp"

namespace atom::ops {

// ids (...), weight (v, c) -> (..., c). A weight stored in 16 bits gives float and takes no gradient.
// Errors: weight has not two axes; an id outside 0..v-1.
template <class W, class D>
Tensor<compute_t<W>, D> embedding(const Tensor<TokenId, D>& ids, const Tensor<W, D>& weight) {
  using T = compute_t<W>;
  check(weight.rank() == 2, "embedding", "weight has shape ", weight.shape(), ", expected (v, c)");
  const auto rows = contiguous(ids.buffer());
  check_ids(ids.device(), "embedding", rows.view(), weight.dim(0));
  Shape shape = ids.shape();
  shape.push_back(weight.dim(1));
  Buffer<T, D> y(ids.device(), shape);
  embedding_forward(y.device(), rows.size(), weight.dim(1), rows.data(), contiguous(weight.buffer()).data(),
                    y.mutable_data());
  if constexpr (is_differentiable_v<W>) {
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
        weight);
  } else {
    return constant(y);
  }
}

}  // namespace atom::ops

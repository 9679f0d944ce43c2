// SPDX-License-Identifier: Apache-2.0
// Weight: the matrix that a layer reads: a tensor, or stored in the type of its file. Panels: what a product takes of
// it at a time, all of a tensor, or a part of stored values, so that no copy of all is ever made.
#pragma once

#include "../autograd/record.hpp"
#include "../tensor/stored_matrix.hpp"

namespace atom::ops {

// One of the two is defined.
template <class T, class D> struct Weight {
  Tensor<T, D> dense;
  StoredMatrix<D> stored = {};

  bool defined() const { return dense.defined() || stored.defined(); }
  const Shape& shape() const { return dense.defined() ? dense.shape() : stored.shape(); }
  D device() const { return dense.defined() ? dense.device() : stored.device(); }
  // As one tensor; of a stored matrix a constant of its values, made anew.
  Tensor<T, D> tensor() const { return dense.defined() ? dense : constant(stored.template to_buffer<T>()); }
};

namespace detail {

// y = epilogue(x Wᵀ) by the matrix itself; false: it is not packed, nothing is done.
template <class T, class D> bool packed_product(const StoredMatrix<D>& matrix, Index rows, const T* x, GemmOutput<T> y,
                                                const GemmEpilogue<T>& epilogue) {
  if constexpr (std::is_same_v<T, float>) {
    if (!matrix.is_packed()) return false;
    matrix.multiply(rows, x, y, epilogue);
    return true;
  }
  return false;
}

enum class Along { rows, columns };

// The rows or columns of a contiguous matrix, or of a stored one, in order:
//   for (Panels<T, D> panel(Along::rows, dense, stored); panel.next();) use(panel.first, panel.count, panel.values);
template <class T, class D> class Panels {
 public:
  Index first = 0, count = 0;  // rows or columns of this panel
  const T* values = nullptr;   // (count, columns), or (rows, count)

  [[gnu::noinline]] Panels(Along along, const Buffer<T, D>& dense, const StoredMatrix<D>& stored)
      : along_(along), dense_(dense), stored_(stored) {}

  [[gnu::noinline]] bool next() {
    first += count;
    if (dense_.defined()) {
      count = dense_.dim(along_ == Along::rows ? 0 : 1);
      values = dense_.data();
      return !std::exchange(seen_, true);
    }
    return next_stored();
  }

 private:
  [[gnu::cold]] bool next_stored() {
    constexpr Index most = Index{1} << 20;  // values of a panel, unless one step has more
    const bool by_rows = along_ == Along::rows;
    StoredPart part = stored_.part();
    const Index size = by_rows ? part.rows : part.columns, other = by_rows ? part.columns : part.rows;
    if (first == size) return false;
    if constexpr (std::is_same_v<T, float>)
      if (part.type == BlockType::f32 && !stored_.is_packed()) {  // where they lie
        count = size;
        values = part.values<float>(0);
        return true;
      }
    const Index step = by_rows ? 96 : 256;  // a few panels of a product; whole blocks of any type
    count = std::min(size - first, std::max(most / std::max(other, Index{1}) / step, Index{1}) * step);
    (by_rows ? part.first_row : part.first_column) += first;
    (by_rows ? part.rows : part.columns) = count;
    if (!memory_.defined()) memory_ = Buffer<T, D>(stored_.device(), {count, other});
    stored_.read(part, memory_.mutable_data());
    values = memory_.data();
    return true;
  }

  Along along_;
  bool seen_ = false;  // a buffer's only panel
  Buffer<T, D> dense_;
  StoredMatrix<D> stored_;
  Buffer<T, D> memory_;
};

}  // namespace detail
}  // namespace atom::ops

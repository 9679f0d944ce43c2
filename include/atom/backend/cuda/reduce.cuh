// SPDX-License-Identifier: Apache-2.0
// Reductions over a grid (contract: backend/reduce.hpp): one output each, its elements in order.
#pragma once

#include "../../core/math.hpp"
#include "../reduce.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

enum class GridReduction { sum, squares, max };

template <GridReduction kind, class T> struct ReduceOutput {
  const T* x;
  T* y;
  Index n, inner;
  bool accumulate;
  ATOM_HD void operator()(Index i) const {
    const T* from = x + i / inner * n * inner + i % inner;
    T total = kind == GridReduction::max ? -std::numeric_limits<T>::infinity() : T(0);
    for (Index j = 0; j < n; ++j) {
      const T value = from[j * inner];
      if constexpr (kind == GridReduction::sum) total = total + value;
      if constexpr (kind == GridReduction::squares) total = math::fma(value, value, total);
      if constexpr (kind == GridReduction::max) total = math::max(total, value);
    }
    y[i] = accumulate ? y[i] + total : total;
  }
};

template <class T> struct ArgmaxOutput {
  const T* x;
  std::int32_t* y;
  Index n, inner;
  ATOM_HD void operator()(Index i) const {
    const T* from = x + i / inner * n * inner + i % inner;
    Index best = 0;
    for (Index j = 1; j < n; ++j)
      if (from[j * inner] > from[best * inner]) best = j;
    y[i] = static_cast<std::int32_t>(best);
  }
};

// Element i of `out`: the sum of `in` over the axes that `out` lacks or has with extent 1.
template <class T> struct ReduceToOutput {
  View<T> out;
  View<const T> in;
  ATOM_HD void operator()(Index element) const {
    const int shift = in.shape.rank() - out.shape.rank();
    Index i = element;
    Index base = 0, terms = 1;
    for (int axis = in.shape.rank() - 1; axis >= 0; --axis) {
      const Index extent = axis >= shift ? out.shape[axis - shift] : 1;
      base += i % extent * in.strides[axis];
      i /= extent;
      if (extent != in.shape[axis]) terms *= in.shape[axis];
    }
    T total = 0;
    for (Index term = 0; term < terms; ++term) {
      Index rest = term, offset = base;
      for (int axis = in.shape.rank() - 1; axis >= 0; --axis) {
        const Index extent = axis >= shift ? out.shape[axis - shift] : 1;
        if (extent == in.shape[axis]) continue;
        offset += rest % in.shape[axis] * in.strides[axis];
        rest /= in.shape[axis];
      }
      total = total + in.data[offset];
    }
    out.data[element] = total;  // dense
  }
};

}  // namespace detail

template <GridDevice D, class T>
void reduce_sum(D device, Index outer, Index n, Index inner, const T* x, T* y, bool accumulate = false) {
  for_each(device, outer * inner, detail::ReduceOutput<detail::GridReduction::sum, T>{x, y, n, inner, accumulate});
}
template <GridDevice D, class T>
void reduce_squares(D device, Index outer, Index n, Index inner, const T* x, T* y, bool accumulate = false) {
  for_each(device, outer * inner, detail::ReduceOutput<detail::GridReduction::squares, T>{x, y, n, inner, accumulate});
}
template <GridDevice D, class T> void reduce_max(D device, Index outer, Index n, Index inner, const T* x, T* y) {
  for_each(device, outer * inner, detail::ReduceOutput<detail::GridReduction::max, T>{x, y, n, inner, false});
}
template <GridDevice D, class T> void argmax(D device, Index outer, Index n, Index inner, const T* x, std::int32_t* y) {
  for_each(device, outer * inner, detail::ArgmaxOutput<T>{x, y, n, inner});
}
template <GridDevice D, class T> void sum_rows(D device, Index rows, Index n, const T* x, T* y, bool accumulate) {
  reduce_sum(device, 1, rows, n, x, y, accumulate);
}
template <GridDevice D, class T> void reduce_to(D device, View<T> out, View<const T> in) {
  for_each(device, out.size(), detail::ReduceToOutput<T>{out, in});
}

}  // namespace atom

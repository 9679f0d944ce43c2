// SPDX-License-Identifier: Apache-2.0
// Reductions: sum, mean and max over all elements or one axis; argmax. An axis counts from the end when negative, and
// is dropped from the shape. The order of a sum is fixed: neither threads nor the batch change its bits.
#pragma once

#include "../backend/for_each.hpp"
#include "elementwise.hpp"

namespace atom::ops {

namespace detail {

// x seen as (outer, n, inner) around one axis.
struct AxisSplit {
  AxisSplit(const Shape& shape, int axis) : n(shape[axis]) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
  Index outer = 1, n, inner = 1;
};

// `dy` repeated along `axis` of `shape`: a view.
template <class T, class D> Buffer<T, D> repeated(const Buffer<T, D>& dy, const Shape& shape, int axis) {
  Strides strides = shape;
  for (int i = 0; i < shape.rank(); ++i) strides[i] = i == axis ? 0 : dy.strides()[i < axis ? i : i - 1];
  return dy.alias(shape, strides);
}

// dx[(outer, index, inner)] = dy[(outer, inner)].
template <class T> struct ScatterToMax {
  const T* dy;
  const std::int32_t* index;
  T* dx;
  Index n, inner;
  ATOM_HD void operator()(Index i) const { dx[(i / inner * n + index[i]) * inner + i % inner] += dy[i]; }
};

}  // namespace detail

// The sum of all elements: a scalar.
template <class T, class D> Tensor<T, D> sum(const Tensor<T, D>& x) {
  const auto packed = contiguous(x.buffer());
  Buffer<T, D> y(x.device(), Shape{});
  reduce_sum(x.device(), 1, packed.size(), 1, packed.data(), y.mutable_data());
  return record<"sum">(
      y, [shape = x.shape()](const Buffer<T, D>& dy) { return detail::expand(dy, shape); }, x);
}

template <class T, class D> Tensor<T, D> sum(const Tensor<T, D>& x, int axis) {
  axis = checked_axis("sum", x.shape(), axis);
  const detail::AxisSplit split(x.shape(), axis);
  const auto packed = contiguous(x.buffer());
  Buffer<T, D> y(x.device(), x.shape().without(axis));
  reduce_sum(x.device(), split.outer, split.n, split.inner, packed.data(), y.mutable_data());
  return record<"sum">(
      y, [shape = x.shape(), axis](const Buffer<T, D>& dy) { return detail::repeated(dy, shape, axis); }, x);
}

// Error: no elements.
template <class T, class D> Tensor<T, D> mean(const Tensor<T, D>& x) {
  check(x.size() > 0, "mean", "no elements: shape ", x.shape());
  return scale(sum(x), T(1) / static_cast<T>(x.size()));
}
template <class T, class D> Tensor<T, D> mean(const Tensor<T, D>& x, int axis) {
  const Index n = x.dim(checked_axis("mean", x.shape(), axis));
  check(n > 0, "mean", "no elements along axis ", axis, " of ", x.shape());
  return scale(sum(x, axis), T(1) / static_cast<T>(n));
}

// The index of the greatest element along an axis, the first of equals. Error: no elements.
template <class T, class D> Tensor<std::int32_t, D> argmax(const Tensor<T, D>& x, int axis = -1) {
  axis = checked_axis("argmax", x.shape(), axis);
  const detail::AxisSplit split(x.shape(), axis);
  check(split.n > 0, "argmax", "no elements along axis ", axis, " of ", x.shape());
  const auto packed = contiguous(x.buffer());
  Buffer<std::int32_t, D> index(x.device(), x.shape().without(axis));
  argmax(x.device(), split.outer, split.n, split.inner, packed.data(), index.mutable_data());
  return constant(index);
}

// The greatest element along an axis. The gradient goes to the first of equals. Error: no elements.
template <class T, class D> Tensor<T, D> max(const Tensor<T, D>& x, int axis = -1) {
  axis = checked_axis("max", x.shape(), axis);
  const auto index = argmax(x, axis).buffer();
  const detail::AxisSplit split(x.shape(), axis);
  const auto packed = contiguous(x.buffer());
  Buffer<T, D> y(x.device(), index.shape());
  reduce_max(x.device(), split.outer, split.n, split.inner, packed.data(), y.mutable_data());
  return record<"max">(
      y,
      [index, split](const Buffer<T, D>& dy) {
        return [&](Into<T, D> into) {
          const auto& dx = into.buffer;
          if (!into.accumulate)
            fill_zero(dx.device(), dx.mutable_data(), static_cast<std::size_t>(dx.size()) * sizeof(T));
          for_each(dx.device(), dy.size(),
                   detail::ScatterToMax<T>{dy.data(), index.data(), dx.mutable_data(), split.n, split.inner});
        };
      },
      x);
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// Shape operations: reshape, permute, transpose, slice, broadcast_to (views of the same memory where strides can say
// it), concat and gather (copies). Axes count from the end when negative.
#pragma once

#include "../backend/check_ids.hpp"
#include "../backend/for_each.hpp"
#include "map.hpp"

namespace atom::ops {

// The same elements, row-major, in another shape; one extent may be -1 and follows from the others.
// A view if the memory is contiguous, else a copy. Error: sizes differ.
template <class T, class D> Tensor<T, D> reshape(const Tensor<T, D>& x, Shape shape) {
  const Shape asked = shape;
  Index known = 1;
  int open = -1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] >= 0) {
      known *= shape[axis];
    } else {
      check(open < 0 && shape[axis] == -1, "reshape", "one extent may be -1: found ", asked);
      open = axis;
    }
  }
  if (open >= 0) {
    check(known > 0 && x.size() % known == 0, "reshape", "sizes differ: ", x.shape(), " to ", asked);
    shape[open] = x.size() / known;
  }
  return record<"reshape">(
      contiguous(x.buffer()).reshaped(shape), [back = x.shape()](const Buffer<T, D>& dy) { return dy.reshaped(back); },
      x);
}

namespace detail {
template <class T, class D> Buffer<T, D> permuted(const Buffer<T, D>& x, const Shape& order) {
  Shape shape = order;
  Strides strides = order;
  for (int axis = 0; axis < order.rank(); ++axis) {
    shape[axis] = x.shape()[static_cast<int>(order[axis])];
    strides[axis] = x.strides()[static_cast<int>(order[axis])];
  }
  return x.alias(shape, strides);
}
}  // namespace detail

// Axis i of the result is axis order[i] of x: a view. Error: `order` is no permutation.
template <class T, class D> Tensor<T, D> permute(const Tensor<T, D>& x, const Shape& order) {
  check(order.rank() == x.rank(), "permute", "order ", order, " for shape ", x.shape());
  Shape inverse = order;
  std::array<bool, max_rank> seen{};
  for (int axis = 0; axis < order.rank(); ++axis) {
    const Index from = order[axis];
    check(from >= 0 && from < x.rank() && !seen[static_cast<std::size_t>(from)], "permute",
          "the order is a permutation of the axes: found ", order);
    seen[static_cast<std::size_t>(from)] = true;
    inverse[static_cast<int>(from)] = axis;
  }
  return record<"permute">(
      detail::permuted(x.buffer(), order), [inverse](const Buffer<T, D>& dy) { return detail::permuted(dy, inverse); },
      x);
}

// Swaps two axes: a view.
template <class T, class D> Tensor<T, D> transpose(const Tensor<T, D>& x, int a = -2, int b = -1) {
  Shape order;
  for (int axis = 0; axis < x.rank(); ++axis) order.push_back(axis);
  std::swap(order[checked_axis("transpose", x.shape(), a)], order[checked_axis("transpose", x.shape(), b)]);
  return permute(x, order);
}

// Indices start..start+length-1 of one axis: a view. Error: out of range.
template <class T, class D> Tensor<T, D> slice(const Tensor<T, D>& x, int axis, Index start, Index length) {
  axis = checked_axis("slice", x.shape(), axis);
  check(start >= 0 && length >= 0 && start <= x.dim(axis) - length, "slice", "range ", start, " + ", length,
        " of axis ", axis, " with extent ", x.dim(axis));
  const auto part = [axis, start, length](const Buffer<T, D>& whole) {
    Shape shape = whole.shape();
    shape[axis] = length;
    return whole.alias(shape, whole.strides(), start * whole.strides()[axis]);
  };
  return record<"slice">(
      part(x.buffer()),
      [part](const Buffer<T, D>& dy) {
        return [&](Into<T, D> into) {
          const auto& dx = into.buffer;
          if (!into.accumulate)
            fill_zero(dx.device(), dx.mutable_data(), static_cast<std::size_t>(dx.size()) * sizeof(T));
          detail::map_into(Into<T, D>{part(dx), into.accumulate}, atom::detail::Copy{}, dy);
        };
      },
      x);
}

// Repeated along the axes where x has extent 1 or none: a view with stride 0. Error: does not broadcast to `shape`.
template <class T, class D> Tensor<T, D> broadcast_to(const Tensor<T, D>& x, const Shape& shape) {
  check(broadcast("broadcast_to", x.shape(), shape) == shape, "broadcast_to", x.shape(), " to ", shape);
  return record<"broadcast_to">(
      detail::expand(x.buffer(), shape), [to = x.shape()](const Buffer<T, D>& dy) { return detail::sum_to(dy, to); },
      x);
}

// a and then b along one axis. Error: other extents differ.
template <class T, class D> Tensor<T, D> concat(const Tensor<T, D>& a, const Tensor<T, D>& b, int axis) {
  axis = checked_axis("concat", a.shape(), axis);
  check(a.rank() == b.rank() && a.shape().without(axis) == b.shape().without(axis), "concat",
        "extents other than axis ", axis, " differ: ", a.shape(), " and ", b.shape());
  Shape shape = a.shape();
  shape[axis] += b.dim(axis);
  Buffer<T, D> y(a.device(), shape);
  const auto part = [axis](const Buffer<T, D>& whole, const Shape& extents, Index start) {
    return whole.alias(extents, whole.strides(), start * whole.strides()[axis]);
  };
  detail::map_into(Into<T, D>{part(y, a.shape(), 0), false}, atom::detail::Copy{}, a.buffer());
  detail::map_into(Into<T, D>{part(y, b.shape(), a.dim(axis)), false}, atom::detail::Copy{}, b.buffer());
  return record<"concat">(
      y,
      [part, to_a = a.shape(), to_b = b.shape(), middle = a.dim(axis)](const Buffer<T, D>& dy) {
        return grads(part(dy, to_a, 0), part(dy, to_b, middle));
      },
      a, b);
}

namespace detail {
// One text for both backends. The gradient of a row is added up by one thread, in the order of its indices.
template <class T> struct Gather {
  const T* x;
  const TokenId* index;
  T* y;
  Index extent, count;
  ATOM_HD void operator()(Index i) const { y[i] = x[i / count * extent + index[i]]; }
};
template <class T> struct ScatterAddRow {
  const T* dy;
  const TokenId* index;
  T* dx;
  Index extent, count;
  ATOM_HD void operator()(Index row) const {
    for (Index i = row * count; i < (row + 1) * count; ++i) dx[row * extent + index[i]] += dy[i];
  }
};
}  // namespace detail

// y[..., j] = x[..., index[..., j]] along the last axis; index has x's shape but for that axis.
// Errors: shapes; an index outside 0..extent-1 (found on the host; on CUDA reported when a value is next read).
template <class T, class D> Tensor<T, D> gather(const Tensor<T, D>& x, const Tensor<TokenId, D>& index) {
  check(x.rank() > 0 && index.rank() == x.rank() && x.shape().without(-1) == index.shape().without(-1), "gather",
        "index ", index.shape(), " for values ", x.shape());
  const auto values = contiguous(x.buffer());
  const auto places = contiguous(index.buffer());
  const Index extent = x.dim(-1), count = index.dim(-1), rows = count == 0 ? 0 : index.size() / count;
  check_ids(x.device(), "gather", places.view(), extent);
  Buffer<T, D> y(x.device(), index.shape());
  for_each(x.device(), y.size(), detail::Gather<T>{values.data(), places.data(), y.mutable_data(), extent, count});
  return record<"gather">(
      y,
      [places, extent, count, rows](const Buffer<T, D>& dy) {
        return [&](Into<T, D> into) {
          const auto& dx = into.buffer;
          if (!into.accumulate)
            fill_zero(dx.device(), dx.mutable_data(), static_cast<std::size_t>(dx.size()) * sizeof(T));
          for_each(dx.device(), rows,
                   detail::ScatterAddRow<T>{dy.data(), places.data(), dx.mutable_data(), extent, count});
        };
      },
      x);
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// Shapes and strides: up to 8 extents of 64 bits, stored in place; the broadcast rule.
//
// One alphabet of extents, used in the comment on every tensor:
//   b batch   t time   s keys seen   h heads   k kv-heads   d head width   c channels   f feed-forward width
//   v vocabulary   x experts   n, m any
#pragma once

#include "error.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <span>

namespace atom {

inline constexpr int max_rank = 8;

class Shape {
 public:
  constexpr Shape() = default;  // rank 0: a scalar
  constexpr Shape(std::initializer_list<Index> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  constexpr explicit Shape(std::span<const Index> extents) {
    check(extents.size() <= max_rank, "shape", "rank is at most 8: found ", extents.size());
    rank_ = static_cast<int>(extents.size());
    std::copy(extents.begin(), extents.end(), extents_.begin());
  }

  constexpr int rank() const { return rank_; }
  // The extent at `axis`; negative counts from the end.
  ATOM_HD constexpr Index operator[](int axis) const { return extents_[slot(axis)]; }
  ATOM_HD constexpr Index& operator[](int axis) { return extents_[slot(axis)]; }
  constexpr const Index* begin() const { return extents_.data(); }
  constexpr const Index* end() const { return extents_.data() + rank_; }

  constexpr void push_back(Index extent) {
    check(rank_ < max_rank, "shape", "rank is at most 8: found 9");
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
  constexpr Shape without(int axis) const {
    Shape result;
    for (int i = 0; i < rank_; ++i)
      if (i != (axis < 0 ? axis + rank_ : axis)) result.push_back(extents_[static_cast<std::size_t>(i)]);
    return result;
  }

  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  ATOM_HD constexpr std::size_t slot(int axis) const {
    return static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis);
  }

  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

using Strides = Shape;  // elements from one index to the next, by axis; 0 repeats

inline void append_text(std::string& text, const Shape& shape) {
  text += '(';
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ", ";
    append_text(text, shape[i]);
  }
  text += ')';
}

// Product of the extents; 1 for a scalar. Errors: a negative extent, a product beyond 63 bits.
constexpr Index element_count(const Shape& shape) {
  Index count = 1;
  bool empty = false;
  for (const Index extent : shape) {
    check(extent >= 0, "shape", "extents are not negative: found ", shape);
    empty = empty || extent == 0;
  }
  if (empty) return 0;
  for (const Index extent : shape) {
    check(count <= std::numeric_limits<Index>::max() / extent, "shape", "too many elements: ", shape);
    count *= extent;
  }
  return count;
}

// Row-major: the last axis has stride 1.
constexpr Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  Index step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= std::max<Index>(shape[axis], 1);
  }
  return strides;
}

// Whether the elements lie one after another in row-major order (axes of extent 1 may have any stride).
constexpr bool is_contiguous(const Shape& shape, const Strides& strides) {
  Index step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 0) return true;
    if (shape[axis] != 1 && strides[axis] != step) return false;
    step *= shape[axis];
  }
  return true;
}

// `axis` in 0..rank-1, where negative counts from the end. Error: out of range, naming `where`.
constexpr int checked_axis(std::string_view where, const Shape& shape, int axis) {
  check(axis >= -shape.rank() && axis < shape.rank(), where, "axis out of range: found ", axis, " for shape ", shape);
  return axis < 0 ? axis + shape.rank() : axis;
}

// NumPy's rule: align at the last axis; extents are equal or one of them is 1. Error naming `where` otherwise.
constexpr Shape broadcast(std::string_view where, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  for (int axis = 1; axis <= shorter.rank(); ++axis) {
    const Index x = longer[-axis], y = shorter[-axis];
    check(x == y || x == 1 || y == 1, where, "shapes do not broadcast: ", a, " and ", b);
    result[-axis] = x == 1 ? y : x;
  }
  return result;
}

// Strides that read a tensor of (shape, strides) as if it had the broadcast shape `to`.
constexpr Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& to) {
  Strides result = to;
  for (int axis = 1; axis <= to.rank(); ++axis)
    result[-axis] = axis <= shape.rank() && shape[-axis] != 1 ? strides[-axis] : 0;
  return result;
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Reductions on the processor (contract: backend/reduce.hpp).
#pragma once

#include "../../core/math.hpp"
#include "../../core/view.hpp"
#include "../device.hpp"
#include "lanes.hpp"
#include "memory.hpp"

namespace atom::detail {

// What is combined: `take` an element into an accumulator, `join` two, `fold` lanes into one; `Then` joins results.
struct SumOf {
  using Then = SumOf;
  template <class T> static constexpr T neutral() { return T(0); }
  template <class S> static ATOM_ALWAYS_INLINE S take(S total, S x) { return total + x; }
  template <class S> static ATOM_ALWAYS_INLINE S join(S a, S b) { return a + b; }
  template <class V> static ATOM_ALWAYS_INLINE auto fold(V lanes) { return sum(lanes); }
};
struct SquaresOf : SumOf {
  template <class S> static ATOM_ALWAYS_INLINE S take(S total, S x) { return math::fma(x, x, total); }
};
struct MaxOf {
  using Then = MaxOf;
  template <class T> static constexpr T neutral() { return -std::numeric_limits<T>::infinity(); }
  template <class S> static ATOM_ALWAYS_INLINE S take(S most, S x) { return math::max(most, x); }
  template <class S> static ATOM_ALWAYS_INLINE S join(S a, S b) { return math::max(a, b); }
  template <class V> static ATOM_ALWAYS_INLINE auto fold(V lanes) { return max_of(lanes); }
};

// Memory of the cache for the length of a block of code.
template <class T> struct Scratch {
  explicit Scratch(Index size)
      : bytes(static_cast<std::size_t>(size) * sizeof(T)), data(static_cast<T*>(host_allocate(bytes))) {}
  ~Scratch() { host_deallocate(data, bytes); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::size_t bytes;
  T* data;
};

}  // namespace atom::detail

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "reduce.inl"
#include "each_isa.hpp"

namespace atom::detail {

// f(i) for i of 0..count-1, where each is `work` elements.
template <class F> void for_each_tile(Cpu device, Index count, Index work, F&& f) {
  const Index grain = std::max<Index>(1, 16384 / std::max<Index>(1, work));
  device.pool().parallel_for((count + grain - 1) / grain, [&](Index chunk) {
    for (Index i = chunk * grain; i < std::min(count, (chunk + 1) * grain); ++i) f(i);
  });
}

template <class Op, class T>
void reduce(Cpu device, Index outer, Index n, Index inner, const T* x, T* y, bool accumulate) {
  const Index piece = inner == 1 ? 65536 : 1024, strip = 1024;
  const Index pieces = std::max<Index>(1, (n + piece - 1) / piece), strips = (inner + strip - 1) / strip;
  const auto tiles = [&](T* to, bool add) {
    for_each_tile(device, outer * pieces * strips, std::min(n, piece) * std::min(inner, strip), [&](Index tile) {
      const Index first = tile % strips * strip, place = tile / strips;
      const Index o = place / pieces, begin = place % pieces * piece, length = std::min(piece, n - begin);
      const T* const from = x + (o * n + begin) * inner + first;
      if (inner == 1) ATOM_DISPATCH_MEMORY_BOUND(reduce_row<Op>, from, length, to + place, add);
      const Index columns = std::min(strip, inner - first);
      ATOM_DISPATCH_MEMORY_BOUND(reduce_columns<Op>, from, length, inner, columns, to + place * inner + first, add);
    });
  };
  if (pieces == 1) return tiles(y, accumulate);
  const Scratch<T> partial(outer * pieces * inner);
  tiles(partial.data, false);
  reduce<typename Op::Then>(device, outer, pieces, inner, partial.data, y, accumulate);
}

}  // namespace atom::detail

namespace atom {

template <class T>
void reduce_sum(Cpu device, Index outer, Index n, Index inner, const T* x, T* y, bool accumulate = false) {
  detail::reduce<detail::SumOf>(device, outer, n, inner, x, y, accumulate);
}
template <class T>
void reduce_squares(Cpu device, Index outer, Index n, Index inner, const T* x, T* y, bool accumulate = false) {
  detail::reduce<detail::SquaresOf>(device, outer, n, inner, x, y, accumulate);
}
template <class T> void reduce_max(Cpu device, Index outer, Index n, Index inner, const T* x, T* y) {
  detail::reduce<detail::MaxOf>(device, outer, n, inner, x, y, false);
}

template <class T> void argmax(Cpu device, Index outer, Index n, Index inner, const T* x, std::int32_t* y) {
  detail::for_each_tile(device, outer * inner, n, [&](Index i) {
    const T* const from = x + i / inner * n * inner + i % inner;
    const auto place = [&]() -> std::int32_t { ATOM_DISPATCH_MEMORY_BOUND(argmax_of, from, n, inner); };
    y[i] = place();
  });
}

template <class T> void sum_rows(Cpu device, Index rows, Index n, const T* x, T* y, bool accumulate) {
  reduce_sum(device, 1, rows, n, x, y, accumulate);
}

// One group of neighbouring summed axes after another, the last first.
template <class T> void reduce_to(Cpu device, View<T> out, View<const T> in) {
  const int shift = out.shape.rank() - in.shape.rank();
  const auto summed = [&](int axis) {
    return in.shape[axis] != 1 && (axis + shift < 0 || out.shape[axis + shift] == 1);
  };
  int end = in.shape.rank();
  while (end > 0 && !summed(end - 1)) --end;
  if (end == 0) return copy(device, out.data, in.data, static_cast<std::size_t>(out.size()) * sizeof(T));
  int begin = end;
  while (begin > 0 && (summed(begin - 1) || in.shape[begin - 1] == 1)) --begin;

  Shape rest = in.shape;
  Index outer = 1, n = 1, inner = 1;
  bool more = false;
  for (int axis = 0; axis < in.shape.rank(); ++axis) {
    (axis < begin ? outer : axis < end ? n : inner) *= in.shape[axis];
    more = more || (axis < begin && summed(axis));
    if (axis >= begin && axis < end) rest[axis] = 1;
  }
  if (!more) return reduce_sum(device, outer, n, inner, in.data, out.data);
  const detail::Scratch<T> partial(outer * inner);
  reduce_sum(device, outer, n, inner, in.data, partial.data);
  reduce_to(device, out, contiguous_view<const T>(partial.data, rest));
}

}  // namespace atom

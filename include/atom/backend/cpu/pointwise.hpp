// SPDX-License-Identifier: Apache-2.0
// Element-wise work on the processor (contract: backend/pointwise.hpp).
#pragma once

#include "../../core/elements.hpp"
#include "../../core/math.hpp"
#include "../device.hpp"
#include "lanes.hpp"
#include "strided.hpp"

#include <utility>

namespace atom::detail {

// A function that does not ask where it is.
template <class F> struct Placeless {
  F f;
  ATOM_HD_QUIET
  template <class Place, class... S> ATOM_HD auto operator()(Place, S... values) const { return f(values...); }
};

template <class T> inline constexpr bool has_lanes = std::is_same_v<T, float> || std::is_same_v<T, double> ||
                                                     std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t>;

template <class To, class From> ATOM_ALWAYS_INLINE To converted(From value) {
  if constexpr (std::is_arithmetic_v<To> && std::is_arithmetic_v<From>)
    return static_cast<To>(value);
  else if constexpr (std::is_arithmetic_v<To>)
    return static_cast<To>(static_cast<float>(value));
  else
    return To(static_cast<float>(value));
}

// to[i * to_step] = from[i * from_step]. A call of its own: every functor's kernel contains several.
template <class T>
[[gnu::noinline]] void move_elements(T* to, Index to_step, const T* from, Index from_step, Index count) {
  for (Index i = 0; i < count; ++i) to[i * to_step] = from[i * from_step];
}

// One input of a run, sixteen elements at a time; what does not lie side by side is brought together first.
template <class T> struct Operand {
  const T* base;
  const T* run = nullptr;
  Index step = 0;
  T part[16] = {};

  ATOM_ALWAYS_INLINE void start_run(Index offset, Index stride) {
    run = base + offset;
    step = stride;
    if (step == 0) move_elements(part, 1, run, 0, 16);
  }
  ATOM_ALWAYS_INLINE const T* block(Index i, Index count) {
    if (step == 1 && count == 16) return run + i;
    if (step != 0) move_elements(part, 1, run + i * step, step, count);
    return part;
  }
};

inline constexpr Index pointwise_chunk = 16384;  // elements; less than this runs on the caller's thread

// f(begin, end) for chunks of 0..n-1.
template <class F> void for_element_chunks(Cpu device, Index n, F&& f) {
  device.pool().parallel_for((n + pointwise_chunk - 1) / pointwise_chunk, [&](Index chunk) {
    const Index begin = chunk * pointwise_chunk;
    f(begin, std::min(n, begin + pointwise_chunk));
  });
}

// Types without lanes, one element at a time.
template <class F, std::size_t... I, class T, class... Ts>
void pointwise_scalars(const F& f, const Walk<1 + sizeof...(Ts)>& walk, Index begin, Index end,
                       std::index_sequence<I...>, T* out, const Ts*... in) {
  for (Runs<1 + sizeof...(Ts)> run(walk, begin, end); run.length > 0; run.next())
    for (Index i = 0; i < run.length; ++i)
      out[run.offset[0] + i * run.step(0)] =
          f(Elements<T>{run.first + i}, in[run.offset[I + 1] + i * run.step(I + 1)]...);
}

}  // namespace atom::detail

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "pointwise.inl"
#include "each_isa.hpp"

namespace atom {

template <class F, class T, class... Ts> void pointwise_indexed(Cpu device, View<T> out, F f, View<const Ts>... in) {
  const Strides* const strides[] = {&out.strides, &in.strides...};
  const detail::Walk<1 + sizeof...(Ts)> walk(out.shape, strides);
  const auto inputs = std::index_sequence_for<Ts...>();
  detail::for_element_chunks(device, out.size(), [&](Index begin, Index end) {
    if constexpr ((detail::has_lanes<T> && ... && detail::has_lanes<Ts>)) {
      ATOM_DISPATCH_MEMORY_BOUND(pointwise_range, f, walk, begin, end, inputs, out.data,
                                 detail::Operand<Ts>{in.data}...);
    } else {
      detail::pointwise_scalars(f, walk, begin, end, inputs, out.data, in.data...);
    }
  });
}

template <class F, class T, class... Ts> void pointwise(Cpu device, View<T> out, F f, View<const Ts>... in) {
  pointwise_indexed(device, out, detail::Placeless<F>{f}, in...);
}

template <class To, class From> void convert(Cpu device, View<To> out, View<const From> in) {
  const detail::Walk<2> walk(out.shape, {&out.strides, &in.strides});
  detail::for_element_chunks(device, out.size(), [&](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(convert_range, walk, begin, end, out.data, in.data);
  });
}

}  // namespace atom

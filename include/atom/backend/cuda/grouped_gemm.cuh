// SPDX-License-Identifier: Apache-2.0
// The grouped matrix product on the GPU (contract: backend/grouped_gemm.hpp): the host reads the offsets and asks for
// one product per group.
#pragma once

#include "../gemm.hpp"
#include "../grouped_gemm.hpp"
#include "../reduce.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

// f(g, begin, rows) for each group.
template <GridDevice D, class F> void for_groups(D device, const GroupedRows& s, const F& f) {
  const auto bytes = static_cast<std::size_t>(s.groups + 1) * sizeof(std::int32_t);
  auto* const offsets = static_cast<std::int32_t*>(host_allocate(bytes));
  copy_to_host(device, offsets, s.offsets, bytes);
  for (Index g = 0; g < s.groups; ++g) f(g, Index{offsets[g]}, Index{offsets[g + 1] - offsets[g]});
  host_deallocate(offsets, bytes);
}

}  // namespace detail

template <GridDevice D, class T>
void grouped_gemm(D device, const GroupedRows& s, const T* x, const T* weight, const T* bias, T* y) {
  detail::for_groups(device, s, [&](Index g, Index begin, Index rows) {
    gemm(device, {.m = rows, .n = s.out, .k = s.in}, GemmInput<T>{.data = x + begin * s.in, .ld = s.in},
         {.data = weight + g * s.out * s.in, .ld = s.in, .transposed = true},
         GemmOutput<T>{.data = y + begin * s.out, .ld = s.out}, false, {.bias = bias ? bias + g * s.out : nullptr});
  });
}

template <GridDevice D, class T>
void grouped_gemm_input(D device, const GroupedRows& s, const T* dy, const T* weight, T* dx, bool accumulate) {
  detail::for_groups(device, s, [&](Index g, Index begin, Index rows) {
    gemm(device, {.m = rows, .n = s.in, .k = s.out}, GemmInput<T>{.data = dy + begin * s.out, .ld = s.out},
         {.data = weight + g * s.out * s.in, .ld = s.in}, GemmOutput<T>{.data = dx + begin * s.in, .ld = s.in},
         accumulate);
  });
}

template <GridDevice D, class T>
void grouped_gemm_weight(D device, const GroupedRows& s, const T* dy, const T* x, T* dweight, bool accumulate) {
  detail::for_groups(device, s, [&](Index g, Index begin, Index rows) {
    gemm(device, {.m = s.out, .n = s.in, .k = rows},
         GemmInput<T>{.data = dy + begin * s.out, .ld = s.out, .transposed = true},
         {.data = x + begin * s.in, .ld = s.in}, GemmOutput<T>{.data = dweight + g * s.out * s.in, .ld = s.in},
         accumulate);
  });
}

template <GridDevice D, class T>
void grouped_sum_rows(D device, const GroupedRows& s, const T* dy, T* dbias, bool accumulate) {
  detail::for_groups(device, s, [&](Index g, Index begin, Index rows) {
    sum_rows(device, rows, s.out, dy + begin * s.out, dbias + g * s.out, accumulate);
  });
}

}  // namespace atom

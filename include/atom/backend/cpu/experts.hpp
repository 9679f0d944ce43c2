// SPDX-License-Identifier: Apache-2.0
// Moving rows to their experts and back on the processor (contract: backend/experts.hpp).
#pragma once

#include "../experts.hpp"
#include "rows.hpp"

#define ATOM_MEMORY_BOUND
#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "experts.inl"
#include "each_isa.hpp"

namespace atom {

inline void expert_order(Cpu, Index n, Index k, Index experts, const std::int32_t* ids, std::int32_t* offsets,
                         std::int32_t* row, std::int32_t* place, std::int32_t* choice) {
  std::fill_n(offsets, experts + 1, 0);
  for (Index i = 0; i < n * k; ++i) ++offsets[ids[i] + 1];
  for (Index e = 0; e < experts; ++e) offsets[e + 1] += offsets[e];
  for (Index r = 0; r < n; ++r)
    for (Index j = 0; j < k; ++j) {
      const std::int32_t p = offsets[ids[r * k + j]]++;  // ends where the next expert begins
      row[p] = static_cast<std::int32_t>(r);
      Index at = r * k + j;
      for (; at > r * k && place[at - 1] > p; --at) place[at] = place[at - 1], choice[at] = choice[at - 1];
      place[at] = p;
      choice[at] = static_cast<std::int32_t>(j);
    }
  for (Index e = experts; e > 0; --e) offsets[e] = offsets[e - 1];
  offsets[0] = 0;
}

template <class T> void expert_spread(Cpu device, const ExpertPlaces<T>& a, const T* x, T* y, bool accumulate) {
  detail::for_row_chunks(device, a.rows, a.active * a.channels, [&](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(expert_spread_rows, a, x, y, accumulate, begin, end);
  });
}
template <class T>
void expert_collect(Cpu device, const ExpertPlaces<T>& a, const T* y, const T* residual, T* x, bool accumulate) {
  detail::for_row_chunks(device, a.rows, a.active * a.channels, [&](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(expert_collect_rows, a, y, residual, x, accumulate, begin, end);
  });
}
template <class T>
void expert_dots(Cpu device, const ExpertPlaces<T>& a, const T* x, const T* y, T* dweights, bool accumulate) {
  detail::for_row_chunks(device, a.rows, a.active * a.channels, [&](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(expert_dots_rows, a, x, y, dweights, accumulate, begin, end);
  });
}

}  // namespace atom

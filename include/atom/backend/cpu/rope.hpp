// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding on the processor (contract: backend/rope.hpp).
#pragma once

#include "../rope.hpp"
#include "rows.hpp"

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "rope.inl"
#include "each_isa.hpp"

namespace atom {

template <class T> void apply_rope(Cpu device, const RopeArgs<T>& a) {
  const Index rows = a.x.shape[0] * a.x.shape[1], n = a.x.shape[2] * a.x.shape[3];
  detail::for_row_chunks(device, rows, n,
                         [&](Index begin, Index end) { ATOM_DISPATCH_MEMORY_BOUND(rope_rows, a, begin, end); });
}

}  // namespace atom

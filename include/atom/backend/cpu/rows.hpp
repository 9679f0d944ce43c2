// SPDX-License-Identifier: Apache-2.0
// What kernels over independent rows share: chunks of rows for the thread pool, and the row loops of rows.inl.
#pragma once

#include "../../core/math.hpp"
#include "../device.hpp"
#include "lanes.hpp"

namespace atom::detail {

// f(begin, end) for chunks of the rows 0..rows-1 of n elements, in parallel. The chunks depend on n alone.
template <class F> void for_row_chunks(Cpu device, Index rows, Index n, F&& f) {
  constexpr Index elements = 8192;  // a few microseconds of work
  const Index step = std::max<Index>(1, elements / std::max<Index>(1, n));
  device.pool().parallel_for((rows + step - 1) / step,
                             [&](Index chunk) { f(chunk * step, std::min(rows, (chunk + 1) * step)); });
}

}  // namespace atom::detail

#define ATOM_KERNEL_TEXT "rows.inl"
#include "each_isa.hpp"

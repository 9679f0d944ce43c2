// SPDX-License-Identifier: Apache-2.0
// Layer norm and rms norm on the processor (contract: backend/norm.hpp).
#pragma once

#include "../norm.hpp"
#include "rows.hpp"

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "norm.inl"
#include "each_isa.hpp"

namespace atom {

template <class T> void norm_forward(Cpu device, const NormForward<T>& a) {
  detail::for_row_chunks(device, a.rows, a.channels,
                         [&](Index begin, Index end) { ATOM_DISPATCH_MEMORY_BOUND(norm_forward_rows, a, begin, end); });
}

template <class T> void norm_backward(Cpu device, const NormBackward<T>& a) {
  if (a.dx)
    detail::for_row_chunks(device, a.rows, a.channels, [&](Index begin, Index end) {
      ATOM_DISPATCH_MEMORY_BOUND(norm_backward_rows, a, begin, end);
    });
  if (!a.dweight && !a.dbias) return;
  constexpr Index width = 32;  // columns are independent: any width gives the same bits
  device.pool().parallel_for((a.channels + width - 1) / width, [&](Index chunk) {
    const Index begin = chunk * width, end = std::min(a.channels, begin + width);
    ATOM_DISPATCH_MEMORY_BOUND(norm_backward_columns, a, begin, end);
  });
}

}  // namespace atom

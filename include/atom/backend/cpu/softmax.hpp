// SPDX-License-Identifier: Apache-2.0
// Softmax and log-softmax on the processor (contract: backend/softmax.hpp).
#pragma once

#include "rows.hpp"

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "softmax.inl"
#include "each_isa.hpp"

namespace atom {

template <class T> void softmax_forward(Cpu device, Index rows, Index n, const T* x, T* y) {
  detail::for_row_chunks(
      device, rows, n, [=](Index begin, Index end) { ATOM_DISPATCH_MEMORY_BOUND(softmax_rows, x, y, n, begin, end); });
}

template <class T> void softmax_backward(Cpu device, Index rows, Index n, const T* y, const T* dy, T* dx) {
  detail::for_row_chunks(device, rows, n, [=](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(softmax_backward_rows, y, dy, dx, n, begin, end);
  });
}

template <class T> void log_softmax_forward(Cpu device, Index rows, Index n, const T* x, T* y) {
  detail::for_row_chunks(device, rows, n, [=](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(log_softmax_rows, x, y, n, begin, end);
  });
}

template <class T> void log_softmax_backward(Cpu device, Index rows, Index n, const T* y, const T* dy, T* dx) {
  detail::for_row_chunks(device, rows, n, [=](Index begin, Index end) {
    ATOM_DISPATCH_MEMORY_BOUND(log_softmax_backward_rows, y, dy, dx, n, begin, end);
  });
}

}  // namespace atom

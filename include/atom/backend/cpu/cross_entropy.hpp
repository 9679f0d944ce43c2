// SPDX-License-Identifier: Apache-2.0
// Cross entropy on the processor (contract: backend/cross_entropy.hpp).
#pragma once

#include "../cross_entropy.hpp"
#include "rows.hpp"

#define ATOM_KERNEL_TEXT "cross_entropy.inl"
#include "each_isa.hpp"

namespace atom {

template <class T> void cross_entropy_forward(Cpu device, const CrossEntropyForward<T>& a) {
  detail::for_row_chunks(device, a.n, a.v,
                         [&](Index begin, Index end) { ATOM_DISPATCH(cross_entropy_rows, a, begin, end); });
}

template <class T> void cross_entropy_backward(Cpu device, const CrossEntropyBackward<T>& a) {
  detail::for_row_chunks(device, a.n, a.v,
                         [&](Index begin, Index end) { ATOM_DISPATCH(cross_entropy_backward_rows, a, begin, end); });
}

template <class T>
void cross_entropy_scale(Cpu, Index n, const TokenId* targets, TokenId ignored, T normaliser, T* scale) {
  const auto counted = static_cast<T>(n - std::count(targets, targets + n, ignored));
  const T divisor = normaliser == T(0) ? counted : normaliser;
  scale[0] = divisor == T(0) ? T(0) : T(1) / divisor;
}

template <class T> void cross_entropy_sum(Cpu, Index n, const T* loss, const T* scale, T* total) {
  ATOM_DISPATCH(cross_entropy_total, n, loss, scale, total);
}

}  // namespace atom

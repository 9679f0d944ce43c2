// SPDX-License-Identifier: Apache-2.0
// Table lookup on the processor (contract: backend/embedding.hpp).
#pragma once

#include "rows.hpp"

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "embedding.inl"
#include "each_isa.hpp"

namespace atom {

template <class W, class T>
void embedding_forward(Cpu device, Index n, Index channels, const TokenId* ids, const W* weight, T* y) {
  detail::for_row_chunks(device, n, channels, [=](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const W* from = weight + ids[row] * channels;
      if constexpr (std::is_same_v<W, T>)
        std::copy_n(from, channels, y + row * channels);
      else
        std::transform(from, from + channels, y + row * channels,
                       [](W value) { return static_cast<T>(static_cast<compute_t<W>>(value)); });
    }
  });
}

template <class T>
void embedding_backward(Cpu device, Index n, Index channels, const TokenId* ids, const T* dy, T* dweight) {
  constexpr Index width = 64;  // columns are independent: any width gives the same bits
  device.pool().parallel_for((channels + width - 1) / width, [=](Index chunk) {
    const Index begin = chunk * width, end = std::min(channels, begin + width);
    ATOM_DISPATCH_MEMORY_BOUND(embedding_add_columns, n, channels, ids, dy, dweight, begin, end);
  });
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Reading stored weights on the processor (contract: backend/dequantise.hpp). Templates all: a program that loads no
// stored weights compiles none of it.
#pragma once

#include "../dequantise.hpp"
#include "rows.hpp"
#include "widen.hpp"

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "dequantise.inl"
#include "each_isa.hpp"

namespace atom {

namespace detail {
template <class Stored, class T> void dequantise_rows(const StoredPart& part, Index begin, Index end, T* to) {
  ATOM_DISPATCH_MEMORY_BOUND(dequantise_rows<Stored>, part, begin, end, to);
}
template <class T> void dequantise_e4m3_rows(const StoredPart& part, Index begin, Index end, T* to) {
  ATOM_DISPATCH_MEMORY_BOUND(dequantise_e4m3_rows, part, begin, end, to);
}
}  // namespace detail

template <class T> void dequantise(Cpu device, const StoredPart& part, T* to) {
  detail::for_row_chunks(device, part.rows, part.columns, [&](Index begin, Index end) {
    if (part.type == BlockType::f8_e4m3) return detail::dequantise_e4m3_rows(part, begin, end, to);
    detail::with_stored(part.type, [&]<class Stored>(Stored) {
      static_assert(std::is_same_v<T, float> && sizeof(Stored) % alignof(Stored) == 0);
      detail::dequantise_rows<Stored>(part, begin, end, to);
    });
  });
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// AdamW on the processor (contract: backend/adamw.hpp): one pass over weights, gradients and moments.
#pragma once

#include "../adamw.hpp"
#include "isa.hpp"
#include "lanes.hpp"
#include "memory.hpp"

#include <span>

#define ATOM_MEMORY_BOUND
#define ATOM_KERNEL_TEXT "adamw.inl"
#include "each_isa.hpp"

namespace atom {

template <class T> void adamw(Cpu device, std::span<const AdamWSegment<T>> segments, const AdamWStep<T>& step) {
  device.pool().parallel_for(std::ssize(segments), [&](Index i) {
    const auto& segment = segments[static_cast<std::size_t>(i)];
    ATOM_DISPATCH_MEMORY_BOUND(adamw_segment, segment, step);
  });
}

template <class T> double squared_norm(Cpu device, const T* x, Index n) {
  constexpr Index chunk = Index{1} << 16;
  const Index chunks = (n + chunk - 1) / chunk;
  const auto bytes = static_cast<std::size_t>(chunks) * sizeof(double);
  auto* const part = static_cast<double*>(host_allocate(bytes));
  device.pool().parallel_for(chunks, [&](Index i) {
    const auto squares = [&]() -> double {
      ATOM_DISPATCH_MEMORY_BOUND(squares_of, x + i * chunk, std::min(chunk, n - i * chunk));
    };
    part[i] = squares();
  });
  double total = 0;
  for (Index i = 0; i < chunks; ++i) total += part[i];
  host_deallocate(part, bytes);
  return total;
}

}  // namespace atom

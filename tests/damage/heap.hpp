// SPDX-License-Identifier: Apache-2.0
// Counts the heap of the program it is included in: bytes held, and the most that were held at once; and runs out of
// memory when told to. The operators are weak: several sources of a program may include this.
#pragma once

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace heap {

inline std::atomic<std::size_t> held = 0, peak = 0;

inline long until_failure = -1;     // allocations that still succeed; negative: all do
inline bool fail_for_good = false;  // not only the next one

inline void* take(std::size_t bytes) {
  if (until_failure == 0) {
    if (!fail_for_good) until_failure = -1;
    throw std::bad_alloc();
  }
  if (until_failure > 0) --until_failure;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  const std::size_t now = held += ::malloc_usable_size(memory);
  if (now > peak) peak = now;
  return memory;
}
inline void give(void* memory) noexcept {
  held -= ::malloc_usable_size(memory);
  std::free(memory);
}

// The most that `call` held at once above what was held before.
template <class Call> std::size_t peak_of(Call&& call) {
  const std::size_t before = held;
  peak = before;
  call();
  return peak - before;
}

}  // namespace heap

#if !defined(__CUDA_ARCH__)  // nvcc takes operator new for a device's too
[[gnu::weak]] void* operator new(std::size_t bytes) { return heap::take(bytes); }
[[gnu::weak]] void* operator new[](std::size_t bytes) { return heap::take(bytes); }
[[gnu::weak]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return heap::take(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::weak]] void operator delete(void* memory) noexcept { heap::give(memory); }
[[gnu::weak]] void operator delete[](void* memory) noexcept { heap::give(memory); }
[[gnu::weak]] void operator delete(void* memory, std::size_t) noexcept { heap::give(memory); }
[[gnu::weak]] void operator delete[](void* memory, std::size_t) noexcept { heap::give(memory); }
#endif

// SPDX-License-Identifier: Apache-2.0
// The host's memory, cached (heap.hpp). What is held stays near what was live at the peak; memory is resident only once
// touched, and goes back to the system in release_cached().
#pragma once

#include "../../core/error.hpp"
#include "../device.hpp"
#include "heap.hpp"

namespace atom {

namespace detail {

// Never destroyed, so that objects of any lifetime may free into it.
class HostHeap {
 public:
  void* allocate(std::size_t bytes) {
    void* memory = nullptr;
    if constexpr (!caches_memory) {
      if (bytes <= std::size_t{1} << 40U)  // beyond, the sanitizer aborts
        memory = ::operator new(bytes, std::align_val_t(memory_alignment), std::nothrow);
      passed_ += memory ? bytes : 0;
    } else if (bytes <= SmallHeap::most) {
      const std::size_t index = SmallHeap::class_of(bytes);
      memory = small_[index].allocate(SmallHeap::bytes_of(index), large_);
    } else {
      memory = large_.allocate(bytes);
    }
    if (!memory) [[unlikely]] {
      const auto [live, cached] = stats();
      fail("memory", "out of memory: asked for ", bytes, " bytes with ", live, " live and ", cached, " cached");
    }
    return memory;
  }

  void deallocate(void* memory, std::size_t bytes) noexcept {
    if (!memory) return;
    if constexpr (!caches_memory) {
      ::operator delete(memory, std::align_val_t(memory_alignment));
      passed_ -= bytes;
    } else if (bytes <= SmallHeap::most) {
      small_[SmallHeap::class_of(bytes)].deallocate(memory);
    } else {
      large_.deallocate(memory);
    }
  }

  MemoryStats stats() {
    if constexpr (!caches_memory) return {passed_, 0};
    MemoryStats stats = large_.stats();
    for (std::size_t index = 0; index < SmallHeap::classes; ++index) {
      const auto [live, made] = small_[index].counts();
      const std::size_t idle = (made - live) * SmallHeap::bytes_of(index);
      stats.live -= idle;
      stats.cached += idle;
    }
    return stats;
  }

  void release_cached() { large_.release_cached(); }

 private:
  LargeHeap large_;
  std::array<SmallHeap, SmallHeap::classes> small_;
  std::atomic<std::size_t> passed_ = 0;
};

inline constinit HostHeap host_heap;

// Calls f(offset, bytes) over pieces of a range, by the pool where the range is long.
template <class F> void for_each_piece(Cpu device, std::size_t bytes, F f) {
  constexpr std::size_t piece = std::size_t{1} << 20U;
  if (bytes == 0) return;
  if (bytes <= 2 * piece) return f(std::size_t{0}, bytes);
  device.pool().parallel_for(static_cast<Index>((bytes + piece - 1) / piece), [&](Index chunk) {
    const std::size_t offset = static_cast<std::size_t>(chunk) * piece;
    f(offset, std::min(piece, bytes - offset));
  });
}

}  // namespace detail

inline void* host_allocate(std::size_t bytes) { return detail::host_heap.allocate(bytes); }
inline void host_deallocate(void* memory, std::size_t bytes) noexcept { detail::host_heap.deallocate(memory, bytes); }

inline void* allocate(Cpu, std::size_t bytes) { return host_allocate(bytes); }
inline void deallocate(Cpu, void* memory, std::size_t bytes) noexcept { host_deallocate(memory, bytes); }
inline MemoryStats memory_stats(Cpu) { return detail::host_heap.stats(); }
inline void release_cached(Cpu) { detail::host_heap.release_cached(); }

inline void copy(Cpu device, void* to, const void* from, std::size_t bytes) {
  detail::for_each_piece(device, bytes, [=](std::size_t offset, std::size_t count) {
    std::memcpy(static_cast<std::byte*>(to) + offset, static_cast<const std::byte*>(from) + offset, count);
  });
}
inline void copy_to_host(Cpu device, void* to, const void* from, std::size_t bytes) { copy(device, to, from, bytes); }
inline void copy_from_host(Cpu device, void* to, const void* from, std::size_t bytes) { copy(device, to, from, bytes); }

inline void fill_zero(Cpu device, void* to, std::size_t bytes) {
  detail::for_each_piece(device, bytes, [=](std::size_t offset, std::size_t count) {
    std::memset(static_cast<std::byte*>(to) + offset, 0, count);
  });
}

}  // namespace atom

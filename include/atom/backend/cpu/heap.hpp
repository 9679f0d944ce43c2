// SPDX-License-Identifier: Apache-2.0
// The two heaps of the caching allocator: free lists by size class for small blocks; for large ones segments of address
// space, carved best fit, whose neighbours merge when freed. Both give uninitialised, 64-byte aligned memory.
#pragma once

#include "../../core/types.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace atom {

struct MemoryStats {
  std::size_t live = 0;    // bytes of blocks handed out, rounding included
  std::size_t cached = 0;  // bytes touched once and idle now
};

namespace detail {

#if defined(__SANITIZE_ADDRESS__) || !defined(MAP_ANONYMOUS)
inline constexpr bool caches_memory = false;
#elif defined(__has_feature)
inline constexpr bool caches_memory = !__has_feature(address_sanitizer);
#else
inline constexpr bool caches_memory = true;
#endif

inline constexpr std::size_t memory_alignment = 64;

constexpr std::size_t round_up(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

// Address space from the system, or null.
inline void* map_memory(std::size_t bytes) {
#if defined(MAP_ANONYMOUS)
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
#if defined(MADV_HUGEPAGE)
  madvise(memory, bytes, MADV_HUGEPAGE);  // fewer page faults and TLB misses; a refusal is harmless
#endif
  return memory;
#else
  static_cast<void>(bytes);
  return nullptr;
#endif
}

// Gives the pages back but keeps the addresses, or gives back both.
inline void unmap_memory(void* memory, std::size_t bytes, bool keep_addresses) {
#if defined(MAP_ANONYMOUS)
  if (keep_addresses)
    madvise(memory, bytes, MADV_DONTNEED);
  else
    munmap(memory, bytes);
#else
  static_cast<void>(memory), static_cast<void>(bytes), static_cast<void>(keep_addresses);
#endif
}

// Blocks of at least `least` bytes. Every block carries a header of 64 bytes before it.
class LargeHeap {
 public:
  static constexpr std::size_t header = 64, least = 4096, page = 4096, segment_bytes = std::size_t{256} << 20U;

  // Null if the system has no more.
  void* allocate(std::size_t bytes) {
    if (bytes > std::size_t{1} << 46U) return nullptr;
    const std::size_t need = round_up(bytes, memory_alignment) + header;
    const std::lock_guard lock(mutex_);
    Block* block = best_fit(need);
    if (!block && need > segment_bytes) release();  // idle segments of other great sizes
    if (!block && (grow(std::max(need + header, segment_bytes)) || grow(need + header))) block = best_fit(need);
    if (!block) {
      release();
      if (grow(need + header)) block = best_fit(need);
    }
    return block ? take(block, need) : nullptr;
  }

  void deallocate(void* memory) noexcept {
    const std::lock_guard lock(mutex_);
    auto* block = reinterpret_cast<Block*>(static_cast<std::byte*>(memory) - header);
    live_ -= block->bytes;
    if (Block* next = after(block); next && next->free) {
      unlink(next);
      absorb(block, next);
    }
    if (Block* previous = block->before; previous && previous->free) {
      unlink(previous);
      absorb(previous, block);
      block = previous;
    }
    link(block);
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    std::size_t touched = 0;
    for (const Segment* segment = segments_; segment; segment = segment->next) touched += segment->touched - header;
    return {live_, touched - live_};
  }

  void release_cached() {
    const std::lock_guard lock(mutex_);
    release();
  }

 private:
  struct Segment {
    Segment* next;
    std::size_t bytes, touched;  // touched: up to where blocks were ever handed out
  };
  struct Block {
    std::size_t bytes;  // header included
    Block* before;      // the neighbour in memory; null for a segment's first
    Segment* segment;
    Block *next, *previous;  // in the free list
    bool free;
  };
  static_assert(sizeof(Block) <= header && sizeof(Segment) <= header);

  static std::byte* address(void* object) { return static_cast<std::byte*>(object); }

  static Block* after(Block* block) {
    std::byte* end = address(block) + block->bytes;
    return end == address(block->segment) + block->segment->bytes ? nullptr : reinterpret_cast<Block*>(end);
  }

  static void absorb(Block* block, Block* next) {
    block->bytes += next->bytes;
    if (Block* beyond = after(block)) beyond->before = block;
  }

  // Free lists by size: four to a doubling.
  static std::size_t list_of(std::size_t bytes) {
    const auto top = static_cast<std::size_t>(std::bit_width(bytes)) - 1;
    return top * 4 + ((bytes >> (top - 2)) & 3U);
  }

  void link(Block* block) {
    const std::size_t list = list_of(block->bytes);
    block->free = true;
    block->previous = nullptr;
    block->next = lists_[list];
    if (block->next) block->next->previous = block;
    lists_[list] = block;
  }

  void unlink(Block* block) {
    block->free = false;
    if (block->next) block->next->previous = block->previous;
    (block->previous ? block->previous->next : lists_[list_of(block->bytes)]) = block->next;
  }

  // The smallest free block that holds `need`; of equals the lowest address, so that the rest stays whole.
  Block* best_fit(std::size_t need) {
    for (std::size_t list = list_of(need); list < lists_.size(); ++list) {
      Block* best = nullptr;
      for (Block* block = lists_[list]; block; block = block->next)
        if (block->bytes >= need &&
            (!best || block->bytes < best->bytes || (block->bytes == best->bytes && block < best)))
          best = block;
      if (best) return best;
    }
    return nullptr;
  }

  void* take(Block* block, std::size_t need) {
    unlink(block);
    if (block->bytes - need >= least) {
      Block* rest =
          new (address(block) + need) Block{block->bytes - need, block, block->segment, nullptr, nullptr, false};
      block->bytes = need;
      if (Block* beyond = after(rest)) beyond->before = rest;
      link(rest);
    }
    live_ += block->bytes;
    const auto end = static_cast<std::size_t>(address(block) - address(block->segment)) + block->bytes;
    block->segment->touched = std::max(block->segment->touched, end);
    return address(block) + header;
  }

  bool grow(std::size_t bytes) {
    bytes = round_up(bytes, page);
    void* memory = map_memory(bytes);
    if (!memory) return false;
    segments_ = new (memory) Segment{segments_, bytes, header};
    link(new (address(memory) + header) Block{bytes - header, nullptr, segments_, nullptr, nullptr, false});
    return true;
  }

  void release() {
    for (Segment** slot = &segments_; *slot;) {
      Segment* segment = *slot;
      Block* block = reinterpret_cast<Block*>(address(segment) + header);
      if (block->free && !after(block)) {
        unlink(block);
        *slot = segment->next;
        unmap_memory(segment, segment->bytes, false);
        continue;
      }
      for (; block; block = after(block)) {
        if (!block->free) continue;
        const auto begin = static_cast<std::size_t>(address(block) - address(segment));
        const std::size_t first = round_up(begin + header, page), last = (begin + block->bytes) / page * page;
        if (first < last) unmap_memory(address(segment) + first, last - first, true);
        if (!after(block)) segment->touched = std::min(segment->touched, begin);
      }
      slot = &segment->next;
    }
  }

  std::mutex mutex_;
  Segment* segments_ = nullptr;
  std::array<Block*, 256> lists_{};
  std::size_t live_ = 0;
};

// The free list of one class of small blocks.
class SmallHeap {
 public:
  static constexpr std::size_t most = 32768;  // bytes of a small block
  static constexpr std::size_t classes = 36;  // steps of 64 up to 1024, then four to a doubling

  static std::size_t class_of(std::size_t bytes) {
    if (bytes <= 1024) return bytes == 0 ? 0 : (bytes - 1) / 64;
    const auto top = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
    return 16 + (top - 10) * 4 + (((bytes - 1) >> (top - 2)) & 3U);
  }
  static constexpr std::size_t bytes_of(std::size_t index) {
    return index < 16 ? (index + 1) * 64 : (index % 4 + 5) << (index / 4 + 4);
  }

  // Null if `large` has no more.
  void* allocate(std::size_t bytes, LargeHeap& large) {
    lock();
    void* memory = free_;
    if (memory) {
      std::memcpy(&free_, memory, sizeof free_);
    } else if (fresh_ != fresh_end_ || refill(bytes, large)) {
      memory = fresh_;
      fresh_ += bytes;
    }
    live_ += memory ? 1 : 0;
    unlock();
    return memory;
  }

  void deallocate(void* memory) noexcept {
    lock();
    std::memcpy(memory, &free_, sizeof free_);
    free_ = memory;
    --live_;
    unlock();
  }

  // Blocks handed out, and made.
  std::array<std::size_t, 2> counts() {
    lock();
    const std::array result = {live_, made_};
    unlock();
    return result;
  }

 private:
  // A spin lock: it is held for a few instructions, and is nearly always free.
  void lock() {
    for (int tries = 0; locked_.exchange(true, std::memory_order_acquire); ++tries)
      if (tries > 100) std::this_thread::yield();
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

  bool refill(std::size_t bytes, LargeHeap& large) {
    const std::size_t count = std::max<std::size_t>(8, 32768 / bytes);
    fresh_ = static_cast<std::byte*>(large.allocate(count * bytes));
    fresh_end_ = fresh_ ? fresh_ + count * bytes : nullptr;
    made_ += fresh_ ? count : 0;
    return fresh_ != nullptr;
  }

  std::atomic<bool> locked_ = false;
  void* free_ = nullptr;  // each free block begins with the address of the next
  std::byte *fresh_ = nullptr, *fresh_end_ = nullptr;
  std::size_t live_ = 0, made_ = 0;
};

}  // namespace detail

}  // namespace atom

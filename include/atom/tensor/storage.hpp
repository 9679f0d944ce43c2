// SPDX-License-Identifier: Apache-2.0
// Storage<D>: one block of device memory with a count of its owners and a version that every overwrite raises.
#pragma once

#include "../backend/memory.hpp"
#include "../core/ref.hpp"

#include <atomic>
#include <new>

namespace atom {

template <class D> class Storage {
 public:
  // Uninitialised memory. Error: `[memory] out of memory ...`.
  static Ref<Storage> create(D device, std::size_t bytes) {
    void* memory = host_allocate(sizeof(Storage));
    try {
      return Ref<Storage>::adopt(new (memory) Storage(device, bytes));
    } catch (...) {
      host_deallocate(memory, sizeof(Storage));
      throw;
    }
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  D device() const { return device_; }
  bool unique() const { return owners_.load(std::memory_order_acquire) == 1; }

  std::uint64_t version() const { return version_; }
  void overwritten() { ++version_; }

  void retain() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

 private:
  Storage(D device, std::size_t bytes) : data_(allocate(device, bytes)), bytes_(bytes), device_(device) {}
  [[gnu::noinline]] void destroy() noexcept {
    this->~Storage();
    host_deallocate(this, sizeof(Storage));
  }
  ~Storage() { deallocate(device_, data_, bytes_); }

  void* data_;
  std::size_t bytes_;
  D device_;
  std::uint64_t version_ = 0;
  std::atomic<int> owners_ = 1;
};

}  // namespace atom

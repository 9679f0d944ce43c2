// SPDX-License-Identifier: Apache-2.0
// Memory that is a mapped file: what its owner ends with, and how pages go back that are read no more.
#pragma once

#include "types.hpp"

#include <sys/mman.h>

#include <memory>
#include <span>

namespace atom::detail {

// The deleter of a std::shared_ptr to a whole mapping.
struct Unmap {
  std::size_t size;
  void operator()(const std::byte* at) const { ::munmap(const_cast<std::byte*>(at), size); }
};

// Where `owner` is a mapping: its pages within `bytes` need no memory until they are read again.
inline void give_back_pages(const std::shared_ptr<const void>& owner, std::span<const std::byte> bytes) {
  constexpr std::uintptr_t page = 4096;  // a multiple of it where pages are larger: the system then refuses
  if (!std::get_deleter<Unmap>(owner)) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()), end = begin + bytes.size();
  const std::uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace atom::detail

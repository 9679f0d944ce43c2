// SPDX-License-Identifier: Apache-2.0
// Meta: a device without memory. Its tensors have shapes and no values, so that a model of any size can be laid out and
// counted; no kernel runs on it.
#pragma once

#include "../core/view.hpp"

namespace atom {

struct Meta {
  static constexpr const char* name = "meta";
  friend bool operator==(Meta, Meta) { return true; }
};

inline void* allocate(Meta, std::size_t) { return nullptr; }
inline void deallocate(Meta, void*, std::size_t) {}
inline void fill_zero(Meta, void*, std::size_t) {}
inline void copy_from_host(Meta, void*, const void*, std::size_t) {}
template <class T, class F> void pointwise_indexed(Meta, View<T>, const F&) {}

}  // namespace atom

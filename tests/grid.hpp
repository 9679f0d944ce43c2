// SPDX-License-Identifier: Apache-2.0
// test::Grid: a device that runs the kernels of backend/cuda on the host, one call after another, so that their text is
// checked where there is no GPU. Its memory is the host's.
#pragma once

#include <atom/backend/cuda/adamw.cuh>
#include <atom/backend/cuda/attention.cuh>
#include <atom/backend/cuda/check_ids.cuh>
#include <atom/backend/cuda/cross_entropy.cuh>
#include <atom/backend/cuda/dequantise.cuh>
#include <atom/backend/cuda/embedding.cuh>
#include <atom/backend/cuda/experts.cuh>
#include <atom/backend/cuda/gemm_grid.cuh>
#include <atom/backend/cuda/grouped_gemm.cuh>
#include <atom/backend/cuda/norm.cuh>
#include <atom/backend/cuda/pointwise.cuh>
#include <atom/backend/cuda/reduce.cuh>
#include <atom/backend/cuda/rope.cuh>
#include <atom/backend/cuda/softmax.cuh>
#include <atom/backend/memory.hpp>

namespace test {

using atom::Index;

struct Grid : atom::OnGrid {
  static constexpr const char* name = "grid";

  atom::IdFault* fault() const {
    static atom::IdFault found;
    return &found;
  }
  friend bool operator==(Grid, Grid) { return true; }
};

template <class F> void for_each(Grid, Index n, const F& f, Index /*grain*/ = 0) {
  for (Index i = 0; i < n; ++i) f(i);
}

inline void* allocate(Grid, std::size_t bytes) { return atom::host_allocate(bytes); }
inline void deallocate(Grid, void* memory, std::size_t bytes) noexcept { atom::host_deallocate(memory, bytes); }
inline void copy(Grid, void* to, const void* from, std::size_t bytes) { copy(atom::Cpu{}, to, from, bytes); }
inline void copy_from_host(Grid, void* to, const void* from, std::size_t bytes) { copy(atom::Cpu{}, to, from, bytes); }
inline void fill_zero(Grid, void* to, std::size_t bytes) { fill_zero(atom::Cpu{}, to, bytes); }
inline atom::MemoryStats memory_stats(Grid) { return memory_stats(atom::Cpu{}); }
inline void release_cached(Grid) { release_cached(atom::Cpu{}); }

// The only way to see a result, and so where the device is waited for.
inline void copy_to_host(Grid device, void* to, const void* from, std::size_t bytes) {
  copy(atom::Cpu{}, to, from, bytes);
  report(std::exchange(*device.fault(), {}));
}

template <class T> void gemm(Grid device, const atom::GemmShape& shape, std::type_identity_t<atom::GemmInput<T>> a,
                             std::type_identity_t<atom::GemmInput<T>> b, atom::GemmOutput<T> c, bool accumulate = false,
                             const std::type_identity_t<atom::GemmEpilogue<T>>& epilogue = {}) {
  atom::detail::gemm_with(device, shape, c, accumulate, epilogue, [&](const atom::GemmOutput<T>& to, bool add) {
    for_each(device, shape.batch * shape.m * shape.n, atom::detail::GemmElement<T>{shape, a, b, to, add});
  });
}

// What the device tests compare with the processor: the GPU where nvcc compiles them, else its kernels on the host.
using OtherDevice = std::conditional_t<std::is_same_v<atom::Device, atom::Cpu>, Grid, atom::Device>;

}  // namespace test

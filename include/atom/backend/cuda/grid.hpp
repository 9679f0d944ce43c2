// SPDX-License-Identifier: Apache-2.0
// Kernels as functors over a grid: f(i) computes output i and nothing else. Cuda runs them one thread each; the tests
// run the same text in a loop on the host, so that every kernel is checked where there is no GPU. Files of this folder
// that need the CUDA toolkit are context, memory, for_each and gemm; the others compile everywhere.
#pragma once

#include "../../core/view.hpp"

namespace atom {

// A device with `for_each(D, Index n, const F& f)`, `IdFault* D::fault() const` and the functions of
// backend/memory.hpp.
template <class D>
concept GridDevice = D::is_grid;
// What such a device in another namespace derives from, so that the kernels of this one are found for it.
struct OnGrid {
  static constexpr bool is_grid = true;
};

// What check_ids found first.
struct IdFault {
  std::string_view where;
  std::int32_t found = 0, set = 0;
  Index limit = 0;
};
// Error if it found something: what a device does with its fault once it has waited for it.
inline void report(const IdFault& fault) {
  check(fault.set == 0, fault.where, "id out of range: found ", fault.found, ", expected 0..", fault.limit - 1);
}

namespace detail {

// The offset of element i, in row-major order of `shape`, under `strides`.
ATOM_HD Index offset_of(const Shape& shape, const Strides& strides, Index i) {
  Index offset = 0;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    offset += i % shape[axis] * strides[axis];
    i /= shape[axis];
  }
  return offset;
}

// Device memory for the length of a call.
template <class T, GridDevice D> class GridScratch {
 public:
  GridScratch(D device, Index count)
      : device_(device),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(static_cast<T*>(allocate(device, bytes_))) {}
  GridScratch(const GridScratch&) = delete;
  GridScratch& operator=(const GridScratch&) = delete;
  ~GridScratch() { deallocate(device_, data_, bytes_); }

  T* data() const { return data_; }

 private:
  D device_;
  std::size_t bytes_;
  T* data_;
};

}  // namespace detail
}  // namespace atom

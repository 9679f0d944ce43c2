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

// What check_ids found, reported at the device's next synchronisation.
struct IdFault {
  std::int32_t found = 0, set = 0;
  Index limit = 0;
};

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

}  // namespace detail
}  // namespace atom

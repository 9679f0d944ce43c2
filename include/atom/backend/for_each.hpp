// SPDX-License-Identifier: Apache-2.0
// A kernel of your own, as one functor for both backends: for_each(device, n, f) calls f(i) for each i of 0..n-1, in
// any order and at the same time. The functor holds pointers into the device's memory and a few numbers:
//   struct Axpy { float a; const float* x; float* y; ATOM_HD void operator()(Index i) const { y[i] += a * x[i]; } };
// Calls must not write what another reads. Scalar code: for speed on the processor, use pointwise.
#pragma once

#include "device.hpp"
#if ATOM_CUDA
#include "cuda/for_each.cuh"
#endif

namespace atom {

// `grain`: how many calls are worth a thread's while; lower it when each does much.
template <class F> void for_each(Cpu device, Index n, const F& f, Index grain = 2048) {
  device.pool().parallel_for((n + grain - 1) / grain, [&](Index chunk) {
    const Index end = std::min(n, (chunk + 1) * grain);
    for (Index i = chunk * grain; i < end; ++i) f(i);
  });
}

}  // namespace atom

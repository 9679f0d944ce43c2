// SPDX-License-Identifier: Apache-2.0
// for_each on the GPU: a grid-stride loop, one call of the functor per element.
#pragma once

#include "context.cuh"

namespace atom {

namespace detail {
template <class F> __global__ void grid_loop(Index n, F f) {
  const Index step = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}
}  // namespace detail

template <class F> void for_each(Cuda device, Index n, const F& f, Index /*grain*/ = 0) {
  if (n == 0) return;
  CudaContext& context = device.context();
  context.activate();
  constexpr Index block = 256;
  const Index blocks = std::min<Index>((n + block - 1) / block, 65535);
  detail::grid_loop<<<static_cast<unsigned>(blocks), block, 0, context.stream>>>(n, f);
  check_cuda(cudaGetLastError(), "a kernel could not start");
}

}  // namespace atom

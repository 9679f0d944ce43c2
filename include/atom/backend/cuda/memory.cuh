// SPDX-License-Identifier: Apache-2.0
// Memory of a GPU (contract: backend/memory.hpp), from the driver's stream-ordered pool, which keeps what is freed.
#pragma once

#include "../memory.hpp"
#include "context.cuh"

namespace atom {

namespace detail {
inline cudaMemPool_t memory_pool(Cuda device) {
  cudaMemPool_t pool = nullptr;
  check_cuda(cudaDeviceGetDefaultMemPool(&pool, device.ordinal), "no memory pool");
  return pool;
}
}  // namespace detail

inline void* allocate(Cuda device, std::size_t bytes) {
  CudaContext& context = device.context();
  context.activate();
  void* memory = nullptr;
  const cudaError_t status = cudaMallocAsync(&memory, std::max<std::size_t>(bytes, 1), context.stream);
  check(status == cudaSuccess, "memory", "out of memory: ", bytes, " bytes wanted on GPU ", device.ordinal, ": ",
        std::string_view(cudaGetErrorString(status)));
  return memory;
}
inline void deallocate(Cuda device, void* memory, std::size_t) noexcept {
  if (memory) static_cast<void>(cudaFreeAsync(memory, device.context().stream));
}
inline void copy(Cuda device, void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, device.context().stream), "copy");
}
inline void copy_to_host(Cuda device, void* to, const void* from, std::size_t bytes) {
  CudaContext& context = device.context();
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context.stream), "copy to the host");
  context.synchronise();
}
inline void copy_from_host(Cuda device, void* to, const void* from, std::size_t bytes) {
  CudaContext& context = device.context();
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, context.stream), "copy from the host");
  check_cuda(cudaStreamSynchronize(context.stream), "copy from the host");
}
inline void fill_zero(Cuda device, void* to, std::size_t bytes) {
  CudaContext& context = device.context();
  context.activate();
  check_cuda(cudaMemsetAsync(to, 0, bytes, context.stream), "fill");
}
inline MemoryStats memory_stats(Cuda device) {
  std::uint64_t used = 0, reserved = 0;
  const cudaMemPool_t pool = detail::memory_pool(device);
  check_cuda(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), "memory statistics");
  check_cuda(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "memory statistics");
  return {static_cast<std::size_t>(used), static_cast<std::size_t>(reserved - used)};
}
inline void release_cached(Cuda device) {
  device.context().synchronise();
  check_cuda(cudaMemPoolTrimTo(detail::memory_pool(device), 0), "release memory");
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Cuda: the tag of an NVIDIA GPU, and what the process holds for each one: a stream and a cuBLAS handle.
#pragma once

#include "../../core/error.hpp"
#include "grid.hpp"

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <map>
#include <mutex>

namespace atom {

// Error `[cuda] ...` unless the call succeeded.
inline void check_cuda(cudaError_t status, const char* what) {
  check(status == cudaSuccess, "cuda", what, ": ", static_cast<const char*>(cudaGetErrorString(status)));
}
inline void check_cublas(cublasStatus_t status, const char* what) {
  check(status == CUBLAS_STATUS_SUCCESS, "cuda", what, ": ", static_cast<const char*>(cublasGetStatusString(status)));
}

// GPUs that can be used: 0 without a driver.
inline int cuda_device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // the error is sticky otherwise
    return 0;
  }
  return count;
}

struct CudaContext;

struct Cuda {
  static constexpr const char* name = "cuda";
  static constexpr bool is_grid = true;
  int ordinal = 0;

  CudaContext& context() const;
  IdFault* fault() const;
  friend bool operator==(Cuda a, Cuda b) { return a.ordinal == b.ordinal; }
};

// Never destroyed: tensors of any lifetime free into it, and CUDA is gone before static objects are.
struct CudaContext {
  explicit CudaContext(int device) : ordinal(device) {
    check(device >= 0 && device < cuda_device_count(), "cuda", "no such GPU: found ", cuda_device_count(),
          ", wanted number ", device);
    activate();
    check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cannot create a stream");
    check_cublas(cublasCreate(&blas), "cannot start cuBLAS");
    check_cublas(cublasSetStream(blas, stream), "cannot set the stream");
    check_cublas(cublasSetMathMode(blas, CUBLAS_PEDANTIC_MATH), "cannot set the math mode");
    check_cuda(cudaMallocManaged(reinterpret_cast<void**>(&fault), sizeof(IdFault)), "cannot allocate");
    *fault = {};
    cudaMemPool_t pool = nullptr;
    std::uint64_t keep_all = ~std::uint64_t{0};
    check_cuda(cudaDeviceGetDefaultMemPool(&pool, ordinal), "no memory pool");
    check_cuda(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all), "cannot keep memory");
  }
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  void activate() const { check_cuda(cudaSetDevice(ordinal), "cannot use the GPU"); }
  // Waits for all work. Errors: what a kernel found wrong; a failed kernel.
  void synchronise() {
    check_cuda(cudaStreamSynchronize(stream), "a kernel failed");
    report(std::exchange(*fault, {}));
  }

  int ordinal;
  cudaStream_t stream = nullptr;
  cublasHandle_t blas = nullptr;
  IdFault* fault = nullptr;
};

inline CudaContext& Cuda::context() const {
  static std::mutex mutex;
  static auto& contexts = *new std::map<int, CudaContext>;
  const std::lock_guard lock(mutex);
  return contexts.try_emplace(ordinal, ordinal).first->second;
}

inline IdFault* Cuda::fault() const { return context().fault; }

}  // namespace atom

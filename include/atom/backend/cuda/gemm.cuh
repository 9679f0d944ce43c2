// SPDX-License-Identifier: Apache-2.0
// The matrix product on the GPU (contract: backend/gemm.hpp): cuBLAS, then one pass for bias, activation and residual.
// The order of a sum is cuBLAS's: run-to-run equal bits on one GPU and version, not the processor's.
#pragma once

#include "for_each.cuh"
#include "gemm_grid.cuh"

namespace atom {

template <class T> void gemm(Cuda device, const GemmShape& shape, std::type_identity_t<GemmInput<T>> a,
                             std::type_identity_t<GemmInput<T>> b, GemmOutput<T> c, bool accumulate = false,
                             const std::type_identity_t<GemmEpilogue<T>>& epilogue = {}) {
  CudaContext& context = device.context();
  context.activate();
  constexpr Index most = std::numeric_limits<int>::max();
  check(shape.m <= most && shape.n <= most && shape.k <= most && shape.batch <= most, "matmul",
        "sizes are at most 2^31 - 1: found ", shape.m, ", ", shape.n, ", ", shape.k, ", batch ", shape.batch);
  const auto as_int = [](Index value) { return static_cast<int>(value); };
  const auto lead = [&](Index ld) { return as_int(std::max<Index>(ld, 1)); };
  // cuBLAS counts columns first, so it sees every matrix transposed: Cᵀ = Bᵀ Aᵀ.
  const auto form = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const auto multiply = [&](const GemmOutput<T>& to, bool add) {
    const T one = 1, beta = add ? T(1) : T(0);
    const auto call = [&](auto function) {
      check_cublas(function(context.blas, form(b.transposed), form(a.transposed), as_int(shape.n), as_int(shape.m),
                            as_int(shape.k), &one, b.data, lead(b.ld), b.batch_stride, a.data, lead(a.ld),
                            a.batch_stride, &beta, to.data, lead(to.ld), to.batch_stride, as_int(shape.batch)),
                   "matrix product");
    };
    if constexpr (std::is_same_v<T, double>)
      call(cublasDgemmStridedBatched);
    else
      call(cublasSgemmStridedBatched);
  };
  detail::gemm_with(device, shape, c, accumulate, epilogue, multiply);
}

}  // namespace atom

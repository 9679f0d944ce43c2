// SPDX-License-Identifier: Apache-2.0
// Contract of the grouped matrix product: rows in groups, each group with a matrix of its own, as the experts of a
// mixture have it. Group g has the rows offsets[g]..offsets[g+1]-1; any group may be empty, or have all rows.
//
//   void grouped_gemm(D, const GroupedRows&, const T* x, const T* weight, const T* bias, T* y)
//     y = x weight[g]^T + bias[g];   bias may be null
//   void grouped_gemm_input(D, const GroupedRows&, const T* dy, const T* weight, T* dx, bool accumulate)
//     dx = dy weight[g]
//   void grouped_gemm_weight(D, const GroupedRows&, const T* dy, const T* x, T* dweight, bool accumulate)
//     dweight[g] = dy^T x over the rows of g: 0 for an empty group
//   void grouped_sum_rows(D, const GroupedRows&, const T* dy, T* dbias, bool accumulate)
//     dbias[g] = the sum of the rows of g
//
// x, dx (rows, in); y, dy (rows, out); weight, dweight (groups, out, in); bias, dbias (groups, out): all dense, T float
// or double. With `accumulate` the result is added to what is there. Elements of products have the bits that gemm gives
// them: a row alone has those it has in any group.
#pragma once

#include "device.hpp"

namespace atom {

struct GroupedRows {
  Index rows = 0, groups = 0, out = 0, in = 0;
  const std::int32_t* offsets = nullptr;  // (groups + 1), ascending from 0 to rows, in the device's memory
};

}  // namespace atom

#include "cpu/grouped_gemm.hpp"
#if ATOM_CUDA
#include "cuda/grouped_gemm.cuh"
#endif

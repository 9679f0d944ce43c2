// SPDX-License-Identifier: Apache-2.0
// Contract of reductions over one group of axes. x is dense (outer, n, inner); y is dense (outer, inner).
//
//   void reduce_sum(D, Index outer, Index n, Index inner, const T* x, T* y, bool accumulate = false)
//   void reduce_squares(D, outer, n, inner, x, y, accumulate = false)      the sum of x^2
//   void reduce_max(D, outer, n, inner, x, y)                              x without NaN; -infinity for n = 0
//   void argmax(D, outer, n, inner, x, std::int32_t* y)                    the first of equals; 1 <= n < 2^31
//   void sum_rows(D, Index rows, Index n, const T* x, T* y, bool accumulate)   y[j] = sum over i of x[i, j]
//   void reduce_to(D, View<T> out, View<const T> in)
//     the gradient of a broadcast: sums `in` over the axes along which `out` has extent 1 or no axis. Both dense.
//
// T is float or double. With `accumulate` the sum is added to y, else it overwrites. x and y do not overlap. Sums have
// one order, a function of n and inner alone: sixteen lanes over blocks, blocks in sequence, pieces of constant length.
#pragma once

#include "cpu/reduce.hpp"
#if ATOM_CUDA
#include "cuda/reduce.cuh"
#endif

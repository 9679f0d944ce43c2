// SPDX-License-Identifier: Apache-2.0
// Contract of softmax and log-softmax over rows of n contiguous elements. A row's bits depend on that row alone.
//
//   void softmax_forward(D, Index rows, Index n, const T* x, T* y)                         y may be x
//   void softmax_backward(D, Index rows, Index n, const T* y, const T* dy, T* dx)          dx may be dy
//   void log_softmax_forward(D, Index rows, Index n, const T* x, T* y)                     y may be x
//   void log_softmax_backward(D, Index rows, Index n, const T* y, const T* dy, T* dx)      dx may be dy
//
// All are (rows, n) and dense. The greatest element is subtracted first, so no finite input overflows; -inf becomes 0
// (log: -inf). A row of nothing but -inf is NaN.
#pragma once

#include "cpu/softmax.hpp"
#if ATOM_CUDA
#include "cuda/softmax.cuh"
#endif

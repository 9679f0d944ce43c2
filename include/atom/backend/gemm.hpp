// SPDX-License-Identifier: Apache-2.0
// Contract of the matrix product, alone and over a batch, with what a linear layer does to the result in the same pass.
//   s = A B  (m, k) x (k, n);   s = C + s if accumulate;   v = s + bias;   pre = v;   C = activation(v) + residual
// Each element of A B is a sum of blocks, gemm_block elements of k each, in ascending order; a block is one chain of
// fma in ascending order, begun at 0. (One chain over all of k would lose a few bits where k is large.) Its bits depend
// on neither m, n, its place, the batch, threads nor tiling, and a row alone has the bits it has in any matrix.
#pragma once

#include "../policy/activation.hpp"
#include "device.hpp"

namespace atom {

inline constexpr Index gemm_block = 256;

struct GemmShape {
  Index m = 0, n = 0, k = 0;  // any may be 0; with k = 0 the product is 0
  Index batch = 1;            // products
};

// Rows of a matrix, the elements of a row side by side. Rows may overlap only in what is read.
template <class T> struct GemmInput {
  const T* data = nullptr;
  Index ld = 0;             // from row to row, in elements
  Index batch_stride = 0;   // from product to product; 0: all use the same matrix
  bool transposed = false;  // the rows are the columns of the operand: A is stored (k, m), B (n, k)
};

template <class T> struct GemmOutput {
  T* data = nullptr;  // (m, n); overlaps no input but the residual, which may be the same elements
  Index ld = 0;
  Index batch_stride = 0;
};

// All parts are optional. The same bias serves every row and product.
template <class T> struct GemmEpilogue {
  const T* bias = nullptr;  // (n)
  GemmOutput<T> pre = {};   // (m, n): receives the value before the activation, for the backward pass
  Activation activation = Activation::none;
  GemmInput<T> residual = {};  // (m, n), not transposed
};

// void gemm(D, const GemmShape&, GemmInput<T> a, GemmInput<T> b, GemmOutput<T> c, bool accumulate = false,
//           const GemmEpilogue<T>& = {})       T = float or double

}  // namespace atom

#include "cpu/gemm.hpp"
#if ATOM_CUDA
#include "cuda/gemm.cuh"
#endif

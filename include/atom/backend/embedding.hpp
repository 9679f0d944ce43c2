// SPDX-License-Identifier: Apache-2.0
// Contract of table lookup and its gradient.
//
//   void embedding_forward(D, Index n, Index channels, const TokenId* ids, const W* weight, T* y)
//     y (n, channels) = rows ids[i] of weight (v, channels). W: T itself, or bfloat16 or half read as T.
//   void embedding_backward(D, Index n, Index channels, const TokenId* ids, const T* dy, T* dweight)
//     dweight (v, channels) += rows of dy, each element's terms added in the order of i.
//
// ids are in range: check_ids() comes first.
#pragma once

#include "cpu/embedding.hpp"
#if ATOM_CUDA
#include "cuda/embedding.cuh"
#endif

// SPDX-License-Identifier: Apache-2.0
// Contract of the cross entropy of logits (n, v) against target ids (n), and of its gradient.
//   loss[i] = log(sum_j exp(logits[i, j])) - logits[i, targets[i]],   0 where targets[i] == ignored
// A row's bits depend on that row alone. Targets are in range: check_ids() comes first.
#pragma once

#include "device.hpp"

namespace atom {

template <class T> struct CrossEntropyForward {
  Index n = 0, v = 0;
  const T* logits = nullptr;         // (n, v)
  const TokenId* targets = nullptr;  // (n)
  TokenId ignored = -100;
  T* loss = nullptr;         // (n)
  T* log_sum = nullptr;      // (n): log(sum_j exp(logits[i, j])), 0 in ignored rows; or null
  T* dlogits = nullptr;      // (n, v), may be logits: (softmax - onehot) * scale[0], 0 in ignored rows; or null
  const T* scale = nullptr;  // (1), read where dlogits is wanted
};

template <class T> struct CrossEntropyBackward {
  Index n = 0, v = 0;
  const T* logits = nullptr;         // (n, v)
  const T* log_sum = nullptr;        // (n), from the forward pass
  const TokenId* targets = nullptr;  // (n)
  TokenId ignored = -100;
  const T* scale = nullptr;  // (1), a factor
  const T* dloss = nullptr;  // the gradient of loss[i] is dloss[i * dloss_stride]
  Index dloss_stride = 0;    // 0: one value for all rows
  T* dlogits = nullptr;      // (n, v), overwritten, may be logits
};

// void cross_entropy_forward(D, const CrossEntropyForward<T>&)
// void cross_entropy_backward(D, const CrossEntropyBackward<T>&)
// void cross_entropy_scale(D, Index n, const TokenId* targets, TokenId ignored, T normaliser, T* scale)
//   scale[0] = 1 / normaliser; where normaliser is 0, 1 / (number of targets that are not ignored), 0 if there is none.
// void cross_entropy_sum(D, Index n, const T* loss, const T* scale, T* total)
//   total[0] = scale[0] * the sum of loss in one fixed order.

}  // namespace atom

#include "cpu/cross_entropy.hpp"
#if ATOM_CUDA
#include "cuda/cross_entropy.cuh"
#endif

// SPDX-License-Identifier: Apache-2.0
// Contract of the AdamW update (Loshchilov and Hutter 2019, in PyTorch's form) and of the norm that clipping needs.
//   g = gradient_scale * gradient
//   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g g
//   weight = weight (1 - lr * weight_decay * decay) - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
// A first moment below 1e-30 becomes 0: without gradients it would turn denormal, and denormals are slow.
#pragma once

#include "../core/shape.hpp"
#include "device.hpp"

namespace atom {

// A run of one parameter's elements; any order and length, the result is the same.
template <class T> struct AdamWSegment {
  T* weight;
  const T* gradient;
  T *m, *v;
  Index count;
  T decay;  // share of the step's weight_decay that applies: 0 or 1
};

template <class T> struct AdamWStep {
  T lr, beta1, beta2, eps, weight_decay;
  T correction1, correction2;  // 1 - beta1^t, 1 - beta2^t
  T gradient_scale;
};

// void adamw(D, std::span<const AdamWSegment<T>> segments, const AdamWStep<T>& step)
// double squared_norm(D, const T* x, Index n)      sum of x[i]^2 in one fixed order; waits for the device

}  // namespace atom

#include "cpu/adamw.hpp"
#if ATOM_CUDA
#include "cuda/adamw.cuh"
#endif

// SPDX-License-Identifier: Apache-2.0
// Contract of the row norms: layer norm (centred) and rms norm (not), over rows of `channels` contiguous elements.
//   y = (x - mean) * rstd * (weight + weight_offset) + bias,   rstd = 1 / sqrt(mean((x - mean)^2) + eps)
// where mean = 0 unless centred. A row's bits depend on that row alone.
// Layer norm: Ba et al. 2016; rms norm: Zhang and Sennrich 2019; an offset of 1 is Gemma's.
#pragma once

#include "device.hpp"

namespace atom {

template <class T> struct NormForward {
  Index rows = 0, channels = 0;
  bool centred = false;
  T eps = 0;
  T weight_offset = 0;
  const T* x = nullptr;       // (rows, channels)
  const T* weight = nullptr;  // (channels), or null: the factor is 1
  const T* bias = nullptr;    // (channels), or null
  T* y = nullptr;             // (rows, channels), may be x
  T* mean = nullptr;          // (rows), saved for the backward pass; null where not wanted
  T* rstd = nullptr;          // (rows), the same
};

template <class T> struct NormBackward {
  Index rows = 0, channels = 0;
  bool centred = false;
  T weight_offset = 0;
  const T* x = nullptr;       // (rows, channels)
  const T* weight = nullptr;  // (channels), or null
  const T* mean = nullptr;    // (rows) from the forward pass; unread unless centred
  const T* rstd = nullptr;    // (rows) from the forward pass
  const T* dy = nullptr;      // (rows, channels)
  T* dx = nullptr;            // (rows, channels); null where not wanted, as the next two
  T* dweight = nullptr;       // (channels)
  T* dbias = nullptr;         // (channels)
  bool accumulate = false;    // add to the gradients instead of overwriting them
};

// void norm_forward(D, const NormForward<T>&)
// void norm_backward(D, const NormBackward<T>&)    sums over rows in one fixed order

}  // namespace atom

#include "cpu/norm.hpp"
#if ATOM_CUDA
#include "cuda/norm.cuh"
#endif

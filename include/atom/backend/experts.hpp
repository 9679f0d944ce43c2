// SPDX-License-Identifier: Apache-2.0
// Contract of moving rows to their experts and back. Each of n rows is assigned to k experts; a place is an assignment
// in the order of experts, places of one expert in the order of rows and then of columns of ids.
//
//   void expert_order(D, Index n, Index k, Index experts, const std::int32_t* ids, std::int32_t* offsets,
//                     std::int32_t* row, std::int32_t* place, std::int32_t* choice)
//     ids (n, k), in range: check_ids() comes first. Writes offsets (experts + 1): where the places of each expert
//     begin, and n k; row (n k): of each place; place (n, k): those of each row, ascending; choice (n, k): the column
//     of ids of each of them. n k < 2^31.
//   void expert_spread(D, const ExpertPlaces<T>&, const T* x, T* y, bool accumulate)    y[place] = weight * x[row]
//   void expert_collect(D, const ExpertPlaces<T>&, const T* y, const T* residual, T* x, bool accumulate)
//     x[row] = sum over its places, ascending, of weight * y[place], one chain of fma begun at 0; + residual[row],
//     which may be null
//   void expert_dots(D, const ExpertPlaces<T>&, const T* x, const T* y, T* dweights, bool accumulate)
//     dweights[row, choice] = x[row] . y[place]: sixteen lanes, then one tree
//
// x, residual (n, channels), y (n k, channels), weights, dweights (n, k): dense. With `accumulate` the result is added
// to what is there. The bits of a row, of its places and weights depend on that row alone.
#pragma once

#include "device.hpp"

namespace atom {

template <class T> struct ExpertPlaces {
  Index rows = 0, active = 0, channels = 0;  // n, k
  const std::int32_t* place = nullptr;       // (n, k) of expert_order, as the next
  const std::int32_t* choice = nullptr;
  const T* weights = nullptr;  // (n, k); null: 1 each
};

}  // namespace atom

#include "cpu/experts.hpp"
#if ATOM_CUDA
#include "cuda/experts.cuh"
#endif

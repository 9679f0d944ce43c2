// SPDX-License-Identifier: Apache-2.0
// Contract of the range check of ids (tokens, targets, positions), before any kernel uses them as an index.
//
//   void check_ids(D, std::string_view where, View<const std::int32_t> ids, Index limit, Index ignored = no_id)
//     Error: `[where] id out of range: found 70 at (0, 3), expected 0..64` for the first of the contiguous ids that is
//     neither in 0..limit-1 nor `ignored`.
//
// The processor throws before the kernel runs. A device that works behind the host's back reports the error at its
// next synchronisation, and its kernels stay in bounds until then.
#pragma once

#include "../core/view.hpp"
#include "device.hpp"

namespace atom {

inline constexpr Index no_id = std::numeric_limits<Index>::min();  // no 32-bit id is this

}  // namespace atom

#include "cpu/check_ids.hpp"
#if ATOM_CUDA
#include "cuda/check_ids.cuh"
#endif

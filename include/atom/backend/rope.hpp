// SPDX-License-Identifier: Apache-2.0
// Contract of rotary position embedding: pair i of each head is turned by angle position * frequency[i].
//   (y1, y2) = (x1 cos - x2 sin, x2 cos + x1 sin)        Su et al. 2021 (RoFormer)
// Elements at and after rotated are copied. Turning back by the same angle is the gradient.
#pragma once

#include "../core/view.hpp"
#include "device.hpp"

namespace atom {

// Which elements of a head's first `rotated` form pair i: (i, i + rotated / 2), as Llama and GPT-NeoX store them, or
// (2 i, 2 i + 1), as GPT-J and the paper do.
enum class RopePairing { half_split, interleaved };

template <class T> struct RopeArgs {
  View<const T> x;    // (b, t, h, d), stride 1 along d
  View<T> y;          // (b, t, h, d), stride 1 along d; may be x itself
  Index rotated = 0;  // even, <= d
  RopePairing pairing = RopePairing::half_split;
  bool backward = false;                    // turn by minus the angle
  const T* cosines = nullptr;               // (positions, rotated / 2)
  const T* sines = nullptr;                 // (positions, rotated / 2)
  const std::int32_t* positions = nullptr;  // (b, t) dense, or null: start + t
  Index start = 0;
};

// void apply_rope(D, const RopeArgs<T>&)

}  // namespace atom

#include "cpu/rope.hpp"
#if ATOM_CUDA
#include "cuda/rope.cuh"
#endif

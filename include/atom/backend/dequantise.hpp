// SPDX-License-Identifier: Apache-2.0
// Contract of reading stored weights: a part of a matrix in one of the formats of core/blocks.hpp, as float.
//
//   void dequantise(D, const StoredPart&, T* to)     T = float
//     to (rows, columns), dense: each value as its format defines it; f8_e4m3 times its scale.
//
// The type is f8_e4m3 or one that can_dequantise() knows; ids are in range: check_ids() comes first.
#pragma once

#include "../core/blocks.hpp"
#include "device.hpp"

namespace atom {

namespace detail {

// How many values one Stored holds: what memory of a type is an array of.
template <class Stored> inline constexpr Index values_in = 1;
template <class Stored>
requires requires { Stored::type; }
inline constexpr Index values_in<Stored> = info_of(Stored::type).values;

// f(Stored{}) of the type; not for f8_e4m3.
template <class F> void with_stored(BlockType type, F&& f) {
  switch (type) {
    case BlockType::f32: f(float{}); break;
    case BlockType::f16: f(half{}); break;
    case BlockType::bf16: f(bfloat16{}); break;
    default: with_block(type, f);
  }
}

}  // namespace detail

// Rows first_row + i, or first_row + ids[i] where there are ids, of a matrix in the device's memory.
struct StoredPart {
  BlockType type = BlockType::f32;
  const std::byte* data = nullptr;  // of row 0, aligned for the type
  Index row_bytes = 0;
  const TokenId* ids = nullptr;
  Index first_row = 0, rows = 0;
  Index first_column = 0, columns = 0;  // whole blocks
  // f8_e4m3: (rows, columns) / (scale_rows, scale_columns), rounded up.
  const float* scales = nullptr;
  Index scale_rows = 1, scale_columns = 1, scales_across = 0;

  ATOM_HD Index row(Index i) const { return first_row + (ids ? ids[i] : i); }
  // The part's first block in its row i.
  template <class Stored> ATOM_HD const Stored* values(Index i) const {
    return reinterpret_cast<const Stored*>(data + row(i) * row_bytes) + first_column / detail::values_in<Stored>;
  }
  ATOM_HD const float* row_scales(Index i) const { return scales + row(i) / scale_rows * scales_across; }
};

}  // namespace atom

#include "cpu/dequantise.hpp"
#if ATOM_CUDA
#include "cuda/dequantise.cuh"
#endif

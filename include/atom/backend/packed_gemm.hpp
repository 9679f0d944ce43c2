// SPDX-License-Identifier: Apache-2.0
// Contract of a linear layer over a packed matrix, computed on directly: y = epilogue(x Wᵀ), W (n, k).
//
//   void pack(D, const StoredPart& matrix, std::byte* to)
//     `to` receives packed_bytes(): panels of 48 rows (f32, f16, bf16), element k of all of them side by side; or
//     groups of 16 rows in the blocks of core/packed_blocks.hpp. Rows beyond the last are 0.
//   void packed_gemm(D, m, const float* x, const PackedPart& w, GemmOutput<float> y, const GemmEpilogue<float>& = {})
//     x (m, k), dense. f32, f16, bf16: the bits of gemm (backend/gemm.hpp) over the values as float. Block formats:
//     each 16 elements of a row of x are rounded to d times integers of -127..127, d = max |x| / 127, multiplied in
//     integers, exactly, and added up in ascending order, one fma for each 16 and one for the offset of each 32. The
//     bits depend on neither m, the place, threads nor the instruction set (baseline has no fma). (One d for 32
//     elements, as is usual, loses more of them beside a large one: of SmolLM2's most likely tokens 97.1 % stay what
//     they are.)
//   void unpack(D, const PackedPart&, const StoredPart& wanted, float* to)
//     What dequantise() gives for these rows and columns of the file's matrix; `wanted.data` is not looked at.
#pragma once

#include "../core/packed_blocks.hpp"
#include "dequantise.hpp"
#include "gemm.hpp"

namespace atom {

struct PackedPart {
  BlockType type = BlockType::f32;
  const std::byte* data = nullptr;  // aligned to 64
  Index rows = 0, columns = 0;      // n, k
};

constexpr bool is_float(BlockType type) {
  return type == BlockType::f32 || type == BlockType::f16 || type == BlockType::bf16;
}
inline bool can_pack(BlockType type) {
  return is_float(type) || packed::with_packed(type, [](auto) {});
}

// Rows that are interleaved.
constexpr Index packed_panel(BlockType type) { return is_float(type) ? 48 : packed::rows; }

inline std::size_t packed_bytes(BlockType type, Index rows, Index columns) {
  const Index panel = packed_panel(type), panels = (rows + panel - 1) / panel;
  std::size_t bytes = 0;
  if (is_float(type)) bytes = static_cast<std::size_t>(panel * columns * info_of(type).bytes);
  packed::with_packed(type, [&]<class Block>(std::type_identity<Block>) {
    bytes = static_cast<std::size_t>(columns / info_of(type).values) * sizeof(Block);
  });
  return bytes * static_cast<std::size_t>(panels);
}

}  // namespace atom

#include "cpu/packed_gemm.hpp"

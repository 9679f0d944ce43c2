// SPDX-License-Identifier: Apache-2.0
// Blocks of 32 values from float: the bits are those of ggml's quantize_row_*_ref.
#pragma once

#include "blocks.hpp"

#include <algorithm>
#include <cmath>

namespace atom::io::detail {

// The largest magnitude among `values`, and the first value that has it. Error: one is not finite.
struct Largest {
  float magnitude = 0, value = 0;
};
inline Largest largest_of(std::string_view where, BlockType type, std::span<const float> values) {
  Largest largest;
  bool finite = true;
  for (const float value : values) {
    const float magnitude = std::abs(value);
    finite = finite && magnitude <= std::numeric_limits<float>::max();
    if (magnitude > largest.magnitude) largest = {magnitude, value};
  }
  check(finite, where, name_of(type), " holds finite numbers: found infinity or not-a-number");
  return largest;
}

inline half scale_of(std::string_view where, BlockType type, float scale, float largest) {
  const half stored(scale);
  check((stored.bits & 0x7fffU) < 0x7c00U, where, name_of(type), " holds no number as large: found ", largest);
  return stored;
}

// Where the inverse overflows, the stored scale is zero, and so are the codes.
inline float inverse_of(float scale) {
  const float inverse = scale != 0 ? 1 / scale : 0;
  return std::abs(inverse) <= std::numeric_limits<float>::max() ? inverse : 0;
}

inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q8_0& block) {
  const float largest = largest_of(where, BlockType::q8_0, values).magnitude, scale = largest / 127;
  block.d = scale_of(where, BlockType::q8_0, scale, largest);
  const float inverse = inverse_of(scale);
  for (std::size_t i = 0; i < 32; ++i) block.q[i] = static_cast<std::int8_t>(std::round(values[i] * inverse));
}

using Codes = std::array<std::uint8_t, 32>;

// Sets the four low bits of each code, and the fifth where the format has one.
template <class Block> void set_codes(Block& block, const Codes& codes) {
  for (std::size_t i = 0; i < 16; ++i)
    block.q[i] = static_cast<std::uint8_t>((codes[i] & 15U) | static_cast<unsigned>(codes[i + 16]) << 4U);
  if constexpr (requires { block.fifth; }) {
    std::uint32_t fifth = 0;
    for (std::size_t i = 0; i < 32; ++i) fifth |= (codes[i] >> 4U & 1U) << i;
    block.fifth = std::bit_cast<blocks::FifthBits>(fifth);
  }
}

// Codes 0 .. 2 * middle - 1 for scale * (code - middle): Q4_0 and Q5_0. The value of the largest magnitude is code 0.
template <int middle, class Block>
ATOM_EXACT void quantise_symmetric(std::string_view where, std::span<const float> values, Block& block) {
  ATOM_EXACT_BODY
  const float largest = largest_of(where, Block::type, values).value, scale = largest / -middle;
  block.d = scale_of(where, Block::type, scale, largest);
  const float inverse = inverse_of(scale);
  const bool zero = inverse == 0 && scale != 0;
  Codes codes{};
  for (std::size_t i = 0; i < 32 && !zero; ++i) {
    const auto code = static_cast<unsigned>(values[i] * inverse + (static_cast<float>(middle) + 0.5F));
    codes[i] = static_cast<std::uint8_t>(std::min(2U * middle - 1, code));
  }
  set_codes(block, codes);
}

// Codes 0 .. last for scale * code + least: Q4_1 and Q5_1.
template <int last, class Block>
ATOM_EXACT void quantise_from_least(std::string_view where, std::span<const float> values, Block& block) {
  ATOM_EXACT_BODY
  const float largest = largest_of(where, Block::type, values).value;
  const auto [least, most] = std::ranges::minmax(values);
  const float scale = (most - least) / last;
  block.d = scale_of(where, Block::type, scale, largest);
  block.m = scale_of(where, Block::type, least, largest);
  const float inverse = inverse_of(scale);
  Codes codes{};
  for (std::size_t i = 0; i < 32; ++i)
    codes[i] = static_cast<std::uint8_t>(std::min(last, static_cast<int>((values[i] - least) * inverse + 0.5F)));
  set_codes(block, codes);
}

inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q4_0& block) {
  quantise_symmetric<8>(where, values, block);
}
inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q5_0& block) {
  quantise_symmetric<16>(where, values, block);
}
inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q4_1& block) {
  quantise_from_least<15>(where, values, block);
}
inline void quantise_block(std::string_view where, std::span<const float> values, blocks::Q5_1& block) {
  quantise_from_least<31>(where, values, block);
}

// The scale is the power of two that has the largest value at 4 .. 8 of the 6 that E2M1 reaches; each value is the
// nearest number, of two the smaller. The logarithm is rounded to float as in ggml: just below a power of two it is
// that power's. Below 2^-125 the scale stays the least, where ggml's wraps around to a huge one.
inline void quantise_block(std::string_view where, std::span<const float> values, blocks::MXFP4& block) {
  const float largest = largest_of(where, BlockType::mxfp4, values).magnitude;
  const auto logarithm = static_cast<float>(std::log2(static_cast<double>(largest)));  // zero's is -infinity
  block.e = static_cast<std::uint8_t>(std::max(0.F, std::floor(logarithm) + 125));
  const float half_scale = std::bit_cast<float>(block.e < 2 ? 0x00200000U << block.e : (block.e - 1U) << 23U);
  Codes codes{};
  for (std::size_t i = 0; i < 32; ++i) {
    unsigned code = 0;
    for (const float middle : {0.5F, 1.5F, 2.5F, 3.5F, 5.F, 7.F, 10.F})  // between neighbours; products are exact
      code += std::abs(values[i]) > middle * half_scale ? 1U : 0U;
    codes[i] = static_cast<std::uint8_t>(code | (code != 0 && values[i] < 0 ? 8U : 0U));
  }
  set_codes(block, codes);
}

}  // namespace atom::io::detail

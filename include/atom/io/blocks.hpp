// SPDX-License-Identifier: Apache-2.0
// Values in the block formats of files, to float; quantise.hpp has the way back. The bits are those of ggml's
// dequantize_row_*, and for 8- and 4-bit weights of safetensors files those of their definition.
#pragma once

#include "../core/blocks.hpp"
#include "../core/shape.hpp"
#include "byte_reader.hpp"

#include <cmath>

namespace atom::io {

// The bytes of `values` values; nothing if they are no whole blocks or there is no such number.
constexpr std::optional<std::uint64_t> block_bytes(BlockType type, std::uint64_t values) {
  const BlockInfo info = info_of(type);
  if (values % static_cast<std::uint64_t>(info.values) != 0) return std::nullopt;
  return checked_multiply(values / static_cast<std::uint64_t>(info.values), static_cast<std::uint64_t>(info.bytes));
}

using atom::can_dequantise;  // whether dequantise() knows the type

namespace detail {

inline void check_blocks(std::string_view where, BlockType type, std::size_t bytes, std::size_t values) {
  check(block_bytes(type, values) == bytes, where, name_of(type), ": found ", bytes, " bytes for ", values,
        " values, expected blocks of ", info_of(type).bytes, " for ", info_of(type).values);
}

// f(block, at) for each block of `size` bytes: `at` counts its values.
template <class Stored, class F> void for_each_stored(std::span<const std::byte> bytes, std::size_t values, F&& f) {
  Stored stored{};
  for (std::size_t at = 0; !bytes.empty(); at += values, bytes = bytes.subspan(sizeof(Stored))) {
    std::memcpy(&stored, bytes.data(), sizeof(Stored));
    f(stored, at);
  }
}

}  // namespace detail

// Fills `into` with the values of whole blocks. Errors naming `where`: a type that is not known; sizes that do not fit.
[[gnu::noinline]] inline void dequantise(BlockType type, std::span<const std::byte> bytes, std::span<float> into,
                                         std::string_view where = "dequantise") {
  check(can_dequantise(type), where, "values of type ", name_of(type), " cannot be read");
  detail::check_blocks(where, type, bytes.size(), into.size());
  if (into.empty()) return;
  if (type == BlockType::f32) std::memcpy(into.data(), bytes.data(), bytes.size());
  const auto to_float = [&](auto value, std::size_t at) { into[at] = static_cast<float>(value); };
  if (type == BlockType::f16) detail::for_each_stored<half>(bytes, 1, to_float);
  if (type == BlockType::bf16) detail::for_each_stored<bfloat16>(bytes, 1, to_float);
  with_block(type, [&]<class Block>(Block) {
    static_assert(sizeof(Block) == info_of(Block::type).bytes && std::is_trivially_copyable_v<Block>);
    detail::for_each_stored<Block>(bytes, static_cast<std::size_t>(info_of(Block::type).values),
                                   [&](const Block& block, std::size_t at) { block.dequantise(&into[at]); });
  });
}

// FP8 E4M3 weights with a scale for each block of `block` rows and columns (`X.weight` and `X.weight_scale_inv`):
// value x scale. `values` are rows `first_row` and on of a (rows, columns) matrix of shape `shape`; `scales` are those
// of the whole matrix, (rows / block[0], columns / block[1]) rounded up. Errors naming `where`: sizes that do not fit.
inline void dequantise_e4m3(std::span<const std::byte> values, const Shape& shape, std::span<const float> scales,
                            std::array<Index, 2> block, std::span<float> into, Index first_row = 0,
                            std::string_view where = "dequantise_e4m3") {
  check(shape.rank() == 2 && element_count(shape) >= 0 && block[0] > 0 && block[1] > 0, where, "found shape ", shape,
        " in blocks of ", block[0], " x ", block[1], ", expected a matrix in blocks of at least 1 x 1");
  const auto up = [](Index a, Index b) { return a / b + (a % b != 0); };
  const Index columns = shape[1], across = up(columns, block[1]), down = up(shape[0], block[0]);
  check(std::cmp_equal(scales.size(), down * across), where, "found ", scales.size(), " scales, expected ", down, " x ",
        across);
  const Index rows = columns == 0 ? 0 : static_cast<Index>(values.size()) / columns;
  check(values.size() == into.size() && std::cmp_equal(values.size(), rows * columns) && first_row >= 0 &&
            rows <= shape[0] - first_row,
        where, "found ", values.size(), " bytes for ", into.size(), " values from row ", first_row,
        ", expected whole rows of ", shape);
  for (Index row = 0, at = 0; row < rows; ++row) {
    const auto scale = scales.subspan(static_cast<std::size_t>((first_row + row) / block[0] * across));
    for (Index column = 0; column < columns; ++column, ++at) {
      const auto i = static_cast<std::size_t>(at);
      into[i] = float_from_e4m3(std::to_integer<std::uint8_t>(values[i])) *
                scale[static_cast<std::size_t>(column / block[1])];
    }
  }
}

// MXFP4 weights (`X_blocks` and `X_scales`): each 16 bytes are 32 values, the low half of a byte before its high half,
// and share the scale 2^(byte - 127). Error naming `where`: sizes that do not fit.
inline void dequantise_mxfp4(std::span<const std::byte> codes, std::span<const std::byte> scales, std::span<float> into,
                             std::string_view where = "dequantise_mxfp4") {
  check(codes.size() / 16 == scales.size() && codes.size() % 16 == 0 && into.size() / 2 == codes.size() &&
            into.size() % 2 == 0,
        where, "found ", codes.size(), " bytes and ", scales.size(), " scales for ", into.size(),
        " values, expected 16 and 1 for 32");
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float scale = float_from_e8m0(std::to_integer<std::uint8_t>(scales[i / 16]));
    const auto byte = std::to_integer<unsigned>(codes[i]);
    const auto value = [&](unsigned code) {  // zeros have a sign here
      return std::copysign(doubled_e2m1(code) * 0.5F, (code & 8U) != 0 ? -1.0F : 1.0F) * scale;
    };
    into[2 * i] = value(byte & 15U);
    into[2 * i + 1] = value(byte >> 4U);
  }
}

// The same weights as blocks of BlockType::mxfp4, which a StoredMatrix holds. Their values are equal, but zeros have no
// sign there, and the scale 255 is a number. Error naming `where`: sizes that do not fit.
inline void mxfp4_blocks(std::span<const std::byte> codes, std::span<const std::byte> scales, std::span<std::byte> into,
                         std::string_view where = "mxfp4_blocks") {
  check(codes.size() / 16 == scales.size() && codes.size() % 16 == 0 && into.size() / 17 == scales.size() &&
            into.size() % 17 == 0,
        where, "found ", codes.size(), " bytes and ", scales.size(), " scales for ", into.size(),
        " bytes, expected 16 and 1 for 17");
  for (std::size_t block = 0; block < scales.size(); ++block) {
    const auto code = [&](std::size_t i) { return codes[16 * block + i / 2] >> 4 * (i % 2) & std::byte{15}; };
    into[17 * block] = scales[block];
    for (std::size_t i = 0; i < 16; ++i) into[17 * block + 1 + i] = code(i) | code(i + 16) << 4;
  }
}

}  // namespace atom::io

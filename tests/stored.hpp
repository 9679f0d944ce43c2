// SPDX-License-Identifier: Apache-2.0
// Stored matrices for tests: random blocks of any type, and the values that io/blocks.hpp reads in them.
#pragma once

#include <atom/io/blocks.hpp>
#include <atom/tensor/stored_matrix.hpp>
#include <atom/tensor/tensor.hpp>
#include <random>

namespace test {

using namespace atom;

inline const std::vector<BlockType> stored_types = {
    BlockType::f32,  BlockType::f16,    BlockType::bf16,  BlockType::q8_0,   BlockType::q4_0, BlockType::q4_1,
    BlockType::q5_0, BlockType::q5_1,   BlockType::q2_k,  BlockType::q3_k,   BlockType::q4_k, BlockType::q5_k,
    BlockType::q6_k, BlockType::iq4_nl, BlockType::mxfp4, BlockType::f8_e4m3};

// The bytes of a matrix or stack, the scales of f8_e4m3, and all as float.
struct StoredValues {
  BlockType type;
  Shape shape;
  std::vector<std::byte> bytes;
  std::vector<float> scales;
  std::array<Index, 2> block = {1, 1};
  std::vector<float> values;

  ScaleGrid grid() const { return {scales, block}; }
  template <class D = Cpu> StoredMatrix<D> matrix(D device = {}) const {
    return StoredMatrix<D>::copy_of(type, shape, bytes, grid(), device);
  }
  template <class T, class D = Cpu> Tensor<T, D> tensor(D device = {}) const {
    return Tensor<T, D>::from(std::vector<T>(values.begin(), values.end()), shape, device);
  }
};

// Values of a size that training has, for codes of any bits. Whole blocks in a row; f8_e4m3 in blocks of 3 x 20.
inline StoredValues stored_values(BlockType type, const Shape& shape, unsigned seed = 1) {
  StoredValues s{.type = type, .shape = shape, .bytes = {}, .scales = {}, .values = {}};
  const auto count = static_cast<std::size_t>(element_count(shape));
  const BlockInfo info = info_of(type);
  const std::size_t blocks = count / static_cast<std::size_t>(info.values);
  s.bytes.resize(blocks * static_cast<std::size_t>(info.bytes));
  s.values.resize(count);
  std::mt19937 bits(seed + 100 * static_cast<unsigned>(type));
  const auto scale = [&] { return std::ldexp(1.0F + static_cast<float>(bits() % 512) / 512, -6); };
  for (auto& byte : s.bytes) byte = static_cast<std::byte>(bits() >> 24U);
  const auto fill = [&](auto value) {
    for (std::size_t i = 0; i < count; ++i) {
      value = decltype(value)((bits() % 2 == 0 ? 1.F : -1.F) * scale());
      std::memcpy(&s.bytes[i * sizeof value], &value, sizeof value);
    }
  };
  if (type == BlockType::f32) fill(float{});
  if (type == BlockType::f16) fill(atom::half{});
  if (type == BlockType::bf16) fill(bfloat16{});
  with_block(type, [&]<class Block>(Block block) {
    for (std::size_t i = 0; i < blocks; ++i) {
      std::memcpy(&block, &s.bytes[i * sizeof block], sizeof block);
      if constexpr (requires { block.d; }) block.d = atom::half(scale() / 16);
      if constexpr (requires { block.m; }) block.m = atom::half(scale() / 16);
      if constexpr (requires { block.e; }) block.e = static_cast<std::uint8_t>(118 + bits() % 4);
      std::memcpy(&s.bytes[i * sizeof block], &block, sizeof block);
    }
  });
  if (type != BlockType::f8_e4m3) {
    io::dequantise(type, s.bytes, s.values);
    return s;
  }
  for (auto& byte : s.bytes)
    if ((byte & std::byte{0x7f}) == std::byte{0x7f}) byte = std::byte{0x11};  // not-a-number
  s.block = {3, 20};
  const Index members = shape.rank() == 3 ? shape[0] : 1;
  const Index down = (shape[-2] - 1) / 3 + 1, across = (shape[-1] - 1) / 20 + 1;
  for (Index i = 0; i < members * down * across; ++i) s.scales.push_back(scale() / 16);
  const auto each = s.values.size() / static_cast<std::size_t>(members);
  const auto scales_each = static_cast<std::size_t>(down * across);
  for (std::size_t i = 0; i < static_cast<std::size_t>(members); ++i)
    io::dequantise_e4m3(std::span(s.bytes).subspan(i * each, each), {shape[-2], shape[-1]},
                        std::span<const float>(s.scales).subspan(i * scales_each, scales_each), s.block,
                        std::span(s.values).subspan(i * each, each));
  return s;
}

// Columns that are whole blocks of the type, more than one, and for the types of single values odd.
inline Index some_columns(BlockType type) {
  const int values = info_of(type).values;
  return values == 1 ? 77 : values == 32 ? 96 : 512;
}

}  // namespace test

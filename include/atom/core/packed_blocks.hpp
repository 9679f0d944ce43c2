// SPDX-License-Identifier: Apache-2.0
// Packed blocks: the same block of sixteen rows of a matrix in one of the formats of core/blocks.hpp, interleaved so
// that a vector of sixteen lanes computes sixteen rows at once. As large as in the file (k formats: 1 to 3 % larger),
// and the same values, bit for bit. Four neighbouring values of a row lie side by side: a quad.
#pragma once

#include "blocks.hpp"

#include <bit>
#include <cstring>

namespace atom::packed {

inline constexpr int rows = 16;

// Codes of 4 bits for 32 values. Value i < 16 is in the low half of byte i % 4 of quad i / 4, value i + 16 in its high
// half: the bytes of Q4_0 in the same order.
struct Nibbles {
  std::uint8_t quad[4][rows][4];

  void set(int row, const std::uint8_t* bytes) {
    for (int c = 0; c < 4; ++c) std::memcpy(quad[c][row], bytes + 4 * c, 4);
  }
  // From bytes whose low (half = 0) or high halves are values 0..31 in order, as k formats have them.
  void set_half(int row, const std::uint8_t* bytes, int half) {
    for (int c = 0; c < 4; ++c) {
      std::uint32_t first = 0, second = 0;
      std::memcpy(&first, bytes + 4 * c, 4);
      std::memcpy(&second, bytes + 16 + 4 * c, 4);
      const std::uint32_t both = (first >> 4 * half & 0x0f0f0f0fU) | (second >> 4 * half & 0x0f0f0f0fU) << 4U;
      std::memcpy(quad[c][row], &both, 4);
    }
  }
  int code(int row, int i) const { return quad[i % 16 / 4][row][i % 4] >> 4 * (i / 16) & 15; }
};

// One bit more of 32 values: value i's is bit i / 4 of byte i % 4.
struct FifthBits {
  std::uint8_t byte[rows][4];

  template <class Bit> void set(int row, Bit&& bit) {
    std::uint32_t all = 0;
    for (unsigned i = 0; i < 32; ++i) all |= static_cast<std::uint32_t>(bit(i)) << (8 * (i % 4) + i / 4);
    std::memcpy(byte[row], &all, 4);
  }
  int code(int row, int i) const { return (byte[row][i % 4] >> i / 4 & 1) << 4; }
};

// Two bits more: value i's are bits 2 (i / 4 % 4) of byte i % 4 of half i / 16.
struct SixthBits {
  std::uint8_t byte[2][rows][4];

  template <class Bits> void set(int row, Bits&& bits) {
    std::uint32_t all[2] = {};
    for (unsigned i = 0; i < 32; ++i)
      all[i / 16] |= static_cast<std::uint32_t>(bits(i)) << (8 * (i % 4) + 2 * (i / 4 % 4));
    for (int half = 0; half < 2; ++half) std::memcpy(byte[half][row], &all[half], 4);
  }
  int code(int row, int i) const { return (byte[i / 16][row][i % 4] >> 2 * (i / 4 % 4) & 3) << 4; }
};

// Every struct below: `set` puts row `row` in; value = scale * code + least, by runs of 32.
struct Q4_0 {
  using Source = blocks::Q4_0;
  half d[rows];
  Nibbles q;
  void set(int row, const Source& from) { d[row] = from.d, q.set(row, from.q); }
  int code(int row, int, int i) const { return q.code(row, i) - 8; }
  float scale(int row, int, int) const { return static_cast<float>(d[row]); }
  static float least(int, int) { return 0; }
};

struct Q4_1 {
  using Source = blocks::Q4_1;
  half d[rows], m[rows];
  Nibbles q;
  void set(int row, const Source& from) { d[row] = from.d, m[row] = from.m, q.set(row, from.q); }
  int code(int row, int, int i) const { return q.code(row, i); }
  float scale(int row, int, int) const { return static_cast<float>(d[row]); }
  float least(int row, int) const { return static_cast<float>(m[row]); }
};

struct Q5_0 {
  using Source = blocks::Q5_0;
  half d[rows];
  FifthBits fifth;
  Nibbles q;
  void set(int row, const Source& from) {
    d[row] = from.d, q.set(row, from.q);
    fifth.set(row, [&](unsigned i) { return from.fifth.of(i) >> 4U; });
  }
  int code(int row, int, int i) const { return (q.code(row, i) | fifth.code(row, i)) - 16; }
  float scale(int row, int, int) const { return static_cast<float>(d[row]); }
  static float least(int, int) { return 0; }
};

struct Q5_1 {
  using Source = blocks::Q5_1;
  half d[rows], m[rows];
  FifthBits fifth;
  Nibbles q;
  void set(int row, const Source& from) {
    d[row] = from.d, m[row] = from.m, q.set(row, from.q);
    fifth.set(row, [&](unsigned i) { return from.fifth.of(i) >> 4U; });
  }
  int code(int row, int, int i) const { return q.code(row, i) | fifth.code(row, i); }
  float scale(int row, int, int) const { return static_cast<float>(d[row]); }
  float least(int row, int) const { return static_cast<float>(m[row]); }
};

struct Q8_0 {
  using Source = blocks::Q8_0;
  half d[rows];
  std::int8_t quad[8][rows][4];
  void set(int row, const Source& from) {
    d[row] = from.d;
    for (int c = 0; c < 8; ++c) std::memcpy(quad[c][row], from.q + 4 * c, 4);
  }
  int code(int row, int, int i) const { return quad[i / 4][row][i % 4]; }
  float scale(int row, int, int) const { return static_cast<float>(d[row]); }
  static float least(int, int) { return 0; }
};

struct MXFP4 {
  using Source = blocks::MXFP4;
  std::uint8_t e[rows];
  Nibbles q;
  void set(int row, const Source& from) { e[row] = from.e, q.set(row, from.q); }
  int code(int row, int, int i) const { return static_cast<int>(doubled_e2m1(static_cast<unsigned>(q.code(row, i)))); }
  float scale(int row, int, int) const {
    const std::uint32_t at = e[row];
    return std::bit_cast<float>(at < 2 ? 0x00200000U << at : (at - 1U) << 23U);
  }
  static float least(int, int) { return 0; }
};

struct Q4_K {
  using Source = blocks::Q4_K;
  half d[rows], m[rows];
  struct Run {
    std::uint8_t scale[rows], offset[rows];
    Nibbles q;
  } run[8];
  void set(int row, const Source& from) {
    d[row] = from.d, m[row] = from.m;
    for (unsigned k = 0; k < 8; ++k) {
      run[k].scale[row] = static_cast<std::uint8_t>(from.scales.scale(k));
      run[k].offset[row] = static_cast<std::uint8_t>(from.scales.offset(k));
      run[k].q.set_half(row, from.q + 32 * (k / 2), static_cast<int>(k % 2));
    }
  }
  int code(int row, int k, int i) const { return run[k].q.code(row, i); }
  float scale(int row, int k, int) const { return static_cast<float>(d[row]) * static_cast<float>(run[k].scale[row]); }
  float least(int row, int k) const { return -(static_cast<float>(m[row]) * static_cast<float>(run[k].offset[row])); }
};

struct Q5_K {
  using Source = blocks::Q5_K;
  half d[rows], m[rows];
  struct Run {
    std::uint8_t scale[rows], offset[rows];
    FifthBits fifth;
    Nibbles q;
  } run[8];
  void set(int row, const Source& from) {
    d[row] = from.d, m[row] = from.m;
    for (unsigned k = 0; k < 8; ++k) {
      run[k].scale[row] = static_cast<std::uint8_t>(from.scales.scale(k));
      run[k].offset[row] = static_cast<std::uint8_t>(from.scales.offset(k));
      run[k].q.set_half(row, from.q + 32 * (k / 2), static_cast<int>(k % 2));
      run[k].fifth.set(row, [&](unsigned i) { return from.fifth[i] >> k & 1U; });
    }
  }
  int code(int row, int k, int i) const { return run[k].q.code(row, i) | run[k].fifth.code(row, i); }
  float scale(int row, int k, int) const { return static_cast<float>(d[row]) * static_cast<float>(run[k].scale[row]); }
  float least(int row, int k) const { return -(static_cast<float>(m[row]) * static_cast<float>(run[k].offset[row])); }
};

struct Q6_K {
  using Source = blocks::Q6_K;
  half d[rows];
  struct Run {
    std::int8_t scale[2][rows];  // of 16 values each
    SixthBits high;
    Nibbles q;
  } run[8];
  void set(int row, const Source& from) {
    d[row] = from.d;
    for (unsigned k = 0; k < 8; ++k) {
      const unsigned side = k / 4, of_side = k % 4;
      for (unsigned half = 0; half < 2; ++half) run[k].scale[half][row] = from.scales[2 * k + half];
      run[k].q.set_half(row, from.low + 64 * side + 32 * (of_side % 2), static_cast<int>(of_side / 2));
      run[k].high.set(row, [&](unsigned i) { return from.high[32 * side + i] >> 2 * of_side & 3U; });
    }
  }
  int code(int row, int k, int i) const { return (run[k].q.code(row, i) | run[k].high.code(row, i)) - 32; }
  float scale(int row, int k, int i) const {
    return static_cast<float>(d[row]) * static_cast<float>(run[k].scale[i / 16][row]);
  }
  static float least(int, int) { return 0; }
};

// How many runs of 32 values one block has.
template <class Block> inline constexpr int runs_of = info_of(Block::Source::type).values / 32;

// f(Block{}) for the struct of that type; false if it has none.
template <class F> bool with_packed(BlockType type, F&& f) {
  const auto among = [&]<class... Block>(std::type_identity<Block>... all) {
    return ((Block::Source::type == type && (f(all), true)) || ...);
  };
  return among(std::type_identity<Q8_0>(), std::type_identity<Q4_0>(), std::type_identity<Q4_1>(),
               std::type_identity<Q5_0>(), std::type_identity<Q5_1>(), std::type_identity<Q4_K>(),
               std::type_identity<Q5_K>(), std::type_identity<Q6_K>(), std::type_identity<MXFP4>());
}

}  // namespace atom::packed

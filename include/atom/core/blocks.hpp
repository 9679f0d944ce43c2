// SPDX-License-Identifier: Apache-2.0
// Block formats of weights: 32 or 256 values share a scale, and each is a few bits. Layouts are ggml's, byte for byte;
// names and ids are those of GGUF files. Every product below is exact in float, so that each value is rounded at most
// once and is the same bits in any order of evaluation, with or without fused operations.
#pragma once

#include "types.hpp"

namespace atom {

// How a run of values is stored: its id in GGUF files. All ids in use are here, those without a struct below only to
// be sized and named.
// clang-format off
enum class BlockType : std::uint8_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, q8_1 = 9, q2_k = 10, q3_k = 11, q4_k = 12,
  q5_k = 13, q6_k = 14, q8_k = 15, iq2_xxs = 16, iq2_xs = 17, iq3_xxs = 18, iq1_s = 19, iq4_nl = 20, iq3_s = 21,
  iq2_s = 22, iq4_xs = 23, i8 = 24, i16 = 25, i32 = 26, i64 = 27, f64 = 28, iq1_m = 29, bf16 = 30, tq1_0 = 34,
  tq2_0 = 35, mxfp4 = 39, nvfp4 = 40, q1_0 = 41, q2_0 = 42,
  f8_e4m3 = 255  // in no GGUF file: numbers of safetensors files, with a scale for each block of rows and columns
};

struct BlockInfo {
  std::string_view name = {};
  int values = 0;  // in a block; 0: no such type
  int bytes = 0;   // of a block
};
inline constexpr std::array<BlockInfo, 43> block_infos = {{
    {"F32", 1, 4},       {"F16", 1, 2},       {"Q4_0", 32, 18},     {"Q4_1", 32, 20},     {},
    {},                  {"Q5_0", 32, 22},    {"Q5_1", 32, 24},     {"Q8_0", 32, 34},     {"Q8_1", 32, 36},
    {"Q2_K", 256, 84},   {"Q3_K", 256, 110},  {"Q4_K", 256, 144},   {"Q5_K", 256, 176},   {"Q6_K", 256, 210},
    {"Q8_K", 256, 292},  {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74}, {"IQ3_XXS", 256, 98}, {"IQ1_S", 256, 50},
    {"IQ4_NL", 32, 18},  {"IQ3_S", 256, 110}, {"IQ2_S", 256, 82},   {"IQ4_XS", 256, 136}, {"I8", 1, 1},
    {"I16", 1, 2},       {"I32", 1, 4},       {"I64", 1, 8},        {"F64", 1, 8},        {"IQ1_M", 256, 56},
    {"BF16", 1, 2},      {},                  {},                   {},                   {"TQ1_0", 256, 54},
    {"TQ2_0", 256, 66},  {},                  {},                   {},                   {"MXFP4", 32, 17},
    {"NVFP4", 64, 36},   {"Q1_0", 128, 18},   {"Q2_0", 64, 18},
}};
// clang-format on

constexpr BlockInfo info_of(BlockType type) {
  return type == BlockType::f8_e4m3 ? BlockInfo{"F8_E4M3", 1, 1} : block_infos[static_cast<std::size_t>(type)];
}
constexpr std::string_view name_of(BlockType type) { return info_of(type).name; }
// The type of that id of GGUF files, if there is one.
constexpr std::optional<BlockType> block_type_of(std::uint32_t id) {
  if (id >= block_infos.size() || block_infos[id].values == 0) return std::nullopt;
  return static_cast<BlockType>(id);
}

// 8 bits of an FP8 E4M3 number (sign, 4 of exponent, 3 of mantissa; no infinity; all ones is not-a-number).
ATOM_HD constexpr float float_from_e4m3(std::uint8_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80U) << 24U, rest = bits & 0x7fU;
  if (rest == 0x7f) return std::bit_cast<float>(sign | 0x7fc00000U);
  if (rest >= 8) return std::bit_cast<float>(sign | ((rest << 20U) + (120U << 23U)));
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(rest) * 0x1p-9F) | sign);
}

// 8 bits of an E8M0 scale: 2^(bits - 127), where 255 is not-a-number.
ATOM_HD constexpr float float_from_e8m0(std::uint8_t bits) {
  if (bits == 0xff) return std::bit_cast<float>(0x7fc00000U);
  return std::bit_cast<float>(bits == 0 ? 0x00400000U : static_cast<std::uint32_t>(bits) << 23U);
}

// 4 bits of an FP4 E2M1 number, times two. Here zero has no sign.
ATOM_HD constexpr float doubled_e2m1(unsigned code) {
  constexpr std::int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return static_cast<float>(values[code]);
}

// One struct for each format: the bytes of one block, and `dequantise`, which fills `out[0..values)`.
namespace blocks {

// Value i < 16 is the low half of byte i of `q`, value i + 16 its high half.
template <class Value> ATOM_HD constexpr void for_each_half(const std::uint8_t (&q)[16], float* out, Value&& value) {
  for (unsigned i = 0; i < 16; ++i) {
    out[i] = value(q[i] & 15U, i);
    out[i + 16] = value(q[i] >> 4U, i + 16);
  }
}

struct Q4_0 {
  static constexpr BlockType type = BlockType::q4_0;
  half d;
  std::uint8_t q[16];
  ATOM_HD constexpr void dequantise(float* out) const {
    const float scale(d);
    for_each_half(q, out,
                  [&](unsigned code, unsigned) { return scale * static_cast<float>(static_cast<int>(code) - 8); });
  }
};

struct Q4_1 {
  static constexpr BlockType type = BlockType::q4_1;
  half d, m;
  std::uint8_t q[16];
  ATOM_HD constexpr void dequantise(float* out) const {
    const float scale(d), least(m);
    for_each_half(q, out, [&](unsigned code, unsigned) { return scale * static_cast<float>(code) + least; });
  }
};

// The fifth bits of 32 values, value i's in bit i.
struct FifthBits {
  std::uint8_t bytes[4];
  ATOM_HD constexpr unsigned of(unsigned i) const { return (std::bit_cast<std::uint32_t>(*this) >> i & 1U) << 4U; }
};

struct Q5_0 {
  static constexpr BlockType type = BlockType::q5_0;
  half d;
  FifthBits fifth;
  std::uint8_t q[16];
  ATOM_HD constexpr void dequantise(float* out) const {
    const float scale(d);
    for_each_half(q, out, [&](unsigned code, unsigned i) {
      return scale * static_cast<float>(static_cast<int>(code | fifth.of(i)) - 16);
    });
  }
};

struct Q5_1 {
  static constexpr BlockType type = BlockType::q5_1;
  half d, m;
  FifthBits fifth;
  std::uint8_t q[16];
  ATOM_HD constexpr void dequantise(float* out) const {
    const float scale(d), least(m);
    for_each_half(q, out,
                  [&](unsigned code, unsigned i) { return scale * static_cast<float>(code | fifth.of(i)) + least; });
  }
};

struct Q8_0 {
  static constexpr BlockType type = BlockType::q8_0;
  half d;
  std::int8_t q[32];
  ATOM_HD constexpr void dequantise(float* out) const {
    const float scale(d);
    for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(q[i]);
  }
};

struct IQ4_NL {
  static constexpr BlockType type = BlockType::iq4_nl;
  half d;
  std::uint8_t q[16];
  ATOM_HD constexpr void dequantise(float* out) const {
    constexpr std::int8_t levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    const float scale(d);
    for_each_half(q, out, [&](unsigned code, unsigned) { return scale * static_cast<float>(levels[code]); });
  }
};

// ggml's reading of the format: no negative zero, and the scale 255 is 2^128 although that is not-a-number elsewhere.
struct MXFP4 {
  static constexpr BlockType type = BlockType::mxfp4;
  std::uint8_t e;
  std::uint8_t q[16];
  ATOM_HD constexpr void dequantise(float* out) const {
    const float half_scale = std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1U) << 23U);
    for_each_half(q, out, [&](unsigned code, unsigned) { return half_scale * doubled_e2m1(code); });
  }
};

// 256 values as 8 runs of 32: run j is the two bits at 2 (j % 4) of each of the 32 bytes from 32 (j / 4) on. A scale
// holds for 16 values.
struct Q2_K {
  static constexpr BlockType type = BlockType::q2_k;
  std::uint8_t scales[16];  // low half: of d; high half: of m
  std::uint8_t q[64];
  half d, m;
  ATOM_HD constexpr void dequantise(float* out) const {
    for (unsigned k = 0; k < 16; ++k) {
      const float scale = static_cast<float>(d) * static_cast<float>(scales[k] & 15U);
      const float least = static_cast<float>(m) * static_cast<float>(scales[k] >> 4U);
      for (unsigned i = 0; i < 16; ++i)
        out[16 * k + i] =
            scale * static_cast<float>(q[32 * (k / 8) + 16 * (k % 2) + i] >> 2 * (k / 2 % 4) & 3U) - least;
    }
  }
};

struct Q3_K {
  static constexpr BlockType type = BlockType::q3_k;
  std::uint8_t third[32];  // the third bit of run j in bit j; clear means 4 less
  std::uint8_t q[64];
  std::uint8_t scales[12];  // 6 bits each, 32 more than they are: 4 low bits in the first 8 bytes, then 2 high bits
  half d;
  ATOM_HD constexpr float scale(unsigned k) const {
    const unsigned low = k < 8 ? scales[k] & 15U : scales[k - 8] >> 4U, high = scales[8 + k % 4] >> 2 * (k / 4) & 3U;
    return static_cast<float>(d) * static_cast<float>(static_cast<int>(low | high << 4U) - 32);
  }
  ATOM_HD constexpr void dequantise(float* out) const {
    for (unsigned k = 0; k < 16; ++k) {
      const float s = scale(k);
      for (unsigned i = 0; i < 16; ++i) {
        const unsigned at = 16 * (k % 2) + i, low = q[32 * (k / 8) + at] >> 2 * (k / 2 % 4) & 3U;
        out[16 * k + i] = s * static_cast<float>(static_cast<int>(low | (third[at] >> k / 2 & 1U) << 2U) - 4);
      }
    }
  }
};

// 8 scales and 8 offsets of 6 bits each, one of each for 32 values.
struct ScalesK {
  std::uint8_t bytes[12];
  ATOM_HD constexpr unsigned scale(unsigned k) const {
    return k < 4 ? bytes[k] & 63U : (bytes[k + 4] & 15U) | static_cast<unsigned>(bytes[k - 4] >> 6U) << 4U;
  }
  ATOM_HD constexpr unsigned offset(unsigned k) const {
    return k < 4 ? bytes[k + 4] & 63U
                 : static_cast<unsigned>(bytes[k + 4] >> 4U) | static_cast<unsigned>(bytes[k] >> 6U) << 4U;
  }
};

struct Q4_K {
  static constexpr BlockType type = BlockType::q4_k;
  half d, m;
  ScalesK scales;
  std::uint8_t q[128];
  ATOM_HD constexpr void dequantise(float* out) const {
    for (unsigned k = 0; k < 8; ++k) {
      const float scale = static_cast<float>(d) * static_cast<float>(scales.scale(k));
      const float least = static_cast<float>(m) * static_cast<float>(scales.offset(k));
      for (unsigned i = 0; i < 32; ++i)
        out[32 * k + i] = scale * static_cast<float>(q[32 * (k / 2) + i] >> 4 * (k % 2) & 15U) - least;
    }
  }
};

struct Q5_K {
  static constexpr BlockType type = BlockType::q5_k;
  half d, m;
  ScalesK scales;
  std::uint8_t fifth[32];  // of run k in bit k
  std::uint8_t q[128];
  ATOM_HD constexpr void dequantise(float* out) const {
    for (unsigned k = 0; k < 8; ++k) {
      const float scale = static_cast<float>(d) * static_cast<float>(scales.scale(k));
      const float least = static_cast<float>(m) * static_cast<float>(scales.offset(k));
      for (unsigned i = 0; i < 32; ++i) {
        const unsigned code = (q[32 * (k / 2) + i] >> 4 * (k % 2) & 15U) | (fifth[i] >> k & 1U) << 4U;
        out[32 * k + i] = scale * static_cast<float>(code) - least;
      }
    }
  }
};

struct Q6_K {
  static constexpr BlockType type = BlockType::q6_k;
  std::uint8_t low[128];  // 4 bits: of runs 0 and 2, 1 and 3, 4 and 6, 5 and 7 in 32 bytes each
  std::uint8_t high[64];  // 2 bits, as in Q2_K
  std::int8_t scales[16];
  half d;
  ATOM_HD constexpr void dequantise(float* out) const {
    for (unsigned k = 0; k < 16; ++k) {
      const float scale = static_cast<float>(d) * static_cast<float>(scales[k]);
      const unsigned side = k / 8, run = k / 2 % 4;
      for (unsigned i = 0; i < 16; ++i) {
        const unsigned at = 16 * (k % 2) + i;
        const unsigned code = (low[64 * side + 32 * (run % 2) + at] >> 4 * (run / 2) & 15U) |
                              (high[32 * side + at] >> 2 * run & 3U) << 4U;
        out[16 * k + i] = scale * static_cast<float>(static_cast<int>(code) - 32);
      }
    }
  }
};

}  // namespace blocks

// f(Block{}) for the struct of that type; false if it has none.
template <class F> constexpr bool with_block(BlockType type, F&& f) {
  const auto among = [&]<class... Block>(Block...) { return ((Block::type == type && (f(Block{}), true)) || ...); };
  using namespace blocks;
  return among(Q4_0{}, Q4_1{}, Q5_0{}, Q5_1{}, Q8_0{}, Q2_K{}, Q3_K{}, Q4_K{}, Q5_K{}, Q6_K{}, IQ4_NL{}, MXFP4{});
}

// Whether its values can be read without anything that lies elsewhere.
constexpr bool can_dequantise(BlockType type) {
  return type == BlockType::f32 || type == BlockType::f16 || type == BlockType::bf16 || with_block(type, [](auto) {});
}

static_assert(name_of(BlockType::q6_k) == "Q6_K" && name_of(BlockType::mxfp4) == "MXFP4" &&
              name_of(BlockType::bf16) == "BF16" && name_of(BlockType::q2_0) == "Q2_0");

}  // namespace atom

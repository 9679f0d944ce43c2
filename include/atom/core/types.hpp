// SPDX-License-Identifier: Apache-2.0
// Scalar types: the 64-bit Index, the storage types bfloat16 and half, and DType, the run-time name of each.
// bfloat16 and half store; they do not compute: convert to float, work, convert back (round to nearest even).
#pragma once

#include "config.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace atom {

using Index = std::int64_t;    // every size, extent and offset
using TokenId = std::int32_t;  // an entry of a vocabulary

struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  ATOM_HD constexpr explicit bfloat16(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool nan = (word & 0x7fffffffU) > 0x7f800000U;
    bits = nan ? static_cast<std::uint16_t>((word >> 16U) | 0x40U)
               : static_cast<std::uint16_t>((word + 0x7fffU + ((word >> 16U) & 1U)) >> 16U);
  }
  ATOM_HD constexpr explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
  friend constexpr bool operator==(bfloat16, bfloat16) = default;  // of bits
};

struct half {
  std::uint16_t bits = 0;

  half() = default;
  ATOM_HD constexpr explicit half(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((word >> 16U) & 0x8000U);
    const std::uint32_t magnitude = word & 0x7fffffffU;
    if (magnitude > 0x7f800000U) {
      bits = static_cast<std::uint16_t>(sign | 0x7e00U);
    } else if (magnitude >= 0x477ff000U) {  // rounds past the largest half
      bits = static_cast<std::uint16_t>(sign | 0x7c00U);
    } else if (magnitude < 0x38800000U) {  // subnormal half: let the float adder round at 2^-24
      const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
      bits = static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
    } else {
      const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13U) & 1U) - 0x38000000U;
      bits = static_cast<std::uint16_t>(sign | (rounded >> 13U));
    }
  }
  ATOM_HD constexpr explicit operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
    const std::uint32_t exponent = (bits >> 10U) & 31U;
    const std::uint32_t mantissa = bits & 0x3ffU;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13U));
    if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
    const float tiny = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(tiny) | sign);
  }
  friend constexpr bool operator==(half, half) = default;  // of bits
};

// The type a sum or product of T is computed in.
template <class T> struct ComputeType { using type = T; };
template <> struct ComputeType<bfloat16> { using type = float; };
template <> struct ComputeType<half> { using type = float; };
template <class T> using compute_t = typename ComputeType<T>::type;

// What a gradient can be taken of.
template <class T> inline constexpr bool is_differentiable_v = std::is_same_v<T, float> || std::is_same_v<T, double>;

// The element types of tensors and files, by increasing alignment. Names and order are safetensors' own. Tensors of
// this library hold those that DTypeOf names; files may hold all of them.
// clang-format off
enum class DType : std::uint8_t {
  boolean, f4, f6_e2m3, f6_e3m2, u8, i8, f8_e5m2, f8_e4m3, f8_e8m0, f8_e4m3fnuz, f8_e5m2fnuz,
  i16, u16, f16, bf16, i32, u32, f32, c64, f64, i64, u64
};
// clang-format on

struct DTypeInfo {
  std::string_view name;
  int bits;
};
inline constexpr std::array<DTypeInfo, 22> dtype_infos = {{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};

template <class T> struct DTypeOf;
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<half> { static constexpr DType value = DType::f16; };
template <> struct DTypeOf<bfloat16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<std::int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<std::int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<std::int16_t> { static constexpr DType value = DType::i16; };
template <> struct DTypeOf<std::int8_t> { static constexpr DType value = DType::i8; };
template <> struct DTypeOf<std::uint64_t> { static constexpr DType value = DType::u64; };
template <> struct DTypeOf<std::uint32_t> { static constexpr DType value = DType::u32; };
template <> struct DTypeOf<std::uint16_t> { static constexpr DType value = DType::u16; };
template <> struct DTypeOf<std::uint8_t> { static constexpr DType value = DType::u8; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::boolean; };
template <class T> inline constexpr DType dtype_of = DTypeOf<T>::value;

constexpr std::string_view name_of(DType type) { return dtype_infos[static_cast<std::size_t>(type)].name; }
constexpr int bit_size_of(DType type) { return dtype_infos[static_cast<std::size_t>(type)].bits; }
// Bytes of one element; 0 for the types that pack several elements into a byte.
constexpr std::size_t size_of(DType type) { return static_cast<std::size_t>(bit_size_of(type)) / 8; }

// The type of that name, if there is one.
constexpr std::optional<DType> dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < dtype_infos.size(); ++i)
    if (dtype_infos[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

static_assert(name_of(DType::f8_e4m3) == "F8_E4M3" && name_of(DType::bf16) == "BF16" && name_of(DType::u64) == "U64");

}  // namespace atom

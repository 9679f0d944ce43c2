// SPDX-License-Identifier: Apache-2.0
// KvBlocks: one layer of a key-value cache as kernels see it. Slots lie in blocks of key_block; every block of a head
// is one run of bytes, with its keys transposed, as products with queries read them.
#pragma once

#include "../core/math.hpp"
#include "../core/types.hpp"

#include <cstddef>
#include <string_view>

namespace atom {

inline constexpr std::int32_t key_block = 64;

// How a cache keeps keys and values: as they are computed; as half; or as codes of 8 bits of which 32 of one key or
// value share a scale (the blocks of Q8_0: x = scale * code, scale = max|x| / 127 as half). A part of a key or value
// that is beyond half's range is held at its end.
enum class CacheType { exact, f16, q8_0 };

inline constexpr std::string_view name_of(CacheType type) {
  return type == CacheType::exact ? "f32" : type == CacheType::f16 ? "f16" : "q8_0";
}

// The keys or the values of one block. Element i of slot s is at i * key_block + s if transposed, else at
// s * width + i; the scales of q8_0 lie behind all codes in the same order.
template <class T> struct KvPart {
  static constexpr Index group = 32;  // elements that share a scale

  std::byte* data = nullptr;
  CacheType type = CacheType::exact;
  Index width = 0;
  bool transposed = false;

  static ATOM_HD constexpr Index groups(Index width) { return (width + group - 1) / group; }
  // Memory of the part: a multiple of 64 bytes.
  static ATOM_HD constexpr Index bytes(CacheType type, Index width) {
    if (type == CacheType::exact) return key_block * width * Index{sizeof(T)};
    if (type == CacheType::f16) return key_block * width * Index{sizeof(half)};
    return key_block * (width + groups(width) * Index{sizeof(half)});
  }

  ATOM_HD Index at(Index slot, Index i) const { return transposed ? i * key_block + slot : slot * width + i; }
  ATOM_HD Index scale_at(Index slot, Index i) const {
    return transposed ? i / group * key_block + slot : slot * groups(width) + i / group;
  }
  ATOM_HD T* exact() const { return reinterpret_cast<T*>(data); }
  ATOM_HD half* halves() const { return reinterpret_cast<half*>(data); }
  ATOM_HD std::int8_t* codes() const { return reinterpret_cast<std::int8_t*>(data); }
  ATOM_HD half* scales() const { return reinterpret_cast<half*>(data + key_block * width); }

  ATOM_HD T load(Index slot, Index i) const {
    if (type == CacheType::exact) return exact()[at(slot, i)];
    if (type == CacheType::f16) return static_cast<T>(static_cast<float>(halves()[at(slot, i)]));
    return static_cast<T>(static_cast<float>(scales()[scale_at(slot, i)]) * static_cast<float>(codes()[at(slot, i)]));
  }

  // Overwrites elements first..first+31 of a slot, as far as there are so many; x: element 0 of the key or value.
  ATOM_HD void store_group(Index slot, Index first, const T* x) const {
    constexpr float largest_half = 65504;
    const Index end = first + group < width ? first + group : width;
    if (type == CacheType::exact) {
      for (Index i = first; i < end; ++i) exact()[at(slot, i)] = x[i];
    } else if (type == CacheType::f16) {
      for (Index i = first; i < end; ++i)
        halves()[at(slot, i)] = half(math::min(math::max(static_cast<float>(x[i]), -largest_half), largest_half));
    } else {
      float most = 0;
      for (Index i = first; i < end; ++i) most = math::max(most, math::abs(static_cast<float>(x[i])));
      const half scale(math::min(most / 127, largest_half));
      const float unit = static_cast<float>(scale);
      scales()[scale_at(slot, first)] = scale;
      for (Index i = first; i < end; ++i) {
        const float code = unit > 0 ? math::round_even(static_cast<float>(x[i]) / unit) : 0.F;
        codes()[at(slot, i)] = static_cast<std::int8_t>(math::min(math::max(code, -127.F), 127.F));
      }
    }
  }
};

// For each batch row, key_block slots and head, in that order: keys (d, key_block), then values (key_block, e); or,
// where the values lie within the keys (latent attention), keys (key_block, d), of which the first e elements are the
// value. The key of position p is in slot p % slots.
template <class T> struct KvBlocks {
  std::byte* data = nullptr;  // memory of the kernel's device; what has not been appended is never read as a number
  CacheType type = CacheType::exact;
  Index batch = 0, slots = 0, heads = 0;  // slots: a multiple of key_block
  Index d = 0, e = 0;
  bool values_in_keys = false;

  ATOM_HD constexpr Index block_bytes() const {
    return KvPart<T>::bytes(type, d) + (values_in_keys ? 0 : KvPart<T>::bytes(type, e));
  }
  ATOM_HD constexpr Index bytes() const { return batch * (slots / key_block) * heads * block_bytes(); }
  // Of the block that holds a slot.
  ATOM_HD KvPart<T> keys(Index b, Index slot, Index head) const {
    return {block(b, slot, head), type, d, !values_in_keys};
  }
  ATOM_HD KvPart<T> values(Index b, Index slot, Index head) const {
    if (values_in_keys) return keys(b, slot, head);
    return {block(b, slot, head) + KvPart<T>::bytes(type, d), type, e, false};
  }

 private:
  ATOM_HD std::byte* block(Index b, Index slot, Index head) const {
    return data + ((b * (slots / key_block) + slot / key_block) * heads + head) * block_bytes();
  }
};

}  // namespace atom

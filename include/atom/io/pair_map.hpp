// SPDX-License-Identifier: Apache-2.0
// A map from pairs of token ids, as merging looks them up.
#pragma once

#include "../core/types.hpp"

#include <algorithm>
#include <bit>
#include <compare>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace atom::io {

struct TokenPair {
  TokenId left = 0, right = 0;
  constexpr auto operator<=>(const TokenPair&) const = default;
};

namespace detail {

// Pairs to values: open addressing, as lookups of absent pairs are the commonest.
template <class Value> class PairMap {
 public:
  explicit PairMap(std::size_t expected = 0) : slots_(std::bit_ceil(std::max<std::size_t>(16, 2 * expected))) {}

  Value* find(TokenPair pair) {
    Slot& slot = slots_[index_of(pair)];
    return slot.key == key_of(pair) ? &slot.value : nullptr;
  }
  const Value* find(TokenPair pair) const { return const_cast<PairMap*>(this)->find(pair); }

  // The value of the pair, made from Value{} if it is new. Pointers and references to others end.
  Value& operator[](TokenPair pair) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[index_of(pair)];
    if (slot.key == empty) {
      slot.key = key_of(pair);
      ++count_;
    }
    return slot.value;
  }

  template <class Visit> void for_each(Visit visit) {
    for (Slot& slot : slots_)
      if (slot.key != empty) visit(TokenPair{TokenId(slot.key >> 32U), TokenId(slot.key & 0xffffffffU)}, slot.value);
  }

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = empty;
    Value value{};
  };

  static std::uint64_t key_of(TokenPair pair) {
    return static_cast<std::uint64_t>(pair.left) << 32U | static_cast<std::uint32_t>(pair.right);
  }
  std::size_t index_of(TokenPair pair) const {  // where the pair is or would be
    const std::uint64_t key = key_of(pair);
    std::size_t at = static_cast<std::size_t>((key * 0x9E3779B97F4A7C15U) >> 24U);
    for (;; ++at) {
      at &= slots_.size() - 1;
      if (slots_[at].key == key || slots_[at].key == empty) return at;
    }
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (Slot& slot : old)
      if (slot.key != empty) {
        const auto pair = TokenPair{TokenId(slot.key >> 32U), TokenId(slot.key & 0xffffffffU)};
        slots_[index_of(pair)] = std::move(slot);
      }
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

// Lets a map of strings be searched by a view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace detail

}  // namespace atom::io

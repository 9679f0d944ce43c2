// SPDX-License-Identifier: Apache-2.0
// Values from float to the block formats of files. Blocks of 32 values are bit for bit those of ggml's reference
// functions (quantize_row_*_ref); for blocks of 256 the scales are searched, so only their layout is ggml's.
#pragma once

#include "../core/thread_pool.hpp"
#include "quantise_k.hpp"

namespace atom::io {

namespace detail {

// f(Block{}) for the struct of that type; false if quantise() does not know it or has no struct for it.
template <class F> constexpr bool with_quantised_block(BlockType type, F&& f) {
  const auto among = [&]<class... Block>(Block...) { return ((Block::type == type && (f(Block{}), true)) || ...); };
  using namespace blocks;
  return among(Q4_0{}, Q4_1{}, Q5_0{}, Q5_1{}, Q8_0{}, Q4_K{}, Q5_K{}, Q6_K{}, MXFP4{});
}

}  // namespace detail

// Whether quantise() knows the type.
constexpr bool can_quantise(BlockType type) {
  return type == BlockType::f32 || type == BlockType::f16 || type == BlockType::bf16 ||
         detail::with_quantised_block(type, [](auto) {});
}

// Fills `into` with the blocks of the values. F16 and BF16 round to nearest even, and to infinity. Errors naming
// `where`: a type that is not written; sizes that do not fit; in blocks, a number that is not finite or too large.
[[gnu::noinline]] inline void quantise(BlockType type, std::span<const float> values, std::span<std::byte> into,
                                       std::string_view where = "quantise") {
  check(can_quantise(type), where, "values of type ", name_of(type), " cannot be written");
  detail::check_blocks(where, type, into.size(), values.size());
  const auto store = [&]<class Stored>(Stored, std::size_t count, auto&& fill) {
    constexpr std::size_t grain = std::size_t{1} << 14U;  // values of a chunk
    default_pool().parallel_for(static_cast<Index>((values.size() + grain - 1) / grain), [&](Index chunk) {
      Stored block{};
      const std::size_t begin = static_cast<std::size_t>(chunk) * grain;
      for (std::size_t at = begin; at < std::min(begin + grain, values.size()); at += count) {
        fill(values.subspan(at, count), block);
        std::memcpy(&into[at / count * sizeof block], &block, sizeof block);
      }
    });
  };
  if (type == BlockType::f32 && !values.empty()) std::memcpy(into.data(), values.data(), into.size());
  const auto rounded = [](std::span<const float> one, auto& stored) {
    stored = std::decay_t<decltype(stored)>(one[0]);
  };
  if (type == BlockType::f16) store(half(), 1, rounded);
  if (type == BlockType::bf16) store(bfloat16(), 1, rounded);
  detail::with_quantised_block(type, [&]<class Block>(Block block) {
    store(block, static_cast<std::size_t>(info_of(Block::type).values),
          [&](std::span<const float> some, Block& filled) { detail::quantise_block(where, some, filled); });
  });
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// The classes of characters that tokenizers split on, as sets: \p{L}, \p{N}, \s and so on are tests of bits. Unicode
// 16.0, as Oniguruma and Rust's regex see it.
#pragma once

#include "../core/utf8.hpp"
#include "unicode_table.hpp"

#include <array>
#include <cstddef>
#include <iterator>

namespace atom::io {

using CharSet = std::uint32_t;

// A character is in exactly one of the first eleven: `other`, White_Space, or its general category.
namespace chars {
inline constexpr CharSet other = 1U << 0U, space = 1U << 1U, number = 1U << 2U, mark = 1U << 3U, punctuation = 1U << 4U,
                         symbol = 1U << 5U, upper = 1U << 6U, lower = 1U << 7U, title = 1U << 8U, modifier = 1U << 9U,
                         uncased = 1U << 10U, letter = upper | lower | title | modifier | uncased;
inline constexpr CharSet any = (1U << 11U) - 1;
inline constexpr CharSet han = 1U << 11U;   // the script
inline constexpr CharSet word = 1U << 12U;  // \w
}  // namespace chars

namespace detail {

constexpr CharSet set_of_class(std::uint32_t entry) {
  return 1U << (entry & 15U) | ((entry & 16U) != 0 ? chars::han : 0) | ((entry & 32U) != 0 ? chars::word : 0);
}

struct UnicodeRuns {
  std::array<std::uint32_t, std::size(unicode_runs) + 1> first{};  // and one at the end
  std::array<std::uint16_t, 0x1100> page{};                        // the run that holds the first code of 256
  std::array<CharSet, 128> ascii{};
};
inline constexpr UnicodeRuns unicode_index = [] {
  UnicodeRuns index;
  std::size_t page = 0;
  for (std::size_t i = 0; i < std::size(unicode_runs); ++i) {
    const std::uint32_t first = index.first[i], end = index.first[i + 1] = first + (unicode_runs[i] >> 6U);
    for (; page < index.page.size() && (page << 8U) < end; ++page) index.page[page] = static_cast<std::uint16_t>(i);
    for (std::uint32_t code = first; code < end && code < 128; ++code)
      index.ascii[code] = set_of_class(unicode_runs[i]);
  }
  return index;
}();

}  // namespace detail

// Of any code; no_character and codes beyond Unicode are `other`.
constexpr CharSet char_set(char32_t code) {
  if (code < 128) return detail::unicode_index.ascii[code];
  if (code >= 0x110000) return chars::other;
  std::size_t low = detail::unicode_index.page[code >> 8U];
  std::size_t high = (code >> 8U) + 1 < 0x1100 ? detail::unicode_index.page[(code >> 8U) + 1] + std::size_t{1}
                                               : std::size(detail::unicode_runs);
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (detail::unicode_index.first[middle] <= code ? low : high) = middle;
  }
  return detail::set_of_class(detail::unicode_runs[low]);
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// The classes of characters that tokenizers split on: \p{L}, \p{N} and \s of their regular expressions, Unicode 16.0.
#pragma once

#include "../core/utf8.hpp"
#include "unicode_table.hpp"

#include <algorithm>
#include <iterator>

namespace atom::io {

enum class CharClass : std::uint8_t { other, letter, number, space };

// Of any code; no_character and codes beyond Unicode are `other`.
constexpr CharClass class_of(char32_t code) {
  if (code < 0x80) {
    if ((code | 0x20U) >= 'a' && (code | 0x20U) <= 'z') return CharClass::letter;
    if (code >= '0' && code <= '9') return CharClass::number;
    return code == ' ' || (code >= '\t' && code <= '\r') ? CharClass::space : CharClass::other;
  }
  if (code >= 0x110000) return CharClass::other;
  const auto* after =
      std::upper_bound(std::begin(detail::unicode_runs), std::end(detail::unicode_runs), code << 2U | 3U);
  return static_cast<CharClass>(after[-1] & 3U);
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// UTF-8: one character from bytes, and back. Input may be any bytes; what is not UTF-8 is reported, never read past.
#pragma once

#include "error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace atom {

inline constexpr char32_t no_character = 0xffffffffU;                 // stands for bytes that are not UTF-8
inline constexpr std::string_view replacement_text = "\xEF\xBF\xBD";  // U+FFFD, shown in their place

struct Utf8Character {
  char32_t code = no_character;
  std::uint32_t length = 0;  // bytes it takes; of bad input the longest start of a character, at least 1
  bool cut = false;          // the text ended inside it: more bytes could still make it a character
};

// The character that starts at byte `at` (< text.size()). Overlong forms, surrogates and codes beyond U+10FFFF are
// bad, and a bad sequence ends where the Unicode standard (section 3.9, maximal subparts) ends it.
constexpr Utf8Character utf8_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return {no_character, 1};
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and codes that are too large.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code = lead & (0x7FU >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    if (at + i == text.size()) return {no_character, i, true};
    if (byte(at + i) < low || byte(at + i) > high) return {no_character, i};
    code = code << 6U | (byte(at + i) & 0x3FU);
    low = 0x80;
    high = 0xBF;
  }
  return {code, length};
}

// Appends the character, which must be a Unicode scalar value.
inline void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | code >> 6U);
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | code >> 12U);
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U);
    put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

// A character as messages show it: 'x' (U+0078); without the picture where that would be a control character.
inline std::string describe_character(char32_t code) {
  std::string text;
  if (code >= 0x20 && !(code >= 0x7F && code < 0xA0)) {
    text += '\'';
    append_utf8(text, code);
    text += "' (";
  }
  text += "U+";
  for (int shift = code > 0xFFFFF ? 20 : code > 0xFFFF ? 16 : 12; shift >= 0; shift -= 4)
    text += "0123456789ABCDEF"[code >> static_cast<unsigned>(shift) & 0xFU];
  if (text.front() == '\'') text += ')';
  return text;
}

}  // namespace atom

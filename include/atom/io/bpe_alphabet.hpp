// SPDX-License-Identifier: Apache-2.0
// GPT-2's way to write bytes as visible characters: printable Latin-1 stands for itself, the other 68 bytes for U+0100
// and on. Files of byte-level tokenizers spell tokens so, and number the 256 bytes in the order of these characters.
#pragma once

#include "../core/utf8.hpp"

#include <array>

namespace atom::io {

// The character of each byte.
inline constexpr std::array<char32_t, 256> byte_letters = [] {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
    letters[byte] = printable ? byte : next++;
  }
  return letters;
}();

// The bytes in the order of their characters.
inline constexpr std::array<unsigned char, 256> bytes_by_letter = [] {
  std::array<unsigned char, 256> bytes{};
  std::size_t at = 0;
  for (const bool itself : {true, false})
    for (unsigned byte = 0; byte < 256; ++byte)
      if ((byte_letters[byte] == byte) == itself) bytes[at++] = static_cast<unsigned char>(byte);
  return bytes;
}();

inline std::string spell_bytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8(text, byte_letters[static_cast<unsigned char>(byte)]);
  return text;
}

// The bytes that a spelling stands for. False, and `bytes` is cut short, if it holds a character that stands for none.
inline bool unspell_bytes(std::string_view text, std::string& bytes) {
  static constexpr auto bytes_of = [] {
    std::array<std::int16_t, 0x144> table{};
    table.fill(-1);
    for (std::size_t byte = 0; byte < 256; ++byte) table[byte_letters[byte]] = static_cast<std::int16_t>(byte);
    return table;
  }();
  bytes.clear();
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, length, cut] = utf8_at(text, at);
    if (code >= bytes_of.size() || bytes_of[code] < 0) return false;
    bytes += static_cast<char>(bytes_of[code]);
    at += length;
  }
  return true;
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// Text in quotes: as JSON writes it, and as messages show what a file says.
#pragma once

#include <string>
#include <string_view>

namespace atom::io {

// Appends a JSON string: in quotes, with its escapes. Bytes that are not UTF-8 pass as they are.
inline void append_quoted(std::string& text, std::string_view raw) {
  text += '"';
  for (const char c : raw) {
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    if (const std::size_t at = special.find(c); at != special.npos) {
      text += '\\';
      text += letters[at];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      text += "\\u00";
      text += digits[static_cast<std::size_t>(c) / 16];
      text += digits[static_cast<std::size_t>(c) % 16];
    } else {
      text += c;
    }
  }
  text += '"';
}

// A text from a file, made fit for a message: in quotes, escaped, cut after `most` bytes.
inline std::string in_quotes(std::string_view raw, std::size_t most = 80) {
  std::string text;
  append_quoted(text, raw.substr(0, most));
  if (raw.size() > most) text += "...";
  return text;
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// Text from tokens, as they come: what is given out never ends inside a character.
#pragma once

#include "../core/utf8.hpp"
#include "tokenizer_rules.hpp"

#include <string>

namespace atom::io::detail {

// The byte that a token like <0x0A> stands for, or -1.
inline int fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  int byte = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9', letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'f';
    if (!digit && !letter) return -1;
    byte = byte * 16 + (digit ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return byte;
}

class TokenDecoder {
 public:
  explicit TokenDecoder(Decoder rules) : rules_(rules), strip_(rules.strip_left) {}

  // The characters that the bytes of one more token completed, possibly none. Valid until the next call.
  std::string_view push(std::string_view token) {
    if (const int byte = rules_.byte_fallback ? fallback_byte(token) : -1; byte >= 0) {
      run_ += static_cast<char>(byte);
      return {};
    }
    end_run();
    if (rules_.space_marks) {
      for (std::size_t at = 0; at < token.size();) {
        const std::size_t mark = std::min(token.find(space_mark_text, at), token.size());
        bytes_ += token.substr(at, mark - at);
        if (mark < token.size()) bytes_ += ' ';
        at = mark + space_mark_text.size();
      }
    } else {
      bytes_ += token;
    }
    return take(false);
  }
  std::string_view finish() {
    end_run();
    return take(true);
  }

 private:
  // Fallback bytes count as a whole: one that is wrong spoils its neighbours.
  void end_run() {
    bool good = true;
    for (std::size_t at = 0; at < run_.size() && good;) {
      const auto character = utf8_at(run_, at);
      good = character.code != no_character;
      at += character.length;
    }
    if (good)
      bytes_ += run_;
    else
      for (std::size_t i = 0; i < run_.size(); ++i) bytes_ += replacement_text;
    run_.clear();
  }

  std::string_view take(bool all) {
    text_.clear();
    std::size_t at = 0;
    while (at < bytes_.size()) {
      const auto [code, length, cut] = utf8_at(bytes_, at);
      if (cut && !all) break;
      if (strip_ > 0 && code == ' ')
        --strip_;
      else {
        strip_ = 0;
        text_ += code == no_character ? replacement_text : std::string_view(bytes_).substr(at, length);
      }
      at += length;
    }
    bytes_.erase(0, at);
    return text_;
  }

  Decoder rules_;
  int strip_;
  std::string run_, bytes_, text_;
};

}  // namespace atom::io::detail

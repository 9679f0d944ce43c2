// SPDX-License-Identifier: Apache-2.0
// Splitters: they cut a text into the words inside which a tokenizer merges. Each is a plain function in linear time
// that calls `word(std::string_view)` for pieces which, put together, are the text.
#pragma once

#include "unicode.hpp"

#include <tuple>

namespace atom::io {

// GPT-2's pattern: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Bytes that are not UTF-8 count as characters that are neither letter, number nor space.
template <class Word> void split_gpt2(std::string_view text, Word&& word) {
  const auto class_at = [&](std::size_t at) {
    const auto character = utf8_at(text, at);
    return std::pair(class_of(character.code), std::size_t{character.length});
  };
  // The end of the run of one class from `at` on; `last` becomes the start of its last character.
  const auto run_end = [&](std::size_t at, CharClass run, std::size_t& last) {
    for (auto [found, length] = class_at(at); found == run; std::tie(found, length) = class_at(at)) {
      last = at;
      at += length;
      if (at >= text.size()) break;
    }
    return at;
  };
  const auto contraction = [&](std::size_t at) -> std::size_t {  // its length, or 0
    if (text[at] != '\'' || at + 1 == text.size()) return 0;
    const char first = text[at + 1];
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    const std::string_view two = text.substr(at + 1, 2);
    return two == "re" || two == "ve" || two == "ll" ? 3 : 0;
  };
  for (std::size_t at = 0, end = 0; at < text.size(); at = end) {
    std::size_t last = at;
    if (const std::size_t length = contraction(at)) {
      end = at + length;
    } else {
      // A space goes with the run that follows it.
      const std::size_t start = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
      CharClass run = class_at(start).first;
      if (run != CharClass::space) {
        end = run_end(start, run, last);
      } else {
        end = run_end(at, CharClass::space, last);
        if (end < text.size() && last > at) end = last;  // white space leaves its last character to what follows
      }
    }
    word(text.substr(at, end - at));
  }
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// What a tokenizer does around its model, in the order of the work: normalize the text between added tokens, mark its
// spaces, split it into words; after the model, put tokens around the text; and how tokens become text again.
#pragma once

#include "normalize.hpp"
#include "split.hpp"

namespace atom::io {

struct Normalizer {
  bool nfc = false;          // canonical composition
  bool mark_start = false;   // ▁ before any text that is not empty
  bool mark_spaces = false;  // ▁ for each space
  bool any() const { return nfc || mark_start || mark_spaces; }

  void append(std::string& to, std::string_view text) const;
};

// SentencePiece's spaces, marked after added tokens of either kind are found: ▁ for each, and one before the text.
enum class SpaceMarks : std::uint8_t { none, only, first, always };  // before no text, the first one, each one

struct Decoder {
  bool byte_letters = false;   // added tokens that could be spelled bytes are that, as all others (HF's ByteLevel)
  bool space_marks = false;    // ▁ is a space
  bool byte_fallback = false;  // <0x00> .. <0xFF> are bytes; a run of them that is not UTF-8 is U+FFFD for each
  int strip_left = 0;          // so many spaces at the start of the text are left out
};

struct TokenizerRules {
  Normalizer normalizer = {};
  SpaceMarks space_marks = SpaceMarks::none;
  std::vector<Splitter> splitters = {};
  std::vector<TokenId> before = {}, after = {};  // the text, if special tokens are to be added
  Decoder decoder = {};
};

namespace detail {
inline void append_marking_spaces(std::string& to, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t space = std::min(text.find(' ', at), text.size());
    to.append(text, at, space - at);
    if (space < text.size()) to += space_mark_text;
    at = space + 1;
  }
}
}  // namespace detail

inline void Normalizer::append(std::string& to, std::string_view text) const {
  if (text.empty()) return;
  if (mark_start) to += space_mark_text;
  if (nfc && mark_spaces) {
    std::string composed;
    append_nfc(composed, text);
    detail::append_marking_spaces(to, composed);
  } else if (nfc) {
    append_nfc(to, text);
  } else if (mark_spaces) {
    detail::append_marking_spaces(to, text);
  } else {
    to += text;
  }
}

}  // namespace atom::io

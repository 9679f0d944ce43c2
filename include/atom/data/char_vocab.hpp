// SPDX-License-Identifier: Apache-2.0
// CharVocab: one token for each different character of a text, numbered in the order of their code points.
// A character is a Unicode scalar value; marks that combine are characters of their own.
#pragma once

#include "../core/utf8.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

namespace atom::data {

class CharVocab {
 public:
  // Errors: the text is empty; it is not UTF-8 (naming the byte).
  explicit CharVocab(std::string_view text) {
    check(!text.empty(), "char_vocab", "the text is empty: a vocabulary needs a character");
    std::vector<bool> seen(0x110000);
    for_each_character(text, [&](char32_t code, std::size_t) { seen[code] = true; });
    for (char32_t code = 0; code < seen.size(); ++code)
      if (seen[code]) codes_.push_back(code);
    for (std::size_t id = 0; id < codes_.size() && codes_[id] < 128; ++id)
      ascii_ids_[codes_[id]] = static_cast<TokenId>(id) + 1;
  }

  Index size() const { return static_cast<Index>(codes_.size()); }

  // All characters in the order of their ids: CharVocab(vocab.characters()) is the same vocabulary.
  std::string characters() const {
    std::string text;
    for (const char32_t code : codes_) append_utf8(text, code);
    return text;
  }

  // One id per character. Errors: not UTF-8; a character that the vocabulary lacks (naming it and its byte).
  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> ids;
    ids.reserve(text.size());
    for_each_character(text, [&](char32_t code, std::size_t at) {
      const TokenId id = find(code);
      if (id < 0)
        fail("char_vocab", "the character ", describe_character(code), " at byte ", at, " is not among the ", size(),
             " of the vocabulary");
      ids.push_back(id);
    });
    return ids;
  }

  // Error: an id outside the vocabulary.
  std::string decode(std::span<const TokenId> ids) const {
    std::string text;
    for (const TokenId id : ids) {
      check(id >= 0 && id < size(), "char_vocab", "id out of range: found ", id, ", expected 0 to ", size() - 1);
      append_utf8(text, codes_[static_cast<std::size_t>(id)]);
    }
    return text;
  }

 private:
  template <class Visit> static void for_each_character(std::string_view text, Visit visit) {
    for (std::size_t at = 0; at < text.size();) {
      const auto [code, length, cut] = utf8_at(text, at);
      if (code == no_character) fail("char_vocab", "the text is not UTF-8: found a bad sequence at byte ", at);
      visit(code, at);
      at += length;
    }
  }

  TokenId find(char32_t code) const {
    if (code < 128) return ascii_ids_[code] - 1;
    const auto found = std::lower_bound(codes_.begin(), codes_.end(), code);
    return found != codes_.end() && *found == code ? static_cast<TokenId>(found - codes_.begin()) : -1;
  }

  std::vector<char32_t> codes_;           // sorted
  std::array<TokenId, 128> ascii_ids_{};  // id + 1; 0 where absent
};

}  // namespace atom::data

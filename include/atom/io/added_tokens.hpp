// SPDX-License-Identifier: Apache-2.0
// Added tokens such as <|endoftext|>: they are found in a text before anything else is done to it. What matches where
// is what Hugging Face's tokenizers find, down to matches that share white space.
#pragma once

#include "../core/error.hpp"
#include "pair_map.hpp"
#include "split_match.hpp"

#include <array>
#include <string>
#include <vector>

namespace atom::io {

struct AddedToken {
  TokenId id = 0;
  std::string text;
  bool special = true;       // a mark like <|endoftext|>: decoding can leave it out
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and after it
  bool single_word = false;  // only where no letter, digit, mark or _ touches it
  bool normalized = false;   // found in the normalized text, by its own normalized text
};

namespace detail {

// Finds some added tokens: the leftmost, and of those the longest. Each byte of a text costs at most the length of
// the longest token.
class AddedTokenFinder {
 public:
  AddedTokenFinder() { first_.fill(-1); }

  // `index` is what the match reports. False: the same text was added before.
  bool add(std::string_view text, const AddedToken& token, std::size_t index) {
    std::int32_t node = root;
    for (const char c : text) {
      std::int32_t& next = node == root ? first_[static_cast<unsigned char>(c)] : next_[key(node, c)];
      if (next <= 0) {
        next = static_cast<std::int32_t>(ends_.size());
        ends_.push_back(-1);
      }
      node = next;
    }
    std::int32_t& end = ends_[static_cast<std::size_t>(node)];
    if (end >= 0) return false;
    end = static_cast<std::int32_t>(tokens_.size());
    tokens_.push_back({index, token.special, token.lstrip, token.rstrip, token.single_word});
    return true;
  }

  // Calls `plain(first, last)`, bytes of the text, and `token(index)` for its parts, in order. Without `special`,
  // special tokens are plain text.
  template <class Plain, class Token>
  void split(std::string_view text, bool special, Plain&& plain, Token&& token) const {
    std::size_t done = 0;                            // plain text before this has been reported
    std::size_t stripped_from = 0, stripped_to = 0;  // white space that was stripped last
    for (std::size_t at = 0; at < text.size();) {
      std::size_t stop = at;
      const Found* found = match(text, at, stop);
      if (found == nullptr) {
        ++at;
        continue;
      }
      std::size_t start = at;
      at = stop;
      if (found->special && !special) continue;
      if (found->single_word && (word_ends(text, start) || (glyph_at(text, stop).set & chars::word) != 0)) continue;
      if (found->lstrip) {
        while (start > done) {
          const std::size_t back = before(text, start);
          if ((glyph_at(text, back).set & chars::space) == 0) break;
          start = back;
        }
        start = std::max(start, done);
      }
      if (found->rstrip) {
        if (stop < stripped_from || stop >= stripped_to) {
          stripped_from = stop;
          stripped_to = run_end(text, stop, chars::space);
        }
        stop = stripped_to;
      }
      if (start >= stop) continue;  // all of it went with the token before
      if (done < start) plain(done, start);
      token(found->index);
      done = stop;
    }
    if (done < text.size()) plain(done, text.size());
  }

 private:
  static constexpr std::int32_t root = 0;
  struct Found {
    std::size_t index;
    bool special, lstrip, rstrip, single_word;
  };

  static TokenPair key(std::int32_t node, char c) { return {node, static_cast<unsigned char>(c)}; }
  static bool word_ends(std::string_view text, std::size_t at) {
    return at > 0 && (glyph_at(text, before(text, at)).set & chars::word) != 0;
  }

  const Found* match(std::string_view text, std::size_t at, std::size_t& stop) const {
    std::int32_t longest = -1;
    std::int32_t node = first_[static_cast<unsigned char>(text[at])];
    for (std::size_t end = at + 1; node > 0; ++end) {
      if (const std::int32_t found = ends_[static_cast<std::size_t>(node)]; found >= 0) {
        longest = found;
        stop = end;
      }
      if (end == text.size()) break;
      const std::int32_t* next = next_.find(key(node, text[end]));
      node = next == nullptr ? -1 : *next;
    }
    return longest < 0 ? nullptr : &tokens_[static_cast<std::size_t>(longest)];
  }

  std::array<std::int32_t, 256> first_{};
  PairMap<std::int32_t> next_;
  std::vector<std::int32_t> ends_ = {-1};  // of nodes: the token that ends there
  std::vector<Found> tokens_;
};

}  // namespace detail
}  // namespace atom::io

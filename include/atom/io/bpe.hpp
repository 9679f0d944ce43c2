// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: inside a word, the pair of neighbours whose merge was learnt first becomes one token, until no
// pair has a merge (Sennrich et al. 2016). O(n log n) for a word of n symbols.
// Tokens are byte strings here; how a file spells them is tokenizer_json.hpp's affair.
#pragma once

#include "../core/utf8.hpp"
#include "pair_map.hpp"

#include <array>
#include <limits>
#include <span>
#include <unordered_map>

namespace atom::io {

// What merging starts from: single bytes, or the characters of UTF-8.
enum class BpeSymbols { bytes, characters };

struct BpeRules {
  BpeSymbols symbols = BpeSymbols::bytes;
  bool whole_words = false;    // a word that is a token is not merged: ignore_merges
  bool byte_fallback = false;  // a character that is no token becomes the tokens <0x00> .. <0xFF> of its bytes
  TokenId unknown = -1;        // or else this token, if there is one
  bool fuse_unknown = false;   // one such token for a run of them
  // If not empty, one rank a token and no merges: a pair merges if its text is a token, that of the lowest rank first.
  std::vector<std::int32_t> ranks = {};
};

// Memory of one encoding, kept from word to word.
struct BpeWorkspace {
  struct Symbol {
    TokenId id;                   // -1 once it is part of the symbol before it, -2 for a character that is no token
    std::int32_t previous, next;  // positions; -1 at the ends
    std::int32_t start;           // byte of the word; counted only where merges go by rank
    std::int32_t rank = -1;       // of the merge with the next one; -1 if there is none
    TokenId merged = -1;          // what that makes
  };
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> queue;  // rank << 32 | position of the left symbol
};

class Bpe {
 public:
  // `tokens[id]` are bytes (an id without token has none), `merges` come in the order learnt. Errors, naming `where`:
  // a token twice; a merge of or into no token; more than 2^31 - 1 tokens; rules that name what is not there.
  Bpe(std::vector<std::string> tokens, std::vector<TokenPair> merges, BpeRules rules, std::string_view where = "bpe")
      : tokens_(std::move(tokens)), merges_(std::move(merges)), rules_(std::move(rules)), merge_of_(merges_.size()) {
    check(tokens_.size() <= max_tokens && merges_.size() <= max_tokens, where, "too many tokens: found ",
          tokens_.size(), " and ", merges_.size(), " merges");
    ids_.reserve(tokens_.size());
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      longest_ = std::max(longest_, tokens_[id].size());
      if (!tokens_[id].empty() && !ids_.emplace(tokens_[id], static_cast<TokenId>(id)).second)
        fail(where, "a token is there twice: ids ", find(tokens_[id]), " and ", id);
    }
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      byte_ids_[byte] = find(std::string(1, static_cast<char>(byte)));
      fallback_ids_[byte] = find(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + '>');
    }
    check(rules_.unknown == -1 || has(rules_.unknown), where,
          "no token has the id of the unknown one: ", rules_.unknown);
    check(rules_.ranks.empty() || (rules_.ranks.size() == tokens_.size() && merges_.empty()), where, "found ",
          rules_.ranks.size(), " ranks and ", merges_.size(), " merges for ", tokens_.size(), " tokens");
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
      const auto [left, right] = merges_[rank];
      check(has(left) && has(right), where, "merge ", rank, " is of a token that does not exist");
      const TokenId merged = find(text_of(left) + text_of(right));
      check(merged >= 0, where, "merge ", rank, " makes a token that does not exist");
      merge_of_[merges_[rank]] = {static_cast<std::int32_t>(rank), merged};
    }
  }
  Bpe(std::vector<std::string> tokens, std::vector<TokenPair> merges, BpeSymbols symbols,
      std::string_view where = "bpe")
      : Bpe(std::move(tokens), std::move(merges), BpeRules{.symbols = symbols}, where) {}

  Index size() const { return static_cast<Index>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<TokenPair>& merges() const { return merges_; }
  const BpeRules& rules() const { return rules_; }
  BpeSymbols symbols() const { return rules_.symbols; }

  // The id of the token of exactly these bytes; -1 if there is none.
  TokenId find(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }

  // Appends the ids of one word. Error: a byte or character that the vocabulary lacks, and no rule for that.
  void encode_word(std::string_view word, std::vector<TokenId>& ids, BpeWorkspace& work) const {
    check(word.size() < max_tokens, "bpe", "the text is too long to be one word: ", word.size(), " bytes");
    if (rules_.whole_words)
      if (const TokenId whole = find(word); whole >= 0) return ids.push_back(whole);
    work.symbols.clear();
    gather(word, work);
    if (work.symbols.empty()) return;
    work.symbols.back().next = -1;
    merge(word, work);
    append_ids(word, work, ids);
  }

 private:
  static constexpr std::size_t max_tokens = std::numeric_limits<std::int32_t>::max();
  static constexpr TokenId no_token = -2;
  struct Merge {
    std::int32_t rank = 0;
    TokenId id = 0;
  };

  bool has(TokenId id) const { return id >= 0 && id < size() && !text_of(id).empty(); }
  const std::string& text_of(TokenId id) const { return tokens_[static_cast<std::size_t>(id)]; }
  static std::uint64_t entry(std::int32_t rank, std::int32_t position) {
    return static_cast<std::uint64_t>(rank) << 32U | static_cast<std::uint32_t>(position);
  }

  // Whether each byte of a character has a fallback token.
  bool falls_back(std::string_view character) const {
    return rules_.byte_fallback && std::all_of(character.begin(), character.end(), [&](char c) {
             return fallback_ids_[static_cast<unsigned char>(c)] >= 0;
           });
  }

  // The symbols of a word before any merge. By rank, a character that is no token can still be part of one; otherwise
  // it becomes at once what stands for it, and a run of unknown ones is one that ends before the next known token.
  void gather(std::string_view word, BpeWorkspace& work) const {
    auto& symbols = work.symbols;
    const auto push = [&](TokenId id, std::size_t start) {
      const auto position = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({id, position - 1, position + 1, static_cast<std::int32_t>(start)});
    };
    bool unknown = false;  // one is still to be pushed
    for (std::size_t at = 0, length = 1; at < word.size(); at += length) {
      length = rules_.symbols == BpeSymbols::bytes ? 1 : utf8_at(word, at).length;
      const auto character = word.substr(at, length);
      const TokenId id = length == 1 ? byte_ids_[static_cast<unsigned char>(word[at])] : find(character);
      if (id >= 0 || !rules_.ranks.empty()) {
        if (unknown) push(rules_.unknown, at);
        unknown = false;
        push(id >= 0 ? id : no_token, at);
      } else if (falls_back(character)) {
        for (const char c : character) push(fallback_ids_[static_cast<unsigned char>(c)], at);
      } else {
        if (rules_.unknown < 0) fail_symbol(word, at);
        if (unknown && !rules_.fuse_unknown) push(rules_.unknown, at);
        unknown = true;
      }
    }
    if (unknown) push(rules_.unknown, word.size());
  }

  void append_ids(std::string_view word, const BpeWorkspace& work, std::vector<TokenId>& ids) const {
    const auto& symbols = work.symbols;
    bool unknown = false;  // whether the last id is an unknown token that the next one fuses with
    for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next) {
      const auto& symbol = symbols[static_cast<std::size_t>(i)];
      if (symbol.id >= 0) {
        ids.push_back(symbol.id);
        unknown = false;
        continue;
      }
      const auto start = static_cast<std::size_t>(symbol.start);
      const auto character = word.substr(start, utf8_at(word, start).length);
      if (falls_back(character)) {
        for (const char c : character) ids.push_back(fallback_ids_[static_cast<unsigned char>(c)]);
        unknown = false;
      } else {
        if (rules_.unknown < 0) fail_symbol(word, start);
        if (!unknown || !rules_.fuse_unknown) ids.push_back(rules_.unknown);
        unknown = true;
      }
    }
  }

  // Finds the merge of the symbol at a position with the next one, and queues it.
  template <class Queue>
  void look(std::string_view word, BpeWorkspace& work, std::int32_t position, Queue queue) const {
    auto& symbol = work.symbols[static_cast<std::size_t>(position)];
    symbol.rank = -1;
    if (symbol.next < 0) return;
    const auto& next = work.symbols[static_cast<std::size_t>(symbol.next)];
    if (rules_.ranks.empty()) {
      const Merge* merge = merge_of_.find({symbol.id, next.id});
      if (merge == nullptr) return;
      symbol.rank = merge->rank;
      symbol.merged = merge->id;
    } else {
      const std::size_t start = static_cast<std::size_t>(symbol.start);
      const std::size_t end = next.next < 0
                                  ? word.size()
                                  : static_cast<std::size_t>(work.symbols[static_cast<std::size_t>(next.next)].start);
      if (end - start > longest_) return;
      symbol.merged = find(word.substr(start, end - start));
      if (symbol.merged < 0) return;
      symbol.rank = rules_.ranks[static_cast<std::size_t>(symbol.merged)];
      if (symbol.rank < 0) return;
    }
    queue(entry(symbol.rank, position));
  }

  // The symbol to the right of a merge stays in the list of memory but not in the chain, marked by the id -1. A queued
  // merge whose pair has changed since is known by its rank.
  void merge(std::string_view word, BpeWorkspace& work) const {
    if (merges_.empty() && rules_.ranks.empty()) return;
    auto& queue = work.queue;
    queue.clear();
    for (std::size_t i = 0; i + 1 < work.symbols.size(); ++i)
      look(word, work, static_cast<std::int32_t>(i), [&](std::uint64_t found) { queue.push_back(found); });
    std::make_heap(queue.begin(), queue.end(), std::greater());
    const auto at = [&](std::int32_t i) -> BpeWorkspace::Symbol& { return work.symbols[static_cast<std::size_t>(i)]; };
    while (!queue.empty()) {
      std::pop_heap(queue.begin(), queue.end(), std::greater());
      const std::uint64_t first = queue.back();
      queue.pop_back();
      const auto position = static_cast<std::int32_t>(first & 0xffffffffU);
      auto& left = at(position);
      if (left.id == -1 || left.rank != static_cast<std::int32_t>(first >> 32U)) continue;
      auto& right = at(left.next);
      left.id = left.merged;
      left.next = right.next;
      right.id = -1;
      if (left.next >= 0) at(left.next).previous = position;
      for (const std::int32_t neighbour : {left.previous, position})
        if (neighbour >= 0)
          look(word, work, neighbour, [&](std::uint64_t found) {
            queue.push_back(found);
            std::push_heap(queue.begin(), queue.end(), std::greater());
          });
    }
  }

  [[noreturn]] void fail_symbol(std::string_view word, std::size_t at) const {
    const char32_t code = utf8_at(word, at).code;
    if (rules_.symbols == BpeSymbols::characters && code != no_character)
      fail("tokenizer", "the character ", describe_character(code), " is not in the vocabulary");
    fail("tokenizer", "the byte ", static_cast<int>(static_cast<unsigned char>(word[at])), " is not in the vocabulary");
  }

  std::vector<std::string> tokens_;
  std::vector<TokenPair> merges_;
  BpeRules rules_;
  std::size_t longest_ = 0;
  detail::PairMap<Merge> merge_of_;
  std::unordered_map<std::string, TokenId, detail::TextHash, std::equal_to<>> ids_;
  std::array<TokenId, 256> byte_ids_{};
  std::array<TokenId, 256> fallback_ids_{};
};

}  // namespace atom::io

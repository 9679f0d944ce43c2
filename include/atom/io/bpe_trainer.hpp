// SPDX-License-Identifier: Apache-2.0
// Learns a byte-level BPE from a text: again and again, the commonest pair of neighbours inside words becomes a token.
// Deterministic: of equally common pairs the one with the lowest ids. Of the text only its different words are kept; a
// position index and a lazy heap make a merge cost what it changes.
#pragma once

#include "bpe_alphabet.hpp"
#include "tokenizer.hpp"

#include <queue>

namespace atom::io {

struct BpeOptions {
  Index size = 4096;           // tokens in all: 256 bytes, the merges, the special ones; fewer if pairs run out
  std::int64_t min_count = 2;  // rarer pairs are not merged
  std::vector<std::string> special = {"<|endoftext|>"};  // the last ids; nothing is learnt across them
};

namespace detail {

class BpeTrainer {
 public:
  BpeTrainer() {
    for (std::size_t id = 0; id < bytes_by_letter.size(); ++id) {
      tokens.emplace_back(1, static_cast<char>(bytes_by_letter[id]));
      byte_ids_[bytes_by_letter[id]] = static_cast<TokenId>(id);
    }
    for (std::size_t id = 0; id < tokens.size(); ++id) ids_.emplace(tokens[id], static_cast<TokenId>(id));
  }

  // A word that occurs `count` times.
  void add(std::string_view word, std::int64_t count) {
    const std::size_t first = symbols_.size(), end = first + word.size();
    check(end < std::numeric_limits<std::int32_t>::max(), "train_bpe",
          "too many different words: more than 2^31 bytes");
    for (std::size_t i = first; i < end; ++i)
      symbols_.push_back({.id = byte_ids_[static_cast<unsigned char>(word[i - first])],
                          .previous = i == first ? -1 : static_cast<std::int32_t>(i) - 1,
                          .next = i + 1 == end ? -1 : static_cast<std::int32_t>(i) + 1,
                          .word = static_cast<std::int32_t>(counts_.size())});
    counts_.push_back(count);
  }

  void learn(std::size_t size, std::int64_t min_count) {
    for (std::size_t i = 0; i < symbols_.size(); ++i)
      if (symbols_[i].next >= 0) change(static_cast<std::int32_t>(i), +1);
    pairs_.for_each([&](TokenPair pair, const Pair& known) { queue_.push({known.count, pair}); });
    while (tokens.size() < size && !queue_.empty()) {
      const auto [count, pair] = queue_.top();
      queue_.pop();
      // Queued counts are as old as their entry: who fell is queued anew, who rose was queued when it did.
      const std::int64_t now = pairs_.find(pair)->count;
      if (now < count && now >= min_count) queue_.push({now, pair});
      if (now != count) continue;
      if (count < min_count) break;
      merge(pair);
    }
  }

  std::vector<std::string> tokens;
  std::vector<TokenPair> merges;

 private:
  struct Symbol {
    TokenId id;                   // -1 once it is part of the symbol before it
    std::int32_t previous, next;  // positions in the word; -1 at its ends
    std::int32_t word;
  };
  struct Pair {
    std::int64_t count = 0;
    std::vector<std::int32_t> positions;  // where it stands or once stood
  };
  struct Candidate {
    std::int64_t count;
    TokenPair pair;
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.count != b.count ? a.count < b.count : a.pair > b.pair;
    }
  };

  Symbol& at(std::int32_t position) { return symbols_[static_cast<std::size_t>(position)]; }
  TokenPair pair_at(std::int32_t position) { return {at(position).id, at(at(position).next).id}; }

  // Counts the pair that starts at a position in (+1) or out (-1).
  void change(std::int32_t position, std::int64_t sign) {
    Pair& pair = pairs_[pair_at(position)];
    pair.count += sign * counts_[static_cast<std::size_t>(at(position).word)];
    if (sign > 0) pair.positions.push_back(position);
  }

  void merge(TokenPair pair) {
    const auto bytes = [&](TokenId id) { return tokens[static_cast<std::size_t>(id)]; };
    // Two pairs can make the same bytes: then they make the same token.
    const auto [known, is_new] =
        ids_.emplace(bytes(pair.left) + bytes(pair.right), static_cast<TokenId>(tokens.size()));
    if (is_new) tokens.push_back(known->first);
    merges.push_back(pair);

    std::vector<std::int32_t> positions = std::move(pairs_.find(pair)->positions);
    std::sort(positions.begin(), positions.end());  // aaa becomes (aa)a
    std::vector<TokenPair> risen;
    for (const std::int32_t position : positions) {
      Symbol& left = at(position);
      if (left.id != pair.left || left.next < 0 || at(left.next).id != pair.right) continue;
      Symbol& right = at(left.next);
      if (left.previous >= 0) change(left.previous, -1);
      if (right.next >= 0) change(left.next, -1);
      left.id = known->second;
      right.id = -1;
      left.next = right.next;
      if (left.next >= 0) at(left.next).previous = position;
      for (const std::int32_t start : {left.previous, left.next >= 0 ? position : -1})
        if (start >= 0) {
          change(start, +1);
          risen.push_back(pair_at(start));
        }
    }
    *pairs_.find(pair) = {};
    std::sort(risen.begin(), risen.end());
    risen.erase(std::unique(risen.begin(), risen.end()), risen.end());
    for (const TokenPair& found : risen)
      if (const std::int64_t count = pairs_.find(found)->count; count > 0) queue_.push({count, found});
  }

  std::vector<Symbol> symbols_;
  std::vector<std::int64_t> counts_;  // of words
  PairMap<Pair> pairs_;
  std::priority_queue<Candidate> queue_;
  std::unordered_map<std::string, TokenId> ids_;
  std::array<TokenId, 256> byte_ids_{};
};

}  // namespace detail

// Errors: fewer tokens asked for than bytes and special ones; a special token that is empty or there twice.
inline Tokenizer train_bpe(std::string_view text, const BpeOptions& options = {}) {
  const auto fixed = static_cast<Index>(256 + options.special.size());
  check(options.size >= fixed, "train_bpe", "vocabulary too small: found ", options.size, ", expected at least ", fixed,
        " for the bytes and the special tokens");
  detail::BpeTrainer trainer;
  const auto finished = [&] {
    std::vector<AddedToken> added;
    for (const std::string& special : options.special)
      added.push_back({static_cast<TokenId>(trainer.tokens.size() + added.size()), special});
    return Tokenizer(Bpe(trainer.tokens, trainer.merges, BpeSymbols::bytes, "train_bpe"), Splitter::gpt2, added,
                     "train_bpe");
  };
  std::unordered_map<std::string_view, std::int64_t> counts;
  finished().split_added(
      text, [&](std::string_view part) { split_gpt2(part, [&](std::string_view word) { ++counts[word]; }); },
      [](const AddedToken&) {});
  for (const auto& [word, count] : counts) trainer.add(word, count);
  trainer.learn(static_cast<std::size_t>(options.size) - options.special.size(), options.min_count);
  return finished();
}

}  // namespace atom::io

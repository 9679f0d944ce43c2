// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: inside a word, the pair of neighbours whose merge was learnt first becomes one token, until no
// pair has a merge (Sennrich et al. 2016). O(n log n) for a word of n symbols.
// Tokens are byte strings here; how a file spells them is tokenizer_json.hpp's affair.
#pragma once

#include "../core/utf8.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

namespace atom::io {

// What merging starts from: single bytes, or the characters of UTF-8.
enum class BpeSymbols { bytes, characters };

struct TokenPair {
  TokenId left = 0, right = 0;
  constexpr auto operator<=>(const TokenPair&) const = default;
};

namespace detail {

// Pairs to values: open addressing, as lookups of absent pairs are the commonest.
template <class Value> class PairMap {
 public:
  explicit PairMap(std::size_t expected = 0) : slots_(std::bit_ceil(std::max<std::size_t>(16, 2 * expected))) {}

  Value* find(TokenPair pair) {
    Slot& slot = slots_[index_of(pair)];
    return slot.key == key_of(pair) ? &slot.value : nullptr;
  }
  const Value* find(TokenPair pair) const { return const_cast<PairMap*>(this)->find(pair); }

  // The value of the pair, made from Value{} if it is new. Pointers and references to others end.
  Value& operator[](TokenPair pair) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[index_of(pair)];
    if (slot.key == empty) {
      slot.key = key_of(pair);
      ++count_;
    }
    return slot.value;
  }

  template <class Visit> void for_each(Visit visit) {
    for (Slot& slot : slots_)
      if (slot.key != empty) visit(TokenPair{TokenId(slot.key >> 32U), TokenId(slot.key & 0xffffffffU)}, slot.value);
  }

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = empty;
    Value value{};
  };

  static std::uint64_t key_of(TokenPair pair) {
    return static_cast<std::uint64_t>(pair.left) << 32U | static_cast<std::uint32_t>(pair.right);
  }
  std::size_t index_of(TokenPair pair) const {  // where the pair is or would be
    const std::uint64_t key = key_of(pair);
    std::size_t at = static_cast<std::size_t>((key * 0x9E3779B97F4A7C15U) >> 24U);
    for (;; ++at) {
      at &= slots_.size() - 1;
      if (slots_[at].key == key || slots_[at].key == empty) return at;
    }
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (Slot& slot : old)
      if (slot.key != empty) {
        const auto pair = TokenPair{TokenId(slot.key >> 32U), TokenId(slot.key & 0xffffffffU)};
        slots_[index_of(pair)] = std::move(slot);
      }
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

// Lets a map of strings be searched by a view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace detail

// Memory of one encoding, kept from word to word.
struct BpeWorkspace {
  struct Symbol {
    TokenId id;
    std::int32_t previous, next;  // positions; -1 at the ends
  };
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> queue;  // rank << 32 | position of the left symbol
};

class Bpe {
 public:
  // `tokens[id]` are bytes (an id without token has none), `merges` come in the order learnt. Errors, naming `where`:
  // a token twice; a merge of or into no token; more than 2^31 - 1 tokens.
  Bpe(std::vector<std::string> tokens, std::vector<TokenPair> merges, BpeSymbols symbols,
      std::string_view where = "bpe")
      : tokens_(std::move(tokens)), merges_(std::move(merges)), symbols_(symbols), merge_of_(merges_.size()) {
    check(tokens_.size() <= max_tokens && merges_.size() <= max_tokens, where, "too many tokens: found ",
          tokens_.size(), " and ", merges_.size(), " merges");
    ids_.reserve(tokens_.size());
    for (std::size_t id = 0; id < tokens_.size(); ++id)
      if (!tokens_[id].empty() && !ids_.emplace(tokens_[id], static_cast<TokenId>(id)).second)
        fail(where, "a token is there twice: ids ", find(tokens_[id]), " and ", id);
    byte_ids_.fill(-1);
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte)
      byte_ids_[byte] = find(std::string(1, static_cast<char>(byte)));
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
      const auto [left, right] = merges_[rank];
      check(has(left) && has(right), where, "merge ", rank, " is of a token that does not exist");
      const TokenId merged = find(tokens_[static_cast<std::size_t>(left)] + tokens_[static_cast<std::size_t>(right)]);
      check(merged >= 0, where, "merge ", rank, " makes a token that does not exist");
      merge_of_[merges_[rank]] = {static_cast<std::int32_t>(rank), merged};
    }
  }

  Index size() const { return static_cast<Index>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<TokenPair>& merges() const { return merges_; }
  BpeSymbols symbols() const { return symbols_; }

  // The id of the token of exactly these bytes; -1 if there is none.
  TokenId find(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }

  // Appends the ids of one word. Error: a byte or character that the vocabulary lacks.
  void encode_word(std::string_view word, std::vector<TokenId>& ids, BpeWorkspace& work) const {
    auto& symbols = work.symbols;
    auto& queue = work.queue;
    symbols.clear();
    queue.clear();
    check(word.size() < max_tokens, "bpe", "the text is too long to be one word: ", word.size(), " bytes");
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t length = symbols_ == BpeSymbols::bytes ? 1 : utf8_at(word, at).length;
      const TokenId id = length == 1 ? byte_ids_[static_cast<unsigned char>(word[at])] : find(word.substr(at, length));
      if (id < 0) fail_symbol(word, at);
      at += length;
      if (merges_.empty()) {
        ids.push_back(id);
        continue;
      }
      const auto position = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({id, position - 1, position + 1});
    }
    if (symbols.empty()) return;
    symbols.back().next = -1;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      if (const Merge* merge = merge_of_.find({symbols[i].id, symbols[i + 1].id}))
        queue.push_back(entry(*merge, static_cast<std::int32_t>(i)));
    std::ranges::make_heap(queue, std::greater());
    while (!queue.empty()) {
      std::ranges::pop_heap(queue, std::greater());
      const std::uint64_t first = queue.back();
      queue.pop_back();
      merge_at(static_cast<std::int32_t>(first & 0xffffffffU), static_cast<std::int32_t>(first >> 32U), work);
    }
    for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next)
      ids.push_back(symbols[static_cast<std::size_t>(i)].id);
  }

 private:
  static constexpr std::size_t max_tokens = std::numeric_limits<std::int32_t>::max();
  struct Merge {
    std::int32_t rank = 0;
    TokenId id = 0;
  };

  bool has(TokenId id) const { return id >= 0 && id < size() && !tokens_[static_cast<std::size_t>(id)].empty(); }
  static std::uint64_t entry(const Merge& merge, std::int32_t position) {
    return static_cast<std::uint64_t>(merge.rank) << 32U | static_cast<std::uint32_t>(position);
  }

  // Merges the symbol at a position with its right neighbour, unless that pair has changed since it was queued. The
  // symbol to the right stays in the list of memory but not in the chain, marked by the id -1.
  void merge_at(std::int32_t position, std::int32_t rank, BpeWorkspace& work) const {
    const auto at = [&](std::int32_t i) -> BpeWorkspace::Symbol& { return work.symbols[static_cast<std::size_t>(i)]; };
    const auto merge_of = [&](std::int32_t left) -> const Merge* {
      if (left < 0 || at(left).id < 0 || at(left).next < 0) return nullptr;
      return merge_of_.find({at(left).id, at(at(left).next).id});
    };
    const Merge* merge = merge_of(position);
    if (merge == nullptr || merge->rank != rank) return;
    auto& left = at(position);
    auto& right = at(left.next);
    left.id = merge->id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) at(left.next).previous = position;
    for (const std::int32_t neighbour : {left.previous, position})
      if (const Merge* next = merge_of(neighbour)) {
        work.queue.push_back(entry(*next, neighbour));
        std::ranges::push_heap(work.queue, std::greater());
      }
  }

  [[noreturn]] void fail_symbol(std::string_view word, std::size_t at) const {
    const char32_t code = utf8_at(word, at).code;
    if (symbols_ == BpeSymbols::characters && code != no_character)
      fail("tokenizer", "the character ", describe_character(code), " is not in the vocabulary");
    fail("tokenizer", "the byte ", static_cast<int>(static_cast<unsigned char>(word[at])), " is not in the vocabulary");
  }

  std::vector<std::string> tokens_;
  std::vector<TokenPair> merges_;
  BpeSymbols symbols_;
  detail::PairMap<Merge> merge_of_;
  std::unordered_map<std::string, TokenId, detail::TextHash, std::equal_to<>> ids_;
  std::array<TokenId, 256> byte_ids_{};
};

}  // namespace atom::io

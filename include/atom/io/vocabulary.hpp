// SPDX-License-Identifier: Apache-2.0
// The tokens of a vocabulary as files spell them, made into those of a model. Shared by tokenizer.json and GGUF.
#pragma once

#include "quote.hpp"
#include "tokenizer.hpp"

namespace atom::io::detail {

class Vocabulary {
 public:
  // `added` must outlive this. Byte-level tokens are spelled in GPT-2's letters, others stand as they are.
  Vocabulary(const std::vector<AddedToken>& added, BpeSymbols symbols, std::string_view where)
      : symbols_(symbols), where_(where) {
    for (const AddedToken& token : added) added_.emplace(token.id, &token);
  }

  // Takes a token in. The name must stay where it is. Errors: an empty name, an id that is there, a wrong spelling.
  void add(std::string_view name, TokenId id) {
    check(!name.empty(), where_, "vocab: id ", id, " is the empty text");
    std::string bytes(name);
    const bool spelled = symbols_ == BpeSymbols::characters || unspell_bytes(name, bytes);
    // Added tokens stand in the vocabulary as they are, not spelled; the model knows those that it could make.
    if (const auto found = added_.find(id); found != added_.end()) {
      const std::string& text = found->second->text;
      check(text == name || text == bytes, where_, "vocab: id ", id, " is ", in_quotes(name),
            ", but also the added token ", in_quotes(text));
      if (!spelled || text != bytes) return;
    }
    check(spelled, where_, "vocab: ", in_quotes(name), " is not spelled in the byte alphabet");
    if (tokens_.size() <= static_cast<std::size_t>(id)) tokens_.resize(static_cast<std::size_t>(id) + 1);
    std::string& token = tokens_[static_cast<std::size_t>(id)];
    check(token.empty(), where_, "vocab: two tokens have the id ", id);
    token = std::move(bytes);
    ids_.emplace(name, id);
  }

  // The next merge, of two tokens by name. Error: there is no such token.
  void add_merge(std::string_view left, std::string_view right) { merges_.push_back({id_of(left), id_of(right)}); }
  // The same from the older form, "left right"; a token may begin with a space.
  void add_merge(std::string_view text) {
    const std::size_t space = text.find(' ', 1);
    check(space != text.npos && space + 1 < text.size() && text.find(' ', space + 2) == text.npos, where_, "merge ",
          merges_.size(), ": found ", in_quotes(text), ", expected two tokens");
    add_merge(text.substr(0, space), text.substr(space + 1));
  }
  void reserve_merges(std::size_t count) { merges_.reserve(count); }

  // The id of a token by its name, or -1.
  TokenId find(std::string_view name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? -1 : found->second;
  }

  std::size_t size() const { return tokens_.size(); }
  Bpe model(BpeRules rules) {
    if (!rules.ranks.empty()) rules.ranks.resize(tokens_.size(), -1);
    rules.symbols = symbols_;
    return Bpe(std::move(tokens_), std::move(merges_), std::move(rules), where_);
  }

 private:
  TokenId id_of(std::string_view name) const {
    const TokenId id = find(name);
    check(id >= 0, where_, "merge ", merges_.size(), ": ", in_quotes(name), " is not in the vocabulary");
    return id;
  }

  BpeSymbols symbols_;
  std::string_view where_;
  std::unordered_map<TokenId, const AddedToken*> added_;
  std::unordered_map<std::string_view, TokenId> ids_;  // by name
  std::vector<std::string> tokens_;
  std::vector<TokenPair> merges_;
};

}  // namespace atom::io::detail

// SPDX-License-Identifier: Apache-2.0
// Tokenizer: text to token ids and back, as a plain value. A splitter, a BPE model, and added tokens such as
// <|endoftext|>, which are found in the text before it is split. Const use from several threads at once is fine.
// Reading and writing tokenizer.json: tokenizer_json.hpp. Training: bpe_trainer.hpp.
#pragma once

#include "bpe.hpp"
#include "split.hpp"

#include <optional>

namespace atom::io {

enum class Splitter { none, gpt2 };  // none: the text between added tokens is one word

struct AddedToken {
  TokenId id = 0;
  std::string text;
  bool special = true;  // a mark like <|endoftext|>: decoding can leave it out
};

struct DecodeOptions {
  bool skip_special = false;
};

class Tokenizer {
 public:
  // Errors, naming `where`: an added token that is empty, is there twice, or has an id or text of another token.
  Tokenizer(Bpe model, Splitter splitter, std::vector<AddedToken> added = {}, std::string_view where = "tokenizer")
      : model_(std::move(model)), splitter_(splitter), added_(std::move(added)), size_(model_.size()) {
    std::ranges::sort(added_, {}, &AddedToken::id);
    for (std::size_t i = 0; i < added_.size(); ++i) {
      const auto& [id, text, special] = added_[i];
      check(id >= 0 && !text.empty(), where, "an added token needs a text and an id: found '", text, "', ", id);
      check(i == 0 || added_[i - 1].id != id, where, "two added tokens have the id ", id);
      const TokenId known = model_.find(text);
      const bool free = id >= model_.size() || model_.tokens()[static_cast<std::size_t>(id)].empty();
      check(known == id || (known < 0 && free), where, "the added token '", text,
            "' and the vocabulary disagree on id ", id);
      size_ = std::max(size_, Index{id} + 1);
      starts_[static_cast<unsigned char>(text.front())].push_back(i);
    }
    for (auto& group : starts_) {  // the longest first
      std::ranges::sort(group, [&](std::size_t a, std::size_t b) {
        return std::pair(added_[b].text.size(), added_[b].text) < std::pair(added_[a].text.size(), added_[a].text);
      });
      for (std::size_t i = 1; i < group.size(); ++i)
        check(added_[group[i - 1]].text != added_[group[i]].text, where, "the added token '", added_[group[i]].text,
              "' is there twice");
    }
  }

  // One more than the largest id: the rows of an embedding.
  Index size() const { return size_; }
  const Bpe& model() const { return model_; }
  Splitter splitter() const { return splitter_; }
  const std::vector<AddedToken>& added() const { return added_; }  // by id

  // The id of a token given by its text, added ones first.
  std::optional<TokenId> find(std::string_view token) const {
    for (const AddedToken& added : added_)
      if (added.text == token) return added.id;
    const TokenId id = model_.find(token);
    return id < 0 ? std::nullopt : std::optional(id);
  }

  // Errors: a byte or character that the vocabulary lacks.
  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> ids;
    ids.reserve(text.size() / 3);
    BpeWorkspace work;
    // Words repeat. A slot remembers where a word stood and which of `ids` are its tokens; there is nothing to share.
    struct Known {
      std::string_view word;
      std::size_t first = 0, count = 0;
    };
    std::vector<Known> known(std::bit_ceil(std::clamp<std::size_t>(text.size() / 16, 1, 1U << 14U)));
    const auto encode_word = [&](std::string_view word) {
      Known& slot = known[std::hash<std::string_view>()(word) & (known.size() - 1)];
      if (slot.word == word) {
        const std::size_t size = ids.size();
        ids.resize(size + slot.count);
        std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(slot.first), slot.count,
                    ids.begin() + static_cast<std::ptrdiff_t>(size));
        return;
      }
      const std::size_t first = ids.size();
      model_.encode_word(word, ids, work);
      slot = {word, first, ids.size() - first};
    };
    split_added(
        text,
        [&](std::string_view part) {
          if (splitter_ == Splitter::gpt2)
            split_gpt2(part, encode_word);
          else
            model_.encode_word(part, ids, work);
        },
        [&](const AddedToken& token) { ids.push_back(token.id); });
    return ids;
  }

  // The text of ids. Bytes that are not UTF-8 show as U+FFFD. Error: an id that is no token.
  std::string decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  // Appends the bytes of one token, which may be part of a character. Error: an id that is no token.
  void append_bytes(std::string& bytes, TokenId id, DecodeOptions options = {}) const {
    const auto added = std::ranges::lower_bound(added_, id, {}, &AddedToken::id);
    if (added != added_.end() && added->id == id) {
      if (!(added->special && options.skip_special)) bytes += added->text;
      return;
    }
    check(id >= 0 && id < model_.size() && !model_.tokens()[static_cast<std::size_t>(id)].empty(), "tokenizer",
          "no token has the id ", id, ": the vocabulary has ", size_);
    bytes += model_.tokens()[static_cast<std::size_t>(id)];
  }

  // Calls `plain(std::string_view)` and `token(const AddedToken&)` for the parts of a text, in order: of the added
  // tokens that match, the leftmost counts, and of those the longest.
  template <class Plain, class Token> void split_added(std::string_view text, Plain&& plain, Token&& token) const {
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size();) {
      const auto& group = starts_[static_cast<unsigned char>(text[at])];
      const auto found =
          std::ranges::find_if(group, [&](std::size_t i) { return text.substr(at).starts_with(added_[i].text); });
      if (found == group.end()) {
        ++at;
        continue;
      }
      if (at > start) plain(text.substr(start, at - start));
      token(added_[*found]);
      start = at += added_[*found].text.size();
    }
    if (start < text.size()) plain(text.substr(start));
  }

 private:
  Bpe model_;
  Splitter splitter_;
  std::vector<AddedToken> added_;
  std::array<std::vector<std::size_t>, 256> starts_;  // of added_, by first byte
  Index size_;
};

// Decodes token by token: what it returns so far never ends inside a character. A view of the tokenizer, which must
// outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {})
      : tokenizer_(&tokenizer), options_(options) {}

  // The characters that this token completed, possibly none. Valid until the next call.
  std::string_view push(TokenId id) {
    tokenizer_->append_bytes(bytes_, id, options_);
    return take(false);
  }
  // What is left when no token follows: a character that was cut is shown as U+FFFD.
  std::string_view finish() { return take(true); }

 private:
  std::string_view take(bool all) {
    text_.clear();
    std::size_t at = 0;
    while (at < bytes_.size()) {
      const auto [code, length, cut] = utf8_at(bytes_, at);
      if (cut && !all) break;
      text_ += code == no_character ? replacement_text : std::string_view(bytes_).substr(at, length);
      at += length;
    }
    bytes_.erase(0, at);
    return text_;
  }

  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  std::string bytes_, text_;
};

inline std::string Tokenizer::decode(std::span<const TokenId> ids, DecodeOptions options) const {
  StreamDecoder stream(*this, options);
  std::string text;
  for (const TokenId id : ids) text += stream.push(id);
  return text += stream.finish();
}

// One token for each different character of a text, in the order of code points: the same ids as data::CharVocab.
inline Tokenizer character_tokenizer(std::string_view text) {
  std::vector<bool> seen(0x110000);
  for (std::size_t at = 0; at < text.size();) {
    const auto character = utf8_at(text, at);
    check(character.code != no_character, "tokenizer", "the text is not UTF-8: found a bad sequence at byte ", at);
    seen[character.code] = true;
    at += character.length;
  }
  std::vector<std::string> tokens;
  for (char32_t code = 0; code < seen.size(); ++code)
    if (seen[code]) append_utf8(tokens.emplace_back(), code);
  check(!tokens.empty(), "tokenizer", "the text is empty: a vocabulary needs a character");
  return Tokenizer(Bpe(std::move(tokens), {}, BpeSymbols::characters), Splitter::none);
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// Tokenizer: text to token ids and back, as a plain value: a BPE model, what is done around it, and added tokens such
// as <|endoftext|>. Encoding takes time linear in the text. Const use from several threads at once is fine.
// Files: tokenizer_json.hpp, tiktoken.hpp, gguf_tokenizer.hpp. Training: bpe_trainer.hpp.
#pragma once

#include "added_tokens.hpp"
#include "bpe.hpp"
#include "bpe_alphabet.hpp"
#include "token_decoder.hpp"

#include <optional>

namespace atom::io {

struct EncodeOptions {
  bool add_special = true;   // what the tokenizer puts around a text, such as a token for its beginning
  bool find_special = true;  // special tokens written in the text; if not, they are text like any other
};

struct DecodeOptions {
  bool skip_special = false;
};

class Tokenizer {
 public:
  // Errors, naming `where`: an added token that is empty, is there twice, or has an id or text of another token; a rule
  // that adds a token that is not there.
  Tokenizer(Bpe model, TokenizerRules rules, std::vector<AddedToken> added = {}, std::string_view where = "tokenizer")
      : model_(std::move(model)), rules_(std::move(rules)), added_(std::move(added)), size_(model_.size()) {
    std::sort(added_.begin(), added_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    for (std::size_t i = 0; i < added_.size(); ++i) {
      const AddedToken& token = added_[i];
      check(token.id >= 0 && !token.text.empty(), where, "an added token needs a text and an id: found '", token.text,
            "', ", token.id);
      check(i == 0 || added_[i - 1].id != token.id, where, "two added tokens have the id ", token.id);
      // Files may have a token of the same bytes that is spelled otherwise.
      const TokenId known = model_.find(token.text);
      const bool spelled = model_.symbols() == BpeSymbols::characters || spell_bytes(token.text) == token.text;
      const bool free = token.id >= model_.size() || model_.tokens()[static_cast<std::size_t>(token.id)].empty();
      check(known == token.id || ((known < 0 || !spelled) && free), where, "the added token '", token.text,
            "' and the vocabulary disagree on id ", token.id);
      size_ = std::max(size_, Index{token.id} + 1);
      check(texts_.emplace(token.text, token.id).second, where, "the added token '", token.text, "' is there twice");
      std::string form;
      if (token.normalized)
        rules_.normalizer.append(form, token.text);
      else
        form = token.text;
      any_normalized_ = any_normalized_ || token.normalized;
      (token.normalized ? normalized_ : raw_).add(form, token, i);
      forms_.push_back(std::move(form));
    }
    for (const auto* ids : {&rules_.before, &rules_.after})
      for (const TokenId id : *ids) check(has(id), where, "no token has the id ", id, " that is put around a text");
    words_ = rules_.splitters;
    if (words_.empty() && words_end_at_marks()) words_ = {Splitter::marked_words};
  }
  Tokenizer(Bpe model, Splitter splitter, std::vector<AddedToken> added = {}, std::string_view where = "tokenizer")
      : Tokenizer(std::move(model),
                  TokenizerRules{.splitters = splitter == Splitter::none ? std::vector<Splitter>{}
                                                                         : std::vector<Splitter>{splitter}},
                  std::move(added), where) {}

  // One more than the largest id: the rows of an embedding.
  Index size() const { return size_; }
  const Bpe& model() const { return model_; }
  const TokenizerRules& rules() const { return rules_; }
  const std::vector<AddedToken>& added() const { return added_; }  // by id

  // The id of a token given by its text, added ones first.
  std::optional<TokenId> find(std::string_view token) const {
    if (const auto added = texts_.find(token); added != texts_.end()) return added->second;
    const TokenId id = model_.find(token);
    return id < 0 ? std::nullopt : std::optional(id);
  }

  // Errors: a byte or character that the vocabulary lacks, and has no token for unknown ones.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  // The text of ids. Bytes that are not UTF-8 show as U+FFFD. Error: an id that is no token.
  std::string decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  // Appends the bytes of one token, which may be part of a character; none for a special one that is to be skipped.
  // Error: an id that is no token.
  void append_bytes(std::string& bytes, TokenId id, DecodeOptions options = {}) const {
    if (const AddedToken* added = find_added(id)) {
      const std::string& form = forms_[static_cast<std::size_t>(added - added_.data())];
      if (added->special && options.skip_special && form == added->text) return;  // as the reference knows them
      std::string unspelled;
      bytes += rules_.decoder.byte_letters && unspell_bytes(form, unspelled) ? unspelled : form;
      return;
    }
    check(has(id), "tokenizer", "no token has the id ", id, ": the vocabulary has ", size_);
    bytes += model_.tokens()[static_cast<std::size_t>(id)];
  }

  // Calls `plain(std::string_view)` and `token(const AddedToken&)` for the parts of a text, in order: of the added
  // tokens that match, the leftmost counts, and of those the longest. Those that are found in normalized text are not.
  template <class Plain, class Token> void split_added(std::string_view text, Plain&& plain, Token&& token) const {
    raw_.split(
        text, true, [&](std::size_t first, std::size_t last) { plain(text.substr(first, last - first)); },
        [&](std::size_t index) { token(added_[index]); });
  }

 private:
  // A part of a text: a token, or bytes that are to be encoded, of the text or of its normalized form.
  struct Part {
    TokenId id = -1;
    std::size_t first = 0, last = 0;
  };

  bool has(TokenId id) const {
    return find_added(id) != nullptr ||
           (id >= 0 && id < model_.size() && !model_.tokens()[static_cast<std::size_t>(id)].empty());
  }
  const AddedToken* find_added(TokenId id) const {
    const auto found = std::lower_bound(added_.begin(), added_.end(), id,
                                        [](const AddedToken& token, TokenId wanted) { return token.id < wanted; });
    return found != added_.end() && found->id == id ? &*found : nullptr;
  }
  // Whether no merge and no run of unknown characters crosses the start of a run of ▁: then splitting there changes no
  // id, and words become short.
  bool words_end_at_marks() const {
    if (model_.symbols() != BpeSymbols::characters || model_.find(space_mark_text) < 0) return false;
    const auto& tokens = model_.tokens();
    return std::none_of(tokens.begin(), tokens.end(), [](std::string_view token) {
      for (std::size_t at = token.find(space_mark_text); at != token.npos; at = token.find(space_mark_text, at + 3))
        if (at > 0 && !token.substr(0, at).ends_with(space_mark_text)) return true;
      return false;
    });
  }
  std::vector<Part> parts_of(std::string_view text, EncodeOptions options, std::string& normal, bool& is_normal) const;

  Bpe model_;
  TokenizerRules rules_;
  std::vector<AddedToken> added_;
  std::vector<std::string> forms_;  // of those: the text they are found and decoded by
  std::unordered_map<std::string, TokenId, detail::TextHash, std::equal_to<>> texts_;  // of added tokens
  detail::AddedTokenFinder raw_, normalized_;
  bool any_normalized_ = false;
  std::vector<Splitter> words_;
  Index size_;
};

// The parts of a text, in order, and the normalized text if there is such a thing.
inline std::vector<Tokenizer::Part> Tokenizer::parts_of(std::string_view text, EncodeOptions options,
                                                        std::string& normal, bool& is_normal) const {
  std::vector<Part> parts;
  const SpaceMarks marks = rules_.space_marks;
  is_normal = rules_.normalizer.any() || marks != SpaceMarks::none;
  // Text between added tokens of both kinds. `at_start`: it begins the whole text.
  const auto add_text = [&](std::string_view part, std::size_t first, bool at_start) {
    if (marks != SpaceMarks::none) {
      first = normal.size();
      if ((marks == SpaceMarks::always || (marks == SpaceMarks::first && at_start)) && !part.starts_with(' ') &&
          !part.starts_with(space_mark_text))
        normal += space_mark_text;
      detail::append_marking_spaces(normal, part);
      parts.push_back({-1, first, normal.size()});
    } else {
      parts.push_back({-1, first, first + part.size()});
    }
  };
  const auto add_token = [&](std::size_t index) { parts.push_back({added_[index].id}); };
  const auto add_part = [&](std::size_t first, std::size_t last) {
    const bool at_start = first == 0;
    std::string own;  // the normalized part, if its spaces are still to be marked
    std::string_view part = text.substr(first, last - first);
    if (rules_.normalizer.any()) {
      std::string& to = marks == SpaceMarks::none ? normal : own;
      first = to.size();
      rules_.normalizer.append(to, part);
      part = std::string_view(to).substr(first);
    }
    if (!any_normalized_) return add_text(part, first, at_start);
    normalized_.split(
        part, options.find_special,
        [&](std::size_t from, std::size_t to) {
          add_text(part.substr(from, to - from), first + from, at_start && from == 0);
        },
        add_token);
  };
  raw_.split(text, options.find_special, add_part, add_token);
  return parts;
}

inline std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::string normal;
  bool is_normal = false;
  const std::vector<Part> parts = parts_of(text, options, normal, is_normal);
  if (is_normal) text = normal;

  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 4);
  if (options.add_special) ids.insert(ids.end(), rules_.before.begin(), rules_.before.end());
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
  for (const Part& part : parts) {
    if (part.id >= 0)
      ids.push_back(part.id);
    else if (words_.empty())
      model_.encode_word(text.substr(part.first, part.last - part.first), ids, work);
    else
      split_text(words_, text.substr(part.first, part.last - part.first), encode_word);
  }
  if (options.add_special) ids.insert(ids.end(), rules_.after.begin(), rules_.after.end());
  return ids;
}

// Decodes token by token: what it returns so far never ends inside a character, and all of it together is what
// Tokenizer::decode() returns. A view of the tokenizer, which must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {})
      : tokenizer_(&tokenizer), options_(options), decoder_(tokenizer.rules().decoder) {}

  // The characters that this token completed, possibly none. Valid until the next call.
  std::string_view push(TokenId id) {
    bytes_.clear();
    tokenizer_->append_bytes(bytes_, id, options_);
    return bytes_.empty() ? std::string_view() : decoder_.push(bytes_);
  }
  // What is left when no token follows: a character that was cut is shown as U+FFFD.
  std::string_view finish() { return decoder_.finish(); }

 private:
  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  detail::TokenDecoder decoder_;
  std::string bytes_;
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

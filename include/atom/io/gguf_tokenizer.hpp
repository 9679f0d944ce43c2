// SPDX-License-Identifier: Apache-2.0
// Tokenizers from the vocabularies in GGUF files: byte-level BPE ("gpt2"), SentencePiece merged by score ("llama"), BPE
// on characters ("gemma4"), and single characters ("rwkv", of which longer tokens are not read). Ids are those of
// llama.cpp, which knows no normalization; where its splitters only approximate a pattern (gpt-4o, tekken), those of
// the pattern.
#pragma once

#include "gguf_value.hpp"
#include "split_patterns.hpp"
#include "vocabulary.hpp"

#include <charconv>
#include <cmath>

namespace atom::io {

// The keys tokenizer.ggml.*; what is absent is empty.
struct GgufVocabulary {
  std::string model = {}, pre = {};
  std::vector<std::string> tokens = {};  // by id; an empty one is no token
  std::vector<float> scores = {};
  std::vector<std::int32_t> types = {};  // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
  std::vector<std::string> merges = {};  // "left right"
  std::optional<TokenId> bos = {}, eos = {}, unknown = {}, padding = {};
  std::optional<bool> add_bos = {}, add_eos = {}, add_space_prefix = {};
};

namespace detail {

// A rank for each score, the highest first; equal scores have equal ranks.
inline std::vector<std::int32_t> ranks_of_scores(const std::vector<float>& scores, std::string_view where) {
  check(std::none_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); }), where,
        "a score is not a number");
  std::vector<float> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<std::int32_t> ranks;
  ranks.reserve(scores.size());
  for (const float score : scores)
    ranks.push_back(static_cast<std::int32_t>(std::lower_bound(sorted.begin(), sorted.end(), score, std::greater()) -
                                              sorted.begin()));
  return ranks;
}

// What a token of "rwkv" stands for: \t, \n, \r, two digits behind \x, or the character behind a \ itself.
inline std::string unescaped_token(std::string_view text, std::string_view where) {
  std::string token;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      token += text[at];
    } else if (const char c = text[++at]; c == 'x') {
      unsigned code = 0;
      const char *const from = text.data() + at + 1, *const to = from + std::min<std::size_t>(2, text.size() - at - 1);
      check(to - from == 2 && std::from_chars(from, to, code, 16).ptr == to, where, "found the token ", in_quotes(text),
            ", expected two digits behind \\x");
      token += static_cast<char>(code);
      at += 2;
    } else {
      token += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
    }
  }
  return token;
}

inline Tokenizer character_vocabulary(const GgufVocabulary& from, std::string_view where) {
  std::vector<std::string> tokens;
  for (std::size_t id = 0; id < from.tokens.size(); ++id) {
    std::string token = unescaped_token(from.tokens[id], where);
    if (!from.types.empty() && from.types[id] == 5) token.clear();  // unused
    check(token.empty() || utf8_at(token, 0).length == token.size(), where, "the token ", in_quotes(token),
          " of a \"rwkv\" vocabulary is more than a character, which is not supported");
    tokens.push_back(std::move(token));
  }
  return Tokenizer(Bpe(std::move(tokens), {}, BpeSymbols::characters, where), Splitter::none, {}, where);
}

}  // namespace detail

// Errors, naming `where`: a model or `pre` that is not known; arrays of different lengths; what a Tokenizer refuses.
inline Tokenizer make_tokenizer(const GgufVocabulary& from, std::string_view where) {
  const bool by_score = from.model == "llama", bytes = from.model == "gpt2", gemma = from.model == "gemma4";
  check(by_score || bytes || gemma || from.model == "rwkv", where, "the tokenizer model ", in_quotes(from.model),
        " is not supported");
  check(!from.tokens.empty() && (from.scores.empty() || from.scores.size() == from.tokens.size()) &&
            (from.types.empty() || from.types.size() == from.tokens.size()),
        where, "found ", from.tokens.size(), " tokens, ", from.scores.size(), " scores and ", from.types.size(),
        " token types");
  if (from.model == "rwkv") return detail::character_vocabulary(from, where);
  TokenizerRules rules;
  bool whole_words = false, add_bos = by_score;
  if (bytes) {
    const auto split = split_of_gguf(from.pre);
    check(split.has_value(), where, "the pre-tokenizer ", in_quotes(from.pre), " is not known");
    rules.splitters = split->splitters;
    whole_words = split->whole_words;
    add_bos = split->add_bos;
  } else {
    const bool prefix = by_score && from.add_space_prefix.value_or(true);
    rules.normalizer = {.mark_start = prefix, .mark_spaces = true};
    rules.decoder = {.space_marks = true, .byte_fallback = true, .strip_left = prefix ? 1 : 0};
    if (gemma) rules.splitters = {Splitter::lines};
  }

  std::vector<AddedToken> added;
  for (std::size_t id = 0; id < from.types.size(); ++id)
    if (const auto type = from.types[id]; type >= 2 && type <= 4 && !from.tokens[id].empty())
      added.push_back({static_cast<TokenId>(id), from.tokens[id], type != 4});
  detail::Vocabulary vocabulary(added, bytes ? BpeSymbols::bytes : BpeSymbols::characters, where);
  check(from.tokens.size() < std::numeric_limits<TokenId>::max(), where, "too many tokens: ", from.tokens.size());
  for (std::size_t id = 0; id < from.tokens.size(); ++id)
    if (!from.tokens[id].empty()) vocabulary.add(from.tokens[id], static_cast<TokenId>(id));

  BpeRules bpe{.whole_words = whole_words, .byte_fallback = !bytes};
  const auto is_token = [&](TokenId id) {
    return id >= 0 && static_cast<std::size_t>(id) < from.tokens.size() &&
           !from.tokens[static_cast<std::size_t>(id)].empty();
  };
  if (!bytes)
    if (const TokenId unknown = from.unknown.value_or(0); is_token(unknown)) bpe.unknown = unknown;
  if (by_score) {
    check(from.scores.empty() ||
              std::any_of(from.scores.begin(), from.scores.end(), [](float score) { return score != -1000.0F; }),
          where, "all scores are -1000: the file was converted without them");
    bpe.ranks =
        detail::ranks_of_scores(from.scores.empty() ? std::vector<float>(from.tokens.size()) : from.scores, where);
  } else {
    vocabulary.reserve_merges(from.merges.size());
    for (const std::string& merge : from.merges) {
      const std::size_t space = std::string_view(merge).find(' ', 1);
      check(space != merge.npos, where, "found the merge ", in_quotes(merge), ", expected two tokens");
      vocabulary.add_merge(std::string_view(merge).substr(0, space), std::string_view(merge).substr(space + 1));
    }
  }
  if (gemma || from.add_bos.value_or(add_bos)) rules.before = {from.bos.value_or(bytes ? 11 : gemma ? 2 : 1)};
  if (from.add_eos.value_or(false)) rules.after = {from.eos.value_or(bytes ? 11 : gemma ? 1 : 2)};
  return Tokenizer(vocabulary.model(std::move(bpe)), std::move(rules), std::move(added), where);
}

inline GgufVocabulary read_vocabulary(const GgufMetadata& metadata) {
  const auto key = [](std::string_view name) { return "tokenizer.ggml." + std::string(name); };
  const auto list = [&]<class T>(std::string_view name, std::vector<T>& into) {
    if (metadata.contains(key(name))) into = metadata.get<std::vector<T>>(key(name));
  };
  const auto one = [&]<class T>(std::string_view name, std::optional<T>& into) {
    if (metadata.contains(key(name))) into = metadata.get<T>(key(name));
  };
  GgufVocabulary vocabulary{.model = metadata.get<std::string>(key("model")),
                            .pre = metadata.get_or<std::string>(key("pre"), ""),
                            .tokens = metadata.get<std::vector<std::string>>(key("tokens"))};
  list("scores", vocabulary.scores);
  list("token_type", vocabulary.types);
  list("merges", vocabulary.merges);
  one("bos_token_id", vocabulary.bos);
  one("eos_token_id", vocabulary.eos);
  one("unknown_token_id", vocabulary.unknown);
  one("padding_token_id", vocabulary.padding);
  one("add_bos_token", vocabulary.add_bos);
  one("add_eos_token", vocabulary.add_eos);
  one("add_space_prefix", vocabulary.add_space_prefix);
  return vocabulary;
}

// The tokenizer of a GGUF file; `where` names the file.
inline Tokenizer gguf_tokenizer(const GgufMetadata& metadata, std::string_view where) {
  return make_tokenizer(read_vocabulary(metadata), where);
}

}  // namespace atom::io

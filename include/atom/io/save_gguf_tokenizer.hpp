// SPDX-License-Identifier: Apache-2.0
// Tokenizers as vocabularies of GGUF files, which gguf_tokenizer.hpp and llama.cpp read: byte-level BPE as "gpt2",
// SentencePiece's as "llama", single characters as "rwkv" (the longest token that matches). What GGUF cannot say is
// left out, as all writers do: normalization, more than one token before a text, white space that an added token takes
// along, and that the space before a text is not added to one that begins with a space.
#pragma once

#include "gguf_tokenizer.hpp"

namespace atom::io {

// The tokens that a model is published with; those not given are what llama.cpp takes for granted.
struct SpecialTokens {
  std::optional<TokenId> bos = {}, eos = {}, padding = {};
};

namespace detail {

inline constexpr float never_merged = -1e6F;  // a score below all merges
enum GgufTokenType : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

// Whether merging alone makes every token of a word: then it does not matter that whole words stay as they are.
inline bool merges_make_all(const Bpe& model) {
  BpeRules rules = model.rules();
  rules.whole_words = false;
  const Bpe merging(model.tokens(), model.merges(), std::move(rules));
  BpeWorkspace work;
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < model.size(); ++id) {
    if (model.tokens()[static_cast<std::size_t>(id)].empty()) continue;
    ids.clear();
    merging.encode_word(model.tokens()[static_cast<std::size_t>(id)], ids, work);
    if (ids != std::vector<TokenId>{id}) return false;
  }
  return true;
}

// The name of what splits texts. Error: it has none.
inline std::string gguf_split_name(const Tokenizer& tokenizer) {
  const Bpe& model = tokenizer.model();
  const bool whole = model.rules().whole_words;
  const auto named = [&](bool with_whole) -> std::string {
    for (const char* name : {"gpt-2", "llama-bpe", "qwen2", "smollm", "gpt-4o", "tekken", "deepseek-v3", "kimi-k2",
                             "glm4", "dbrx", "qwen35", "bloom", "deepseek-llm", "deepseek-coder", "falcon", "default"})
      if (const auto split = *split_of_gguf(name);
          split.splitters == tokenizer.rules().splitters && split.whole_words == with_whole)
        return name;
    return {};
  };
  std::string name = named(whole);
  if (name.empty() && merges_make_all(model)) name = named(!whole);
  check(!name.empty(), "save_gguf", "this way to split texts into words has no name in GGUF files");
  return name;
}

// What merging makes of a token by the ranks below its own.
inline std::vector<TokenId> parts_below(const Bpe& model, std::string_view token, std::int32_t rank) {
  std::vector<std::size_t> ends;  // of the parts
  for (std::size_t i = 1; i <= token.size(); ++i) ends.push_back(i);
  const auto part = [&](std::size_t i, std::size_t count) {
    const std::size_t start = i == 0 ? 0 : ends[i - 1];
    return model.find(token.substr(start, ends[i + count - 1] - start));
  };
  for (;;) {
    std::size_t best = ends.size();
    std::int32_t best_rank = rank;
    for (std::size_t i = 0; i + 1 < ends.size(); ++i)
      if (const TokenId id = part(i, 2); id >= 0 && model.rules().ranks[static_cast<std::size_t>(id)] >= 0 &&
                                         model.rules().ranks[static_cast<std::size_t>(id)] < best_rank) {
        best = i;
        best_rank = model.rules().ranks[static_cast<std::size_t>(id)];
      }
    if (best == ends.size()) break;
    ends.erase(ends.begin() + static_cast<std::ptrdiff_t>(best));
  }
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < ends.size(); ++i) ids.push_back(part(i, 1));
  return ids;
}

// Merges that make what ranks make: each token of two that are made of better ones.
inline std::vector<TokenPair> merges_of_ranks(const Bpe& model) {
  const auto& ranks = model.rules().ranks;
  std::vector<std::pair<std::int32_t, TokenPair>> found;
  for (std::size_t id = 0; id < ranks.size(); ++id) {
    if (ranks[id] < 0 || model.tokens()[id].size() < 2) continue;
    const auto parts = parts_below(model, model.tokens()[id], ranks[id]);
    if (parts.size() == 2) found.push_back({ranks[id], {parts[0], parts[1]}});
  }
  std::ranges::sort(found, {}, &std::pair<std::int32_t, TokenPair>::first);
  std::vector<TokenPair> merges;
  for (const auto& [rank, pair] : found) merges.push_back(pair);
  return merges;
}

// A score for each token that makes the merges in their order. Error: a token's merges do not stand together, as those
// of a vocabulary that was made by score do.
inline std::vector<float> scores_of_merges(const Bpe& model) {
  std::vector<float> scores(static_cast<std::size_t>(model.size()), never_merged);
  if (const auto& ranks = model.rules().ranks; !ranks.empty()) {
    for (std::size_t id = 0; id < ranks.size(); ++id)
      if (ranks[id] >= 0) scores[id] = -static_cast<float>(ranks[id]);
    return scores;
  }
  TokenId last = -1;
  float score = 0;
  for (const auto& [left, right] : model.merges()) {
    const TokenId made =
        model.find(model.tokens()[static_cast<std::size_t>(left)] + model.tokens()[static_cast<std::size_t>(right)]);
    if (made == last) continue;
    auto& own = scores[static_cast<std::size_t>(made)];
    check(own == never_merged, "save_gguf", "the merges of a token stand apart, which no scores can say: token ", made);
    own = score--;
    last = made;
  }
  return scores;
}

// As Python would write it.
inline std::string escaped_token(std::string_view token) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : token) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '\\')
      text += "\\\\";
    else if (code < 0x20 || code == 0x7F)
      (text += "\\x") += {digits[code / 16], digits[code % 16]};
    else
      text += c;
  }
  return text;
}

}  // namespace detail

// The vocabulary of a model with so many rows of embeddings; rows without a token get one that is not used. Errors:
// more tokens than rows; what GGUF cannot say.
inline GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer, Index rows, const SpecialTokens& special = {}) {
  const Bpe& model = tokenizer.model();
  const TokenizerRules& rules = tokenizer.rules();
  check(tokenizer.size() <= rows, "save_gguf", "found ", tokenizer.size(), " tokens for ", rows, " embeddings");
  const bool bytes = model.symbols() == BpeSymbols::bytes;
  const bool merges = !model.merges().empty() || !model.rules().ranks.empty();
  const bool characters = !bytes && !merges && !model.rules().byte_fallback && tokenizer.added().empty();

  GgufVocabulary to{.model = bytes        ? "gpt2"
                             : characters ? "rwkv"
                                          : "llama",
                    .tokens = std::vector<std::string>(static_cast<std::size_t>(rows)),
                    .types = std::vector<std::int32_t>(static_cast<std::size_t>(rows), detail::unused),
                    .bos = special.bos,
                    .eos = special.eos,
                    .padding = special.padding};
  const auto set = [&](TokenId id, std::string text, std::int32_t type) {
    to.tokens[static_cast<std::size_t>(id)] = std::move(text);
    to.types[static_cast<std::size_t>(id)] = type;
  };
  for (TokenId id = 0; id < model.size(); ++id) {
    const std::string& token = model.tokens()[static_cast<std::size_t>(id)];
    if (token.empty()) continue;
    const bool fallback = !bytes && token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
    set(id,
        bytes        ? spell_bytes(token)
        : characters ? detail::escaped_token(token)
                     : token,
        fallback ? detail::byte : detail::normal);
  }
  for (const AddedToken& token : tokenizer.added()) {
    // That it is found only as a word of its own cannot be said; merging finds it too.
    if (token.single_word && !token.special && model.find(token.text) == token.id) continue;
    set(token.id, token.text, token.special ? detail::control : detail::user_defined);
  }
  for (std::size_t id = 0; id < to.tokens.size(); ++id)
    if (to.types[id] == detail::unused) to.tokens[id] = to_text("[PAD", id, "]");

  if (bytes) {
    to.pre = detail::gguf_split_name(tokenizer);
    for (const auto& [left, right] : model.rules().ranks.empty() ? model.merges() : detail::merges_of_ranks(model))
      to.merges.push_back(to.tokens[static_cast<std::size_t>(left)] + " " + to.tokens[static_cast<std::size_t>(right)]);
    // Not said, the end of a text would be token 11. No text has the byte FF.
    if (!to.eos) to.eos = tokenizer.find("<|endoftext|>");
    if (!to.eos) to.eos = tokenizer.find("\xFF");
    if (!to.bos) to.bos = to.eos;
  } else if (!characters) {
    const bool marked = rules.normalizer.mark_spaces || rules.space_marks != SpaceMarks::none;
    check(marked, "save_gguf", "a vocabulary of characters whose spaces are not marked cannot be said in GGUF files");
    for (int code = 0; code < 256; ++code) {
      const std::string name = to_text("<0x", "0123456789ABCDEF"[code / 16], "0123456789ABCDEF"[code % 16], ">");
      check(tokenizer.find(name).has_value(), "save_gguf",
            "a vocabulary of characters needs a token for each byte: ", name, " is missing");
    }
    to.scores = detail::scores_of_merges(model);
    to.scores.resize(to.tokens.size(), detail::never_merged);
    to.add_space_prefix = rules.normalizer.mark_start || rules.space_marks == SpaceMarks::first ||
                          rules.space_marks == SpaceMarks::always;
    if (model.rules().unknown >= 0) {
      to.unknown = model.rules().unknown;
      to.types[static_cast<std::size_t>(*to.unknown)] = detail::unknown;
    }
  }
  if (rules.before.size() == 1) to.bos = rules.before[0];
  if (rules.after.size() == 1) to.eos = rules.after[0];
  to.add_bos = rules.before.size() == 1;
  to.add_eos = rules.after.size() == 1;
  return to;
}

// Sets the keys tokenizer.ggml.*.
inline void write_vocabulary(GgufMetadata& metadata, const GgufVocabulary& vocabulary) {
  const auto set = [&](std::string_view name, const auto& value) {
    metadata.set("tokenizer.ggml." + std::string(name), GgufValue(value));
  };
  const auto list = [&](std::string_view name, const auto& values) {
    if (!values.empty()) set(name, values);
  };
  const auto id = [&](std::string_view name, const std::optional<TokenId>& value) {
    if (value) set(name, static_cast<std::uint32_t>(*value));
  };
  const auto flag = [&](std::string_view name, const std::optional<bool>& value) {
    if (value) set(name, *value);
  };
  set("model", vocabulary.model);
  set("pre", vocabulary.pre.empty() ? std::string("default") : vocabulary.pre);
  set("tokens", vocabulary.tokens);
  list("scores", vocabulary.scores);
  list("token_type", vocabulary.types);
  list("merges", vocabulary.merges);
  id("bos_token_id", vocabulary.bos);
  id("eos_token_id", vocabulary.eos);
  id("unknown_token_id", vocabulary.unknown);
  id("padding_token_id", vocabulary.padding);
  flag("add_bos_token", vocabulary.add_bos);
  flag("add_eos_token", vocabulary.add_eos);
  flag("add_space_prefix", vocabulary.add_space_prefix);
}

}  // namespace atom::io

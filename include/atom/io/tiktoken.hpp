// SPDX-License-Identifier: Apache-2.0
// Reads tiktoken files: a line `base64 rank` for each token, which are bytes. Pairs merge by the rank of what they
// make, and a word that is a token stays whole. The file names neither splitter nor special tokens.
#pragma once

#include "json.hpp"
#include "quote.hpp"
#include "tokenizer.hpp"

namespace atom::io {

namespace detail {

// False: the text is no base64, which ends in = up to a multiple of four.
inline bool decode_base64(std::string_view text, std::string& bytes) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static constexpr auto values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < 64; ++i) table[static_cast<unsigned char>(letters[i])] = static_cast<std::int8_t>(i);
    return table;
  }();
  bytes.clear();
  if (text.empty() || text.size() % 4 != 0) return false;
  text = text.substr(0, text.size() - (text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U));
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255U);
  }
  return (bits & ((1U << count) - 1)) == 0;
}

}  // namespace detail

// The text of a tiktoken file; `path` is for messages. Errors, with the line: what is no base64 or rank; a rank or a
// token twice.
inline Tokenizer parse_tiktoken(std::string_view text, std::string_view path, Splitter splitter,
                                std::vector<AddedToken> added = {}) {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> ranks;
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  std::string bytes;
  for (std::size_t line = 1; !text.empty(); ++line) {
    std::string_view entry = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(entry.size() + 1, text.size()));
    if (entry.ends_with('\r')) entry.remove_suffix(1);
    if (entry.empty()) continue;
    const std::size_t space = std::min(entry.find(' '), entry.size() - 1);
    const std::string_view digits = entry.substr(space + 1);
    std::size_t rank = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    check(error == std::errc() && end == digits.data() + digits.size() &&
              detail::decode_base64(entry.substr(0, space), bytes),
          path, "line ", line, ": found ", in_quotes(entry), ", expected base64 and a rank");
    check(rank < 2 * lines + 1024, path, "line ", line, ": the rank ", rank, " is out of range");  // gaps are few
    if (tokens.size() <= rank) tokens.resize(rank + 1);
    check(tokens[rank].empty(), path, "line ", line, ": the rank ", rank, " is there twice");
    tokens[rank] = bytes;
  }
  check(!tokens.empty(), path, "there is no token in it");
  ranks.resize(tokens.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) ranks[rank] = static_cast<std::int32_t>(rank);
  BpeRules rules{.whole_words = true, .ranks = std::move(ranks)};
  return Tokenizer(Bpe(std::move(tokens), {}, std::move(rules), path), splitter, std::move(added), path);
}

// The same with what a tokenizer_config.json says: its class, which names the splitter, and the special tokens, of
// which there are 256 after the last rank (those it does not name are <|reserved_token_ID|>). Error: an unknown class.
inline Tokenizer parse_tiktoken(std::string_view text, std::string_view path, const Json& config,
                                std::string_view config_path) {
  const auto kind = config.get_or<std::string>("tokenizer_class", "");
  check(kind == "TikTokenTokenizer", config_path, "the tokenizer_class ", in_quotes(kind), " is not supported");
  const Tokenizer plain = parse_tiktoken(text, path, Splitter::kimi);
  const Index first = plain.size(), end = first + 256;
  std::vector<AddedToken> added;
  for (Index id = first; id < end; ++id)
    added.push_back({static_cast<TokenId>(id), to_text("<|reserved_token_", id, "|>")});
  if (const Json* named = config.find("added_tokens_decoder"))
    for (const auto& [name, token] : named->members(config_path)) {
      Index id = -1;
      const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), id);
      check(error == std::errc() && stop == name.data() + name.size() && id >= first && id < end, config_path,
            "added token ", in_quotes(name), ": expected an id from ", first, " to ", end - 1);
      AddedToken& to = added[static_cast<std::size_t>(id - first)];
      to = {to.id, token.get<std::string>("content")};
    }
  return Tokenizer(plain.model(), plain.rules(), std::move(added), config_path);
}

// From a folder with a tiktoken.model in it, or from such a file; tokenizer_config.json lies beside it.
inline Tokenizer load_tiktoken(const std::string& path) {
  const std::string file = is_folder(path) ? path + "/tiktoken.model" : path;
  const std::string config = parent_of(file) + "/tokenizer_config.json";
  return parse_tiktoken(read_file(file), file, read_json(config), config);
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// The names of splitters in files: the regular expressions of tokenizer.json, and the `pre` of GGUF.
#pragma once

#include "split.hpp"

#include <optional>
#include <string>
#include <vector>

namespace atom::io {

namespace detail {

struct SplitPattern {
  Splitter splitter;
  std::string_view text;
};

// The first of a splitter is the one that is written.
inline constexpr SplitPattern split_patterns[] = {
    {Splitter::gpt2, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Splitter::llama3,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
     R"(\s+(?!\S)|\s+)"},
    {Splitter::qwen2,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
     R"(\s+(?!\S)|\s+)"},
    {Splitter::qwen35,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Splitter::gpt4o,
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Splitter::tekken, R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
                       R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
                       R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Splitter::kimi,
     R"([\p{Han}]+|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Splitter::bloom, " ?[^(\\s|[.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C])]+"},
    {Splitter::deepseek3, R"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
                          R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Splitter::deepseek3, R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
                          R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Splitter::digit, R"(\p{N})"},
    {Splitter::digits, R"(\p{N}+)"},
    {Splitter::three_numbers, R"(\p{N}{1,3})"},
    {Splitter::three_digits, "[0-9][0-9][0-9]"},
    {Splitter::kana_han, "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+"},
    {Splitter::line_breaks, R"([\r\n])"},
    {Splitter::lines, R"([^\n]+|[\n]+)"},
    {Splitter::letters, R"(\s?\p{L}+)"},
    {Splitter::punctuation, R"(\s?\p{P}+)"},
    {Splitter::latin_marks, "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+"},
    {Splitter::end_spaces, R"(\s+$)"},
    {Splitter::east_asian, "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+"},
    {Splitter::symbols, R"([\p{P}\$\+<=>\^~\|]+)"},
    {Splitter::symbols_quoted, R"([\p{P}\$\+<=>\^~\|`]+)"},
};

// Not written out, since some of its letters would not survive a normalization of this file.
inline std::string cased_letters_pattern() {
  std::string text = "\\s?[";
  for (const auto& [first, last] : cased_letters) {
    append_utf8(text, first);
    if (last != first) append_utf8(text += '-', last);
  }
  return text + "]+";
}

// Some files have line breaks themselves where others have \r and \n.
inline std::string with_breaks_spelled(std::string_view pattern) {
  std::string text;
  for (const char c : pattern)
    if (c == '\r' || c == '\n')
      text += c == '\r' ? "\\r" : "\\n";
    else
      text += c;
  return text;
}

}  // namespace detail

inline std::optional<Splitter> splitter_of_pattern(std::string_view written) {
  const std::string pattern = detail::with_breaks_spelled(written);
  for (const auto& known : detail::split_patterns)
    if (known.text == pattern) return known.splitter;
  return pattern == detail::cased_letters_pattern() ? std::optional(Splitter::cased_letters) : std::nullopt;
}

// The regular expression of a splitter; nothing for those that have none.
inline std::string pattern_of(Splitter splitter) {
  for (const auto& known : detail::split_patterns)
    if (known.splitter == splitter) return std::string(known.text);
  return splitter == Splitter::cased_letters ? detail::cased_letters_pattern() : std::string();
}

// What a `pre` of GGUF asks for: splitters one after the other, whether whole words stay, whether texts begin with BOS.
struct GgufSplit {
  std::vector<Splitter> splitters;
  bool whole_words = false;
  bool add_bos = false;
};

// Nothing if the name is not known. No name is "default".
inline std::optional<GgufSplit> split_of_gguf(std::string_view pre) {
  using enum Splitter;
  const auto is = [pre](auto... names) { return ((pre == names) || ...); };
  if (is("", "default")) return GgufSplit{{symbols, gpt2, digits, three_digits}};
  if (is("falcon")) return GgufSplit{{symbols_quoted, gpt2, three_digits}};
  if (is("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion")) return GgufSplit{{gpt2}};
  if (is("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral")) return GgufSplit{{llama3}, true, true};
  if (is("dbrx", "smaug-bpe", "chatglm-bpe")) return GgufSplit{{llama3}};
  if (is("glm4")) return GgufSplit{{llama3}, true};
  if (is("qwen2", "deepseek-r1-qwen", "megrez", "hunyuan", "stablelm2")) return GgufSplit{{qwen2}};
  if (is("qwen35")) return GgufSplit{{qwen35}};
  if (is("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone")) return GgufSplit{{digit, gpt2}};
  if (is("deepseek-llm")) return GgufSplit{{line_breaks, cased_letters, latin_marks, end_spaces, east_asian, digit}};
  if (is("deepseek-coder")) return GgufSplit{{line_breaks, letters, punctuation, east_asian, digit}};
  if (is("deepseek-v3", "hunyuan-dense")) return GgufSplit{{three_numbers, kana_han, deepseek3}};
  if (is("tekken")) return GgufSplit{{tekken}, true, true};
  if (is("gpt-4o", "llama4")) return GgufSplit{{gpt4o}};
  if (is("kimi-k2")) return GgufSplit{{kimi}};
  if (is("bloom", "gpt3-finnish", "poro-chat")) return GgufSplit{{bloom}};
  return std::nullopt;
}

}  // namespace atom::io

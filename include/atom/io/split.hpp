// SPDX-License-Identifier: Apache-2.0
// Splitters: they cut a text into the words inside which a tokenizer merges. Each stands for one regular expression
// (split_patterns.hpp has their texts), written out by hand in linear time. Bytes that are not UTF-8 count as
// characters of the class `other`.
#pragma once

#include "split_match.hpp"

#include <algorithm>
#include <span>

namespace atom::io {

// Matches are words of their own, and so is the text between them.
enum class Splitter : std::uint8_t {
  none,            // one word
  gpt2,            // contractions, letters, numbers, the rest, each with a space before it
  llama3,          // as gpt2: any one character before letters, up to three digits, lines
  qwen2,           // as llama3: single digits
  qwen35,          // as qwen2: marks count as letters
  gpt4o,           // as llama3: words begin where a capital follows a small letter, and take their contraction along
  tekken,          // as gpt4o: no contractions, single digits
  kimi,            // as gpt4o: Han apart
  bloom,           // runs without white space and some punctuation, with a space before them
  deepseek3,       // letters with marks, punctuation, lines
  digit,           // \p{N}
  digits,          // \p{N}+
  three_numbers,   // \p{N}{1,3}
  three_digits,    // [0-9][0-9][0-9]
  kana_han,        // Chinese characters and kana
  line_breaks,     // [\r\n]
  lines,           // [^\n]+|[\n]+
  letters,         // \s?\p{L}+
  punctuation,     // \s?\p{P}+
  cased_letters,   // \s?[ letters with case ]+
  latin_marks,     // \s?[ ASCII and full-width punctuation, ... ]+
  end_spaces,      // \s+$, where $ is the end of any line
  east_asian,      // [一-龥ࠀ-一가-퟿]+
  symbols,         // [\p{P}$+<=>^~|]+
  symbols_quoted,  // the same and `
  space_marks,     // begins a word at each ▁
  marked_words,    // begins a word at each run of ▁
};

namespace detail {

// A run of white space up to the end of the text, or else up to its last line feed: $ is the end of any line.
template <class Word> void split_end_spaces(std::string_view text, Word&& word) {
  std::size_t gap = 0;  // the start of what did not match
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    std::size_t line_end = at;
    for (Glyph glyph = glyph_at(text, at); (glyph.set & chars::space) != 0; glyph = glyph_at(text, at)) {
      if (glyph.code == '\n') line_end = at;
      at = glyph.end;
    }
    if (at == start) {
      at = glyph_at(text, at).end;
      continue;
    }
    const std::size_t end = at == text.size() ? at : line_end;
    if (end == start) continue;
    if (gap < start) word(text.substr(gap, start - gap));
    word(text.substr(start, end - start));
    gap = end;
  }
  if (gap < text.size()) word(text.substr(gap));
}

// Calls `match(text, at)`, which gives the end of the match that starts at `at`, or `at` if there is none.
template <class Match, class Word> void split_matches(std::string_view text, Match match, Word&& word) {
  std::size_t gap = 0;  // the start of what did not match
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = match(text, at);
    if (end == at) {
      at = glyph_at(text, at).end;
      continue;
    }
    if (gap < at) word(text.substr(gap, at - gap));
    word(text.substr(at, end - at));
    gap = at = end;
  }
  if (gap < text.size()) word(text.substr(gap));
}

template <class Word> void split_once(Splitter splitter, std::string_view text, Word&& word) {
  using enum Splitter;
  const auto matches = [&](auto match) { split_matches(text, match, word); };
  const auto runs = [&](auto is, bool space_before = false) {
    matches([=](std::string_view t, std::size_t at) { return match_run(t, at, is, space_before); });
  };
  const auto of = [](CharSet set) { return [set](const Glyph& glyph) { return (glyph.set & set) != 0; }; };
  const auto one_of = [](std::string_view list) {
    return [list](const Glyph& glyph) {
      return (glyph.set & chars::punctuation) != 0 ||
             (glyph.code < 128 && list.find(static_cast<char>(glyph.code)) != list.npos);
    };
  };
  switch (splitter) {
    case none: return text.empty() ? void() : word(text);
    case gpt2: return matches(match_gpt2);
    case llama3: return matches(match_lines<3, chars::letter>);
    case qwen2: return matches(match_lines<1, chars::letter>);
    case qwen35: return matches(match_lines<1, chars::letter | chars::mark>);
    case gpt4o: return matches(match_cased<3, true, true, false>);
    case tekken: return matches(match_cased<1, false, true, false>);
    case kimi: return matches(match_cased<3, true, false, true>);
    case bloom: return matches(match_bloom);
    case deepseek3: return matches(match_deepseek3);
    case digit: return matches(match_numbers<1>);
    case three_numbers: return matches(match_numbers<3>);
    case digits: return runs(of(chars::number));
    case three_digits: return matches(match_three_digits);
    case kana_han:
      return runs([](const Glyph& g) { return within(g.code, 0x4E00, 0x9FA5) || within(g.code, 0x3040, 0x30FF); });
    case line_breaks:
      return matches(
          [](std::string_view t, std::size_t at) { return at + (is_break(glyph_at(t, at).code) ? 1U : 0U); });
    case lines:
      return matches([](std::string_view t, std::size_t at) {
        const bool broken = t[at] == '\n';
        return run_end(t, at, [broken](const Glyph& g) { return g.set != 0 && (g.code == '\n') == broken; });
      });
    case letters: return runs(of(chars::letter), true);
    case punctuation: return runs(of(chars::punctuation), true);
    case cased_letters: return runs([](const Glyph& g) { return is_cased_letter(g.code); }, true);
    case latin_marks: return runs([](const Glyph& g) { return is_latin_mark(g.code); }, true);
    case end_spaces: return split_end_spaces(text, word);
    case east_asian:
      return runs([](const Glyph& g) { return within(g.code, 0x800, 0x9FA5) || within(g.code, 0xAC00, 0xD7FF); });
    case symbols: return runs(one_of("$+<=>^~|"));
    case symbols_quoted: return runs(one_of("$+<=>^~|`"));
    case space_marks:
      return matches([](std::string_view t, std::size_t at) {
        return run_end(t, glyph_at(t, at).end, [](const Glyph& g) { return g.set != 0 && g.code != space_mark; });
      });
    case marked_words:
      return matches([](std::string_view t, std::size_t at) {
        at = run_end(t, at, [](const Glyph& g) { return g.code == space_mark; });
        return run_end(t, at, [](const Glyph& g) { return g.set != 0 && g.code != space_mark; });
      });
  }
}

}  // namespace detail

// Calls `word(std::string_view)` for the words of a text, which together are the text: each splitter cuts the words
// that the one before it left.
template <class Word> void split_text(std::span<const Splitter> splitters, std::string_view text, Word&& word) {
  if (splitters.empty()) return detail::split_once(Splitter::none, text, word);
  if (splitters.size() == 1) return detail::split_once(splitters.front(), text, word);
  detail::split_once(splitters.front(), text,
                     [&](std::string_view part) { split_text(splitters.subspan(1), part, word); });
}

template <class Word> void split_gpt2(std::string_view text, Word&& word) {
  detail::split_matches(text, detail::match_gpt2, word);
}

}  // namespace atom::io

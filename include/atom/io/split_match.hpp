// SPDX-License-Identifier: Apache-2.0
// What splitters find: each function gives the end of the match of a regular expression that starts at a byte of a
// text, or that byte if there is none. The whole of a text is matched in linear time.
#pragma once

#include "unicode.hpp"

#include <algorithm>
#include <iterator>

namespace atom::io {

inline constexpr char32_t space_mark = 0x2581;  // ▁, which stands for a space in tokens of SentencePiece
inline constexpr std::string_view space_mark_text = "\xE2\x96\x81";

namespace detail {

// The character at a byte, and where the next one begins. At the end of the text its set is empty.
struct Glyph {
  char32_t code = no_character;
  CharSet set = 0;
  std::size_t end = 0;
};

inline Glyph glyph_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {no_character, 0, at};
  if (const auto byte = static_cast<unsigned char>(text[at]); byte < 0x80) return {byte, char_set(byte), at + 1};
  const auto [code, length, cut] = utf8_at(text, at);
  return {code, char_set(code), at + length};
}

// The start of the character that ends before `at` (> 0).
inline std::size_t before(std::string_view text, std::size_t at) {
  for (std::size_t back = 1; back <= 4 && back <= at; ++back) {
    const auto character = utf8_at(text, at - back);
    if (character.code != no_character && character.length == back) return at - back;
  }
  return at - 1;
}

template <class Is> std::size_t run_end(std::string_view text, std::size_t at, Is is) {
  for (Glyph glyph = glyph_at(text, at); is(glyph); glyph = glyph_at(text, at)) at = glyph.end;
  return at;
}
inline std::size_t run_end(std::string_view text, std::size_t at, CharSet set) {
  return run_end(text, at, [set](const Glyph& glyph) { return (glyph.set & set) != 0; });
}

constexpr bool within(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }
constexpr bool is_break(char32_t code) { return code == '\n' || code == '\r'; }

inline constexpr CharSet not_words = chars::any & ~(chars::space | chars::letter | chars::number);

// A run, with one white space before it if that is asked for: \s?[...]+
template <class Is> std::size_t match_run(std::string_view text, std::size_t at, Is is, bool space_before) {
  const Glyph first = glyph_at(text, at);
  if (space_before && (first.set & chars::space) != 0 && is(glyph_at(text, first.end))) at = first.end;
  return run_end(text, at, is);
}

// \s*[\r\n]+|\s+(?!\S)|\s+, and without `lines` only the last two.
inline std::size_t match_spaces(std::string_view text, std::size_t at, bool lines) {
  std::size_t end = at, last = at, after_break = at;
  for (Glyph glyph = glyph_at(text, at); (glyph.set & chars::space) != 0; glyph = glyph_at(text, end)) {
    last = end;
    end = glyph.end;
    if (is_break(glyph.code)) after_break = end;
  }
  if (lines && after_break > at) return after_break;
  return end < text.size() && last > at ? last : end;  // white space leaves its last character to what follows
}

// 's|'t|'re|'ve|'m|'ll|'d. In any case: also with capitals, and with U+017F, whose capital is S.
inline std::size_t match_contraction(std::string_view text, std::size_t at, bool any_case) {
  if (at >= text.size() || text[at] != '\'') return at;
  const auto letter = [&](std::size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  const char first = letter(at + 1), second = letter(at + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l')) return at + 3;
  return any_case && text.substr(at + 1).starts_with("\xC5\xBF") ? at + 3 : at;
}

template <int most> std::size_t match_numbers(std::string_view text, std::size_t at) {
  for (int i = 0; i < most; ++i) {
    const Glyph glyph = glyph_at(text, at);
    if ((glyph.set & chars::number) == 0) break;
    at = glyph.end;
  }
  return at;
}

inline std::size_t match_three_digits(std::string_view text, std::size_t at) {
  for (std::size_t i = at; i < at + 3; ++i)
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return at;
  return at + 3;
}

//  ?[...]+[\r\n]*, with / among the last if `slashes`.
inline std::size_t match_marks(std::string_view text, std::size_t at, CharSet set, bool slashes) {
  const std::size_t start = text[at] == ' ' ? at + 1 : at, end = run_end(text, start, set);
  if (end == start) return at;
  return run_end(text, end, [slashes](const Glyph& g) { return is_break(g.code) || (slashes && g.code == '/'); });
}

inline std::size_t match_gpt2(std::string_view text, std::size_t at) {
  if (const std::size_t end = match_contraction(text, at, false); end > at) return end;
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  for (const CharSet set : {chars::letter, chars::number, not_words})
    if ((glyph_at(text, start).set & set) != 0) return run_end(text, start, set);
  return match_spaces(text, at, false);
}

// llama3 and its kin, with up to so many digits in a word, and what counts as a letter.
template <int most_digits, CharSet letters> std::size_t match_lines(std::string_view text, std::size_t at) {
  if (const std::size_t end = match_contraction(text, at, true); end > at) return end;
  const Glyph first = glyph_at(text, at);
  if ((first.set & letters) != 0) return run_end(text, at, letters);
  if ((first.set & chars::number) != 0) return match_numbers<most_digits>(text, at);
  if (!is_break(first.code) && (glyph_at(text, first.end).set & letters) != 0) return run_end(text, first.end, letters);
  if (const std::size_t end = match_marks(text, at, not_words & ~letters, false); end > at) return end;
  return match_spaces(text, at, true);
}

// gpt4o and its kin. [capitals]*[small letters]+ or [capitals]+[small letters]*, where letters without case, modifiers
// and marks are both; with one character before them that is no letter or number.
template <int most_digits, bool contractions, bool slashes, bool han_apart>
std::size_t match_cased(std::string_view text, std::size_t at) {
  constexpr CharSet both = chars::modifier | chars::uncased | chars::mark;
  constexpr CharSet capital = both | chars::upper | chars::title, small = both | chars::lower;
  const auto is = [](CharSet set) {
    return [set](const Glyph& g) { return (g.set & set) != 0 && !(han_apart && (g.set & chars::han) != 0); };
  };
  // The first form gives back capitals until a small letter can follow: then the word ends with the last of `both`.
  const auto ends_small = [&](std::size_t start) {
    std::size_t end = start, after_both = start;
    for (Glyph glyph = glyph_at(text, end); is(capital)(glyph); glyph = glyph_at(text, end)) {
      end = glyph.end;
      if (is(both)(glyph)) after_both = end;
    }
    const std::size_t after_small = run_end(text, end, is(small));
    return after_small > end ? after_small : after_both;
  };
  const auto starts_capital = [&](std::size_t start) {
    const std::size_t end = run_end(text, start, is(capital));
    return end > start ? run_end(text, end, is(small)) : start;
  };
  const Glyph first = glyph_at(text, at);
  if (han_apart && (first.set & chars::han) != 0) return run_end(text, at, chars::han);
  const bool letter = (first.set & chars::letter) != 0;
  const bool leads = !letter && (first.set & chars::number) == 0 && !is_break(first.code);
  const auto word = [&](auto form) {
    if (leads)
      if (const std::size_t end = form(first.end); end > first.end) return end;
    return form(at);
  };
  std::size_t end = word(ends_small);
  if (end == at) end = word(starts_capital);
  if (end > at) return contractions ? match_contraction(text, end, true) : end;
  if ((first.set & chars::number) != 0) return match_numbers<most_digits>(text, at);
  end = match_marks(text, at, not_words, slashes);
  return end > at ? end : match_spaces(text, at, true);
}

//  ?[^(\s|[.,!?…。，、।۔،])]+
inline std::size_t match_bloom(std::string_view text, std::size_t at) {
  const auto is = [](const Glyph& glyph) {
    if (glyph.code < 128)
      return (glyph.set & chars::space) == 0 &&
             std::string_view("(|.,!?)").find(static_cast<char>(glyph.code)) == std::string_view::npos;
    constexpr char32_t excluded[] = {0x2026, 0x3002, 0xFF0C, 0x3001, 0x964, 0x6D4, 0x60C};
    return glyph.set != 0 && (glyph.set & chars::space) == 0 &&
           std::find(std::begin(excluded), std::end(excluded), glyph.code) == std::end(excluded);
  };
  const std::size_t start = text[at] == ' ' ? at + 1 : at, end = run_end(text, start, is);
  return end > start ? end : at;
}

inline std::size_t match_deepseek3(std::string_view text, std::size_t at) {
  constexpr CharSet letters = chars::letter | chars::mark, marks = chars::punctuation | chars::symbol;
  const auto is_latin = [](const Glyph& g) { return within(g.code | 0x20U, 'a', 'z') && g.code < 128; };
  const Glyph first = glyph_at(text, at), second = glyph_at(text, first.end);
  if (first.code < 128 && (first.set & marks) != 0 && is_latin(second)) return run_end(text, first.end, is_latin);
  if ((first.set & letters) != 0) return run_end(text, at, letters);
  if (!is_break(first.code) && (first.set & marks) == 0 && (second.set & letters) != 0)
    return run_end(text, first.end, letters);
  const std::size_t end = match_marks(text, at, marks, false);
  return end > at ? end : match_spaces(text, at, true);
}

// The letters with case of an older Unicode, as deepseek-llm's pattern lists them: pairs of first and last.
inline constexpr char32_t cased_letters[][2] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},       {0xD8, 0xF6},
    {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},     {0x295, 0x2AF},     {0x370, 0x373},
    {0x376, 0x376},     {0x377, 0x377},     {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},
    {0x388, 0x38A},     {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},
    {0x48A, 0x52F},     {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},
    {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},
    {0x1F59, 0x1F59},   {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},
    {0x1FB6, 0x1FBC},   {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},
    {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},
    {0x2107, 0x2107},   {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},
    {0x2126, 0x2126},   {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},
    {0x213C, 0x213F},   {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2183},   {0x2184, 0x2184},
    {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF2},   {0x2CF3, 0x2CF3},
    {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},
    {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2},
    {0x118A0, 0x118DF}, {0x1E900, 0x1E943}};

constexpr bool is_cased_letter(char32_t code) {
  const auto* after = std::upper_bound(std::begin(cased_letters), std::end(cased_letters), code,
                                       [](char32_t c, const auto& range) { return c < range[0]; });
  return after != std::begin(cased_letters) && code <= after[-1][1];
}

// [!-/:-~！-／：-～‘-‟　-。]
constexpr bool is_latin_mark(char32_t code) {
  return within(code, '!', '/') || within(code, ':', '~') || within(code, 0xFF01, 0xFF0F) ||
         within(code, 0xFF1A, 0xFF5E) || within(code, 0x2018, 0x201F) || within(code, 0x3000, 0x3002);
}

}  // namespace detail
}  // namespace atom::io

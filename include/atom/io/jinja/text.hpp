// SPDX-License-Identifier: Apache-2.0
// Python's string operations on UTF-8: indices count characters, classes and cases are Unicode's.
#pragma once

#include "../unicode.hpp"
#include "case_table.hpp"
#include "value.hpp"

#include <cstring>

namespace atom::io::jinja {

template <class Runs> constexpr const auto* run_with(const Runs& runs, char32_t code) {
  const auto* run = std::lower_bound(std::begin(runs), std::end(runs), code,
                                     [](const auto& entry, char32_t wanted) { return entry.last < wanted; });
  return run != std::end(runs) && run->first <= code ? run : nullptr;
}

inline bool is_space(char32_t code) {  // as Python has it, with four separators of files
  return (char_set(code) & chars::space) != 0 || (code >= 0x1c && code <= 0x1f);
}
inline bool is_letter(char32_t code) { return (char_set(code) & chars::letter) != 0; }
inline bool is_number(char32_t code) { return (char_set(code) & chars::number) != 0; }
inline bool is_decimal(char32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : run_with(digit_runs, code) != nullptr;
}
inline bool is_printable(char32_t code) {
  return (code >= 0x20 && code < 0x7f) || run_with(unprintable_runs, code) == nullptr;
}

inline char32_t moved(const CaseRun* run, char32_t code) {
  if (run == nullptr || (code - run->first) % static_cast<char32_t>(run->step) != 0) return code;
  return static_cast<char32_t>(static_cast<std::int32_t>(code) + run->delta);
}
inline char32_t lower_of(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  return moved(run_with(lower_runs, code), code);
}
inline char32_t upper_of(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 32 : code;
  return moved(run_with(upper_runs, code), code);
}
inline const LongCase* long_upper_of(char32_t code) {
  const auto* found = std::lower_bound(std::begin(long_upper), std::end(long_upper), code,
                                       [](const LongCase& entry, char32_t wanted) { return entry.code < wanted; });
  return found != std::end(long_upper) && found->code == code ? found : nullptr;
}
inline bool is_upper(char32_t code) { return lower_of(code) != code || code == 0x130; }
inline bool is_lower(char32_t code) { return upper_of(code) != code || long_upper_of(code) != nullptr; }

inline void append_upper(std::string& text, char32_t code, bool title = false) {
  if (code < 0x80) {
    text += static_cast<char>(upper_of(code));
  } else if (const LongCase* several = long_upper_of(code)) {
    for (int i = 0; i < 3 && several->upper[i] != 0; ++i)
      append_utf8(text, title && i > 0 ? lower_of(several->upper[i]) : several->upper[i]);
  } else if (title && code >= 0x10d0 && code <= 0x10ff) {
    append_utf8(text, code);  // Georgian has no title case
  } else if (title && ((code >= 0x1c4 && code <= 0x1cc) || (code >= 0x1f1 && code <= 0x1f3))) {
    append_utf8(text, code < 0x1f1 ? (code - 0x1c4) / 3 * 3 + 0x1c5 : 0x1f2);
  } else {
    append_utf8(text, upper_of(code));
  }
}

// Calls `visit(code, byte, bytes)` for each character; the text is UTF-8.
template <class Visit> void each_character(std::string_view text, Visit&& visit) {
  for (std::size_t at = 0; at < text.size();) {
    if (const auto byte = static_cast<unsigned char>(text[at]); byte < 0x80) {
      visit(char32_t{byte}, at++, std::size_t{1});
      continue;
    }
    const Utf8Character character = utf8_at(text, at);
    visit(character.code, at, std::size_t{character.length});
    at += character.length;
  }
}
template <class Test> bool all_characters(std::string_view text, Test&& test) {
  bool all = true;
  each_character(text, [&](char32_t code, std::size_t, std::size_t) { all = all && test(code); });
  return all;
}

// The character that ends before byte `end` (> 0).
inline std::pair<char32_t, std::size_t> character_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80) --at;
  return {utf8_at(text, at).code, at};
}

inline bool has_character(std::string_view set, char32_t code) {
  return !all_characters(set, [&](char32_t other) { return other != code; });
}

// Without the characters at its ends that `stripped` says yes to.
template <class Stripped> std::string_view strip(std::string_view text, bool left, bool right, Stripped&& stripped) {
  while (left && !text.empty()) {
    const Utf8Character first = utf8_at(text, 0);
    if (!stripped(first.code)) break;
    text.remove_prefix(first.length);
  }
  while (right && !text.empty()) {
    const auto [code, at] = character_before(text, text.size());
    if (!stripped(code)) break;
    text = text.substr(0, at);
  }
  return text;
}
inline std::string_view strip_spaces(std::string_view text, bool left = true, bool right = true) {
  return strip(text, left, right, is_space);
}

// The byte where character `index` (0..length) starts.
inline std::size_t byte_of(Context& context, const Text& text, std::size_t index) {
  if (text.length == text.bytes.size()) return index;
  if (index == text.length) return text.bytes.size();
  std::size_t at = 0;
  for (; index > 0; --index) {
    const auto lead = static_cast<unsigned char>(text.bytes[at]);
    at += lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  }
  context.scan(at);
  return at;
}

// Where `wanted` starts in `text` at or after byte `from`; npos if nowhere. Linear time (Knuth, Morris and Pratt).
class Finder {
 public:
  explicit Finder(std::string_view wanted) : wanted_(wanted), borders_(wanted.size()) {
    for (std::size_t i = 1, border = 0; i < wanted.size(); ++i) {
      while (border > 0 && wanted[i] != wanted[border]) border = borders_[border - 1];
      if (wanted[i] == wanted[border]) ++border;
      borders_[i] = border;
    }
  }
  std::size_t find(std::string_view text, std::size_t from = 0) const {
    if (wanted_.empty()) return from <= text.size() ? from : text.npos;
    std::size_t matched = 0;
    for (std::size_t at = from; at < text.size(); ++at) {
      if (matched == 0) {
        const void* first = std::memchr(text.data() + at, wanted_[0], text.size() - at);
        if (first == nullptr) return text.npos;
        at = static_cast<std::size_t>(static_cast<const char*>(first) - text.data());
      }
      while (matched > 0 && text[at] != wanted_[matched]) matched = borders_[matched - 1];
      if (text[at] == wanted_[matched] && ++matched == wanted_.size()) return at + 1 - matched;
    }
    return text.npos;
  }

 private:
  std::string_view wanted_;
  std::vector<std::size_t> borders_;
};

// Where the last `wanted` starts: the same search in both texts turned around.
inline std::size_t find_last(std::string_view text, std::string_view wanted) {
  const std::string back(text.rbegin(), text.rend()), turned(wanted.rbegin(), wanted.rend());
  const std::size_t found = Finder(turned).find(back);
  return found == back.npos ? found : text.size() - found - wanted.size();
}
inline std::size_t find_text(Context& context, std::string_view text, std::string_view wanted) {
  context.spend(text.size() + 8 * wanted.size());
  return Finder(wanted).find(text);
}

// The lower case of the character at `at`; a sigma that ends a word has one of its own.
inline void append_lower(std::string& result, std::string_view text, std::size_t at, char32_t code) {
  if (code == 0x130) {
    result += "i\xCC\x87";
  } else if (code == 0x3a3) {
    const std::size_t next = at + 2;
    const bool after = at > 0 && is_letter(character_before(text, at).first);
    append_utf8(result, after && !(next < text.size() && is_letter(utf8_at(text, next).code)) ? 0x3c2 : 0x3c3);
  } else {
    append_utf8(result, lower_of(code));
  }
}
inline std::string lower_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  each_character(text, [&](char32_t code, std::size_t at, std::size_t) { append_lower(result, text, at, code); });
  return result;
}
inline std::string upper_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  each_character(text, [&](char32_t code, std::size_t, std::size_t) { append_upper(result, code); });
  return result;
}
// Upper case first, lower case after, of each word (letters in a row) or of the whole.
inline std::string title_text(std::string_view text, bool each_word) {
  std::string result;
  bool start = true;
  each_character(text, [&](char32_t code, std::size_t at, std::size_t) {
    if (start)
      append_upper(result, code, true);
    else
      append_lower(result, text, at, code);
    start = each_word && !(is_upper(code) || is_lower(code));
  });
  return result;
}

inline std::string escape_html(std::string_view text) {
  constexpr std::string_view marks = "&<>'\"", names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  std::string result;
  for (const char c : text) {
    const std::size_t at = marks.find(c);
    at == marks.npos ? result += c : result += names[at];
  }
  return result;
}

// The lines of a text, as str.splitlines() ends them.
inline std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false) {
  std::vector<std::string_view> lines;
  std::size_t start = 0, skip = 0;
  each_character(text, [&](char32_t code, std::size_t at, std::size_t length) {
    if (at < skip) return;
    const bool ends = (code >= 0x0a && code <= 0x0d) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
                      code == 0x2028 || code == 0x2029;
    if (!ends) return;
    std::size_t next = at + length;
    if (code == '\r' && next < text.size() && text[next] == '\n') skip = ++next;
    lines.push_back(text.substr(start, (keep_ends ? next : at) - start));
    start = next;
  });
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

}  // namespace atom::io::jinja

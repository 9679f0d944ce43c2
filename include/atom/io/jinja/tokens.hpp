// SPDX-License-Identifier: Apache-2.0
// What stands inside tags, as tokens: names, numbers, strings, signs.
#pragma once

#include "text.hpp"

#include <charconv>

namespace atom::io::jinja {

struct Token {
  enum class Type : std::uint8_t {
    data,
    block_begin,
    block_end,
    print_begin,
    print_end,
    name,
    text,
    integer,
    real,
    sign,
    end
  };
  Type type = Type::end;
  int line = 1;
  std::string text = {};
  Int integer = 0;
  double real = 0;
};

// The source of a template, and how far it is read.
class Source {
 public:
  // `context` names the template, for errors. Lines end in "\n", "\r\n" or "\r"; one at the end is dropped.
  Source(Context& context, std::string_view source) : context_(context) {
    require_utf8(context, source);
    text_.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
      const bool carriage = source[i] == '\r';
      if (carriage && i + 1 < source.size() && source[i + 1] == '\n') ++i;
      text_ += carriage ? '\n' : source[i];
    }
    if (text_.ends_with('\n')) text_.pop_back();
  }

  std::size_t at() const { return at_; }
  std::size_t size() const { return text_.size(); }
  bool at_end() const { return at_ == text_.size(); }
  char operator[](std::size_t at) const { return at < text_.size() ? text_[at] : char{0}; }
  std::string_view rest(std::size_t from) const { return std::string_view(text_).substr(std::min(from, text_.size())); }
  std::string_view rest() const { return rest(at_); }
  bool here(std::string_view wanted) const { return rest().starts_with(wanted); }
  std::size_t after_spaces(std::size_t from) const {
    return text_.size() - strip_spaces(rest(from), true, false).size();
  }
  void move_to(std::size_t to) {
    line_ += static_cast<int>(std::ranges::count(rest().substr(0, to - at_), '\n'));
    at_ = to;
    context_.line = line_;
  }
  Token token(Token::Type type, std::string text = {}) const { return {type, line_, std::move(text)}; }
  template <class... Parts> [[noreturn]] void fail(const Parts&... parts) const { context_.fail(parts...); }

 private:
  Context& context_;
  std::string text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

// The value of a digit; above all bases of others, '_' included.
inline unsigned digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? static_cast<unsigned>(lower - 'a' + 10) : 99;
}
// Past the digits of a base, each '_' between two of them included.
inline std::size_t after_digits(std::string_view text, std::size_t from, unsigned base) {
  const auto digit = [&](std::size_t at) { return at < text.size() && digit_value(text[at]) < base; };
  std::size_t end = from;
  while (digit(end) || (end > from && text.substr(end).starts_with('_') && digit(end + 1))) ++end;
  return end;
}
inline std::string without_underscores(std::string_view digits) {
  std::string result(digits);
  std::erase(result, '_');
  return result;
}

// Past the fraction and the exponent of a float whose whole part ends at `whole`; `whole` if there is neither.
inline std::size_t after_fraction(std::string_view text, std::size_t whole) {
  std::size_t end = whole;
  if (text.substr(end).starts_with('.')) end = after_digits(text, whole + 1, 10);
  if (end == whole + 1) end = whole;
  if (end < text.size() && (text[end] | 0x20) == 'e') {
    const bool sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-');
    const std::size_t from = end + (sign ? 2 : 1), after = after_digits(text, from, 10);
    if (after > from) end = after;
  }
  return end;
}

inline Token read_number(Source& source) {
  const std::string_view text = source.rest();
  const std::size_t whole = after_digits(text, 0, 10);
  const bool index = source.at() > 0 && source[source.at() - 1] == '.';  // x.0.1 is not x of 0.1
  const std::size_t fraction = index ? whole : after_fraction(text, whole);
  if (fraction > whole) {
    Token token = source.token(Token::Type::real);
    const std::string digits = without_underscores(text.substr(0, fraction));
    const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), token.real).ec;
    if (error == std::errc::result_out_of_range) source.fail("a number is beyond what a float holds");
    source.move_to(source.at() + fraction);
    return token;
  }
  Token token = source.token(Token::Type::integer);
  unsigned base = 10;
  std::size_t start = 0, end = whole;
  if (text[0] == '0') {
    end = after_digits(text, 0, 1);  // zeros before other digits are a number of their own
    const char letter = text.size() > 1 ? static_cast<char>(text[1] | 0x20) : char{0};
    const unsigned named = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    const std::size_t from = text.size() > 2 && text[2] == '_' ? 3 : 2, after = after_digits(text, from, named);
    if (named != 10 && after > from) {
      base = named;
      start = from;
      end = after;
    }
  }
  for (const char c : without_underscores(text.substr(start, end - start)))
    if (__builtin_mul_overflow(token.integer, static_cast<Int>(base), &token.integer) ||
        __builtin_add_overflow(token.integer, static_cast<Int>(digit_value(c)), &token.integer))
      source.fail("an integer has more than 127 bits");
  source.move_to(source.at() + end);
  return token;
}

// The character of a '\x', '\u' or '\U' escape, whose digits start at `at`; moves `at` past them.
inline char32_t read_hex_escape(const Source& source, std::size_t& at, int digits) {
  char32_t code = 0;
  for (int i = 0; i < digits; ++i, ++at) {
    const unsigned digit = digit_value(source[at]);
    if (digit >= 16) source.fail("a string: found an escape without its hexadecimal digits");
    code = code * 16 + digit;
  }
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    source.fail("a string: found an escape that is no character");
  return code;
}

inline Token read_string(Source& source) {
  const char quote = source[source.at()];
  std::string result;
  std::size_t at = source.at() + 1;
  while (at < source.size() && source[at] != quote) {
    const char c = source[at++];
    if (c != '\\' || at == source.size()) {
      result += c;
      continue;
    }
    const char escape = source[at++];
    constexpr std::string_view letters = "\\'\"abfnrtv", means = "\\'\"\a\b\f\n\r\t\v";
    if (const std::size_t known = letters.find(escape); known != letters.npos) {
      result += means[known];
    } else if (escape == 'x' || escape == 'u' || escape == 'U') {
      append_utf8(result, read_hex_escape(source, at, escape == 'x' ? 2 : escape == 'u' ? 4 : 8));
    } else if (escape >= '0' && escape <= '7') {
      char32_t code = digit_value(escape);
      for (int i = 0; i < 2 && digit_value(source[at]) < 8; ++i) code = code * 8 + digit_value(source[at++]);
      append_utf8(result, code);
    } else if (escape == 'N') {
      source.fail("a string: characters by name (\\N) are not supported");
    } else if (escape != '\n') {
      --at;
      result += '\\';  // an unknown escape stays as it is
    }
  }
  if (at >= source.size()) source.fail("found a string without its end");
  Token token = source.token(Token::Type::text, std::move(result));
  source.move_to(at + 1);
  return token;
}

inline Token read_name(Source& source) {
  const auto in_name = [](char32_t code) { return code == '_' || is_letter(code) || is_number(code); };
  const std::string_view text = source.rest();
  const std::size_t length = text.size() - strip(text, true, false, in_name).size();
  if (length == 0)
    source.fail("found ", describe_character(utf8_at(text, 0).code), ", expected what an expression has");
  Token token = source.token(Token::Type::name, std::string(text.substr(0, length)));
  source.move_to(source.at() + length);
  return token;
}

// The next token inside a tag; `open` has the closing brackets that are still to come.
inline Token read_token(Source& source, std::string& open) {
  const char c = source[source.at()];
  if (c >= '0' && c <= '9') return read_number(source);
  if (c == '\'' || c == '"') return read_string(source);
  std::size_t length = std::string_view("+-/*%~[](){}><=.:|,;").find(c) != std::string_view::npos ? 1 : 0;
  for (const std::string_view sign : {"//", "**", "==", "!=", ">=", "<="})
    if (source.here(sign)) length = 2;
  if (length == 0) return read_name(source);
  if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
  if (c == ')' || c == ']' || c == '}') {
    if (open.empty() || open.back() != c) source.fail("found '", c, "' without its other half");
    open.pop_back();
  }
  Token token = source.token(Token::Type::sign, std::string(source.rest().substr(0, length)));
  source.move_to(source.at() + length);
  return token;
}

}  // namespace atom::io::jinja

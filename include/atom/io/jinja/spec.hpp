// SPDX-License-Identifier: Apache-2.0
// Python's format(): a value as text by a specification of fill, alignment, sign, width, precision and type.
#pragma once

#include "arguments.hpp"

namespace atom::io::jinja {

struct Spec {
  std::string fill = " ";
  char align = 0, sign = '-', group = 0, type = 0;
  bool alternate = false, zero = false;
  std::size_t width = 0;
  int precision = -1;
};

inline std::string padded(Context& context, std::string_view text, const Spec& spec, char usual) {
  const std::size_t length = count_characters(text), missing = spec.width > length ? spec.width - length : 0;
  const char align = spec.align == 0 ? usual : spec.align;
  context.spend_text(text.size() + missing * spec.fill.size());
  std::string result;
  const auto fill = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) result += spec.fill;
  };
  const std::size_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  fill(left);
  result += text;
  fill(missing - left);
  return result;
}

inline std::string in_base(Int value, unsigned base, bool capitals) {
  std::string digits;
  const bool negative = value < 0;
  do {
    const int digit = static_cast<int>(value % static_cast<Int>(base));
    digits += (capitals ? "0123456789ABCDEF" : "0123456789abcdef")[digit < 0 ? -digit : digit];
    value /= static_cast<Int>(base);
  } while (value != 0);
  if (negative) digits += '-';
  std::ranges::reverse(digits);
  return digits;
}

// A float by letter (e, f, g, %) and precision, without sign.
inline std::string real_digits(Context& context, double value, char type, int precision, bool alternate) {
  context.require(precision <= 400, "format: found precision ", precision, ", expected at most 400");
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : "inf";
  const char kind = static_cast<char>(type | 0x20);
  if (kind == 'g' && precision == 0) precision = 1;
  char digits[1024];
  const auto format = kind == 'e'   ? std::chars_format::scientific
                      : kind == 'g' ? std::chars_format::general
                                    : std::chars_format::fixed;
  std::string text(
      digits, std::to_chars(digits, digits + sizeof digits, type == '%' ? value * 100 : value, format, precision).ptr);
  if (alternate && text.find('.') == text.npos && kind != 'g') text += '.';
  if (type == '%') text += '%';
  return text;
}

inline bool is_real_type(char type) {
  return type != 0 && std::string_view("eEfFgG%").find(type) != std::string_view::npos;
}

// A number with its sign, digits in groups, zeros before it.
inline std::string number_text(Context& context, const Value& value, const Spec& spec) {
  std::string digits, prefix;
  bool negative = false;
  const bool real_type = is_real_type(spec.type);
  if (value.is_integral() && !real_type) {
    const Int number = value.integer();
    const char kind = static_cast<char>(spec.type | 0x20);
    const unsigned base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    digits = in_base(number, base, spec.type == 'X');
    negative = digits[0] == '-';
    if (negative) digits.erase(0, 1);
    if (spec.alternate && base != 10) prefix = {'0', spec.type};
  } else {
    const double number = value.real();
    negative = std::signbit(number) && !std::isnan(number);
    const double size = std::abs(number);
    if (spec.type == 0 && spec.precision < 0) {
      digits = real_text(size);
    } else {
      digits = real_digits(context, size, spec.type == 0 ? 'g' : spec.type, spec.precision < 0 ? 6 : spec.precision,
                           spec.alternate);
      if (spec.type == 0 && digits.find_first_not_of("0123456789") == digits.npos) digits += ".0";
    }
    if (spec.type == 'E' || spec.type == 'F' || spec.type == 'G')
      std::ranges::transform(digits, digits.begin(),
                             [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  }
  if (spec.group != 0) {
    const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    for (std::size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, spec.group);
  }
  prefix.insert(0, negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign));
  if (spec.zero && spec.align == 0 && spec.width > prefix.size() + digits.size()) {
    context.spend_text(spec.width);
    digits.insert(0, spec.width - prefix.size() - digits.size(), spec.fill[0]);
  }
  return prefix + digits;
}

// format(value, spec). Errors: a spec that does not fit the value.
inline std::string format_value(Context& context, const Value& value, std::string_view text) {
  if (text.empty()) {
    std::string plain;
    append_value(context, plain, value);
    return plain;
  }
  Spec spec;
  const std::string_view all = text;
  const auto skip = [&](std::size_t count) { text.remove_prefix(std::min(count, text.size())); };
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  const std::size_t first = utf8_at(text, 0).length;
  if (text.size() > first && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    skip(first + 1);
  } else if (is_align(text[0])) {
    spec.align = text[0];
    skip(1);
  }
  const auto take = [&](std::string_view any) {
    if (text.empty() || any.find(text[0]) == any.npos) return char{0};
    const char found = text[0];
    skip(1);
    return found;
  };
  const auto number = [&](auto otherwise) {
    const char* start = text.data();
    auto result = otherwise;
    const auto [end, error] = std::from_chars(start, start + text.size(), result);
    context.require(error != std::errc::result_out_of_range, "format: a number is too large");
    skip(static_cast<std::size_t>(end - start));
    return result;
  };
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != 0;
  spec.zero = take("0") != 0;
  spec.width = number(std::size_t{0});
  context.require(spec.width <= context.limits().output, "format: found width ", spec.width, ", expected less");
  spec.group = take(",_");
  if (take(".") != 0) spec.precision = number(-1);
  spec.type = take("bcdeEfFgGnosxX%");
  context.require(text.empty(), "format: cannot read ", in_quotes(all, 60));
  const bool as_text = value.is_text() || (spec.type == 's' && !value.is_number());
  context.require(as_text ? spec.type == 0 || spec.type == 's' : value.is_number() && spec.type != 's',
                  "format: found ", describe(value), ", expected what ", in_quotes(all, 60), " fits");
  if (spec.zero && (spec.align != 0 || as_text) && spec.fill == " ") spec.fill = "0";
  if (as_text) {
    context.require(spec.align != '=', "format: '=' is not for strings");
    Value shown = to_str(context, value);
    if (spec.precision >= 0) shown = slice(context, shown, None{}, spec.precision, None{});
    return padded(context, shown.text(), spec, '<');
  }
  if (spec.type == 'n') spec.type = value.is_integral() ? 'd' : 'g';
  if (spec.type == 'c') context.fail("format: type c is not supported");
  context.require(spec.precision < 0 || !value.is_integral() || is_real_type(spec.type),
                  "format: found a precision for an integer");
  if (spec.align == '=') {
    spec.zero = spec.fill.size() == 1;
    spec.align = 0;
  } else if (spec.zero && spec.align == 0) {
    spec.fill = "0";
  }
  if (!value.is_integral() && std::string_view("bdoxX").find(spec.type) != std::string_view::npos && spec.type != 0)
    context.fail("format: found a float, expected an integer for type ", spec.type);
  return padded(context, number_text(context, value, spec), spec, '>');
}

}  // namespace atom::io::jinja

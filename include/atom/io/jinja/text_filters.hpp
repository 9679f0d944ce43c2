// SPDX-License-Identifier: Apache-2.0
// Filters on texts and numbers.
#pragma once

#include "sequence_filters.hpp"

namespace atom::io::jinja {

// A number that a text says, as Python's int() and float() read it.
inline std::optional<Int> read_integer(std::string_view text, unsigned base) {
  text = strip_spaces(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto prefixed = [&](char letter, unsigned wanted) {
    if ((base != wanted && base != 0) || text.size() < 2 || text[0] != '0' || (text[1] | 0x20) != letter) return;
    base = wanted;
    text.remove_prefix(text.size() > 2 && text[2] == '_' ? 3 : 2);
  };
  prefixed('x', 16);
  prefixed('o', 8);
  prefixed('b', 2);
  if (base == 0) base = 10;
  Int result = 0;
  bool digit_before = false;
  for (const char c : text) {
    if (c == '_' && digit_before) {
      digit_before = false;
      continue;
    }
    const unsigned lower = static_cast<unsigned char>(c) | 0x20U;
    const unsigned digit = c >= '0' && c <= '9' ? static_cast<unsigned>(c - '0') : lower - 'a' + 10;
    const bool letter = lower >= 'a' && lower <= 'z';
    if ((!letter && (c < '0' || c > '9')) || digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(result, static_cast<Int>(base), &result) ||
        __builtin_add_overflow(result, static_cast<Int>(digit), &result))
      return std::nullopt;
    digit_before = true;
  }
  if (!digit_before) return std::nullopt;
  return negative ? -result : result;
}
inline std::optional<double> read_real(std::string_view text) {
  text = strip_spaces(text);
  std::string digits;
  for (const char c : text)
    if (c != '_') digits += c;
  const bool plus = digits.starts_with('+');
  double result = 0;
  const auto [end, error] = std::from_chars(digits.data() + (plus ? 1 : 0), digits.data() + digits.size(), result);
  if (digits.empty() || end != digits.data() + digits.size() || error == std::errc::invalid_argument)
    return std::nullopt;
  if (digits.find_first_of("pP(") != digits.npos) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return result;
}

inline std::optional<Int> whole(double value) {
  if (!std::isfinite(value) || std::abs(value) > 1e38) return std::nullopt;
  return static_cast<Int>(value);
}

inline Value filter_int(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "int", arguments, {"default", "base"});
  const Value otherwise = bound.value(0, 0);
  const Int base = bound.integer(1, 10);
  context.require(base == 0 || (base >= 2 && base <= 36), "int: expected a base of 2 to 36");
  require_defined(context, self, "int");
  std::optional<Int> result;
  if (self.is_integral()) result = self.integer();
  if (self.is(Kind::real)) result = whole(self.real());
  if (self.is_text()) {
    context.scan(self.text().size());
    result = read_integer(self.text(), static_cast<unsigned>(base));
    if (!result)
      if (const auto real = read_real(self.text())) result = whole(*real);
  }
  return result ? Value(*result) : otherwise;
}

inline Value filter_float(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "float", arguments, {"default"});
  require_defined(context, self, "float");
  if (self.is_number()) return self.real();
  if (self.is_text()) {
    context.scan(self.text().size());
    if (const auto result = read_real(self.text())) return *result;
  }
  return bound.value(0, 0.0);
}

inline Value filter_round(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "round", arguments, {"precision", "method"});
  if (!self.is_number()) context.fail("round: found ", describe(self), ", expected a number");
  const Int precision = bound.integer(0, 0);
  const std::string method = bound.find(1) ? bound.text(1) : "common";
  context.require(method == "common" || method == "ceil" || method == "floor", "round: expected common, ceil or floor");
  context.require(precision > -300 && precision < 300, "round: expected a smaller precision");
  if (method == "common" && self.is_integral() && precision >= 0) return self.integer();
  const double scale = std::pow(10.0, static_cast<double>(precision)), value = self.real();
  if (!std::isfinite(value)) return value;
  if (method != "common") return (method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) / scale;
  if (precision < 0) {
    const double rounded = std::nearbyint(value * scale) / scale;
    return self.is_integral() ? Value(static_cast<Int>(rounded)) : Value(rounded);
  }
  const std::string digits = real_digits(context, std::abs(value), 'f', static_cast<int>(precision), false);
  double result = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), result);
  return std::copysign(result, value);
}

inline Value filter_indent(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "indent", arguments, {"width", "first", "blank"});
  if (!self.is_text()) context.fail("indent: found ", describe(self), ", expected a string");
  const std::string by = bound.find(0) && bound[0].is_text() ? bound.text(0) : std::string(bound.size(0, 4), ' ');
  context.scan(self.text().size());
  const std::string text = self.text() + '\n';
  std::string result;
  bool first = true;
  for (const std::string_view line : split_lines(text)) {
    context.step();
    if (!first) result += '\n';
    if (first ? bound.flag(1) : bound.flag(2) || !line.empty()) result += by;
    first = false;
    result += line;
    context.require(result.size() <= context.limits().output, "indent: the text is too long");
    context.spend(by.size() + line.size());
  }
  return make_text(context, std::move(result));
}

inline Value filter_truncate(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "truncate", arguments, {"length", "killwords", "end", "leeway"});
  const Value end = bound.find(2) ? bound[2] : make_text(context, "...");
  context.require(end.is_text(), "truncate: expected a string as end");
  const std::size_t length = bound.size(0, 255), leeway = bound.given(3) ? bound.size(3, 5) : 5;
  const std::size_t tail = end.text_ref()->length;
  context.require(length >= tail, "truncate: found a length shorter than its end");
  if (const auto found = length_of(self); found && *found <= length + leeway) return self;
  if (!self.is_text()) context.fail("truncate: found ", describe(self), ", expected a string");
  Value cut = slice(context, self, None{}, length - tail, None{});
  if (!bound.flag(1)) {
    const std::string& text = cut.text();
    const std::size_t space = text.rfind(' ');
    if (space != text.npos) cut = make_text(context, std::string_view(text).substr(0, space));
  }
  return apply(context, Math::add, cut, end);
}

inline Value filter_title(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "title", arguments, {});
  const Value shown = to_str(context, self);
  context.scan(shown.text().size());
  std::string result;
  bool start = true;
  const std::string& text = shown.text();
  each_character(text, [&](char32_t code, std::size_t at, std::size_t) {
    start ? append_upper(result, code) : append_lower(result, text, at, code);
    start = is_space(code) ||
            (code < 0x80 && std::string_view("-({[<").find(static_cast<char>(code)) != std::string_view::npos);
  });
  return make_text(context, std::move(result));
}

inline Value marked_safe(const Value& text) {
  return std::make_shared<const Text>(Text{text.text(), text.text_ref()->length, true});
}
template <bool always> Value filter_escape(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "escape", arguments, {});
  const Value shown = to_str(context, self);
  if (!always && shown.text_ref()->safe) return shown;
  context.scan(shown.text().size());
  return marked_safe(make_text(context, escape_html(shown.text())));
}
inline Value filter_safe(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "safe", arguments, {});
  const Value shown = to_str(context, self);
  context.spend(shown.text().size());
  return marked_safe(shown);
}
inline Value filter_urlencode(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "urlencode", arguments, {});
  if (self.is(Kind::sequence) || self.is(Kind::dict))
    context.fail("urlencode: found ", describe(self), ", expected a string");
  const Value shown = to_str(context, self);
  context.scan(shown.text().size());
  std::string result;
  for (const char c : shown.text()) {
    const char lower = static_cast<char>(c | 0x20);
    const bool plain = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') ||
                       std::string_view("_.-~/").find(c) != std::string_view::npos;
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      result += c;
    else
      result += {'%', digits[byte / 16], digits[byte % 16]};
  }
  return make_text(context, std::move(result));
}

// A method of strings as a filter on what its value prints as.
template <std::size_t index> Value filter_method(Context& context, const Value& self, const Arguments& arguments) {
  constexpr std::string_view names[] = {"upper", "lower", "capitalize", "strip", "center"};
  return find_text_method(names[index])->call(context, to_str(context, self), arguments);
}

}  // namespace atom::io::jinja

// SPDX-License-Identifier: Apache-2.0
// Python's arithmetic on numbers, strings and sequences, and its slices. Integers are exact or an error.
#pragma once

#include "compare.hpp"

namespace atom::io::jinja {

enum class Math : std::uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };

inline std::string_view sign_of(Math math) {
  constexpr std::string_view signs[] = {"+", "-", "*", "/", "//", "%", "**"};
  return signs[static_cast<std::size_t>(math)];
}

Value format_percent(Context& context, const std::string& format, const Value& argument);  // format.hpp

inline Int floor_divide(Int a, Int b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

inline Value integer_math(Context& context, Math math, Int a, Int b) {
  Int result = 0;
  bool overflow = false;
  switch (math) {
    case Math::add: overflow = __builtin_add_overflow(a, b, &result); break;
    case Math::subtract: overflow = __builtin_sub_overflow(a, b, &result); break;
    case Math::multiply: overflow = __builtin_mul_overflow(a, b, &result); break;
    case Math::divide:
      context.require(b != 0, "division by zero");
      return static_cast<double>(a) / static_cast<double>(b);
    case Math::floor_divide:
    case Math::modulo:
      context.require(b != 0, "division by zero");
      if (b == -1) return integer_math(context, Math::multiply, a, math == Math::modulo ? 0 : -1);
      result = math == Math::modulo ? a - floor_divide(a, b) * b : floor_divide(a, b);
      break;
    case Math::power: {
      context.require(a != 0 || b >= 0, "division by zero");
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      if (a == 0 || a == 1) return b == 0 ? Int{1} : a;
      if (a == -1) return b % 2 == 0 ? Int{1} : a;
      result = 1;
      for (Int i = 0; i < b && !overflow; ++i) overflow = __builtin_mul_overflow(result, a, &result);
      break;
    }
  }
  context.require(!overflow, sign_of(math), ": the integer has more than 127 bits");
  return result;
}

inline Value real_math(Context& context, Math math, double a, double b) {
  switch (math) {
    case Math::add: return a + b;
    case Math::subtract: return a - b;
    case Math::multiply: return a * b;
    default: break;
  }
  context.require(b != 0 || math == Math::power, "division by zero");
  if (math == Math::divide) return a / b;
  if (math == Math::power) {
    context.require(a != 0 || b >= 0, "division by zero");
    const double result = std::pow(a, b);
    context.require(std::isfinite(result) || !std::isfinite(a) || !std::isfinite(b), "**: found ", a, " and ", b,
                    ", expected a finite result");
    return result;
  }
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (math == Math::modulo) return rest == 0 ? std::copysign(0.0, b) : rest;
  const double quotient = (a - rest) / b;
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

inline Value repeated(Context& context, const Value& value, Int count) {
  if (count < 0) count = 0;
  const std::size_t size = value.is_text() ? value.text().size() : value.sequence().items.size() * sizeof(Value);
  if (size == 0) count = 0;
  context.require(count < Int{1} << 40U, "*: the result is too long");
  const auto times = static_cast<std::size_t>(count);
  if (times > 0 && size > context.limits().bytes / times) context.spend(context.limits().bytes + 1);
  if (value.is_text()) {
    context.require(size * times <= context.limits().output, "text too long: expected at most ",
                    context.limits().output, " bytes");
    std::string text;
    text.reserve(size * times);
    for (std::size_t i = 0; i < times; ++i) text += value.text();
    return make_text(context, std::move(text));
  }
  context.spend(size * times);
  std::vector<Value> items;
  for (std::size_t i = 0; i < times; ++i)
    items.insert(items.end(), value.sequence().items.begin(), value.sequence().items.end());
  return make_sequence(context, std::move(items),
                       value.sequence().is_tuple() ? Sequence::Form::tuple : value.sequence().form);
}

inline bool is_list(const Value& value) {
  return value.is(Kind::sequence) && value.sequence().form == Sequence::Form::list;
}
inline bool is_tuple(const Value& value) { return value.is(Kind::sequence) && value.sequence().is_tuple(); }

inline Value apply(Context& context, Math math, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number())
    return a.is_integral() && b.is_integral() ? integer_math(context, math, a.integer(), b.integer())
                                              : real_math(context, math, a.real(), b.real());
  if (math == Math::add && a.is_text() && b.is_text()) {
    const Text &left = *a.text_ref(), &right = *b.text_ref();
    if (left.safe != right.safe) {
      std::string text = left.safe ? left.bytes + escape_html(right.bytes) : escape_html(left.bytes) + right.bytes;
      context.spend_text(text.size());
      const std::size_t length = count_characters(text);
      return std::make_shared<const Text>(Text{std::move(text), length, true});
    }
    context.spend_text(left.bytes.size() + right.bytes.size());
    std::string text;
    text.reserve(left.bytes.size() + right.bytes.size());
    text += left.bytes;
    text += right.bytes;
    return std::make_shared<const Text>(Text{std::move(text), left.length + right.length, left.safe});
  }
  if (math == Math::add && ((is_list(a) && is_list(b)) || (is_tuple(a) && is_tuple(b)))) {
    context.spend((a.sequence().items.size() + b.sequence().items.size()) * sizeof(Value));
    std::vector<Value> items = a.sequence().items;
    items.insert(items.end(), b.sequence().items.begin(), b.sequence().items.end());
    return make_sequence(context, std::move(items), is_list(a) ? Sequence::Form::list : Sequence::Form::tuple);
  }
  if (math == Math::modulo && a.is_text() && !b.is_undefined()) return format_percent(context, a.text(), b);
  const auto repeats = [](const Value& value) { return value.is_text() || is_list(value) || is_tuple(value); };
  if (math == Math::multiply && repeats(a) && b.is_integral()) return repeated(context, a, b.integer());
  if (math == Math::multiply && repeats(b) && a.is_integral()) return repeated(context, b, a.integer());
  context.fail(sign_of(math), ": found ", describe(a), " and ", describe(b),
               math == Math::add ? ", expected two numbers, strings or lists" : ", expected two numbers");
}

inline Value negative(Context& context, const Value& value) {
  if (value.is(Kind::real)) return -value.real();
  if (!value.is_number()) context.fail("-: found ", describe(value), ", expected a number");
  return integer_math(context, Math::subtract, 0, value.integer());
}

// value[start:stop:step] of a text or sequence; an undefined bound stands for one that is left out.
inline Value slice(Context& context, const Value& value, const Value& start, const Value& stop, const Value& step) {
  const bool sliceable = value.is_text() || (value.is(Kind::sequence) && !value.sequence().is_view());
  if (!sliceable) context.fail("slice: found ", describe(value), ", expected a string or a list");
  const auto size = static_cast<Int>(*length_of(value));
  const auto bound = [&](const Value& given, Int otherwise) {
    if (given.is_none()) return otherwise;
    if (!given.is_integral()) context.fail("slice: found ", describe(given), " as bound, expected an integer");
    return given.integer();
  };
  const Int stride = std::clamp(bound(step, 1), -(Int{1} << 62U), Int{1} << 62U);
  context.require(stride != 0, "slice: found step 0, expected another");
  const Int low = stride > 0 ? 0 : -1, high = stride > 0 ? size : size - 1;
  const auto clamped = [&](const Value& given, Int otherwise) {
    if (given.is_none()) return otherwise;
    Int at = bound(given, 0);
    if (at < 0) at = at < -size ? low : at + size;
    return std::clamp(at, low, high);
  };
  const Int from = clamped(start, stride > 0 ? low : high), to = clamped(stop, stride > 0 ? high : low);
  if (value.is_text()) {
    const Text& text = *value.text_ref();
    if (stride == 1) {
      if (from >= to) return make_text(context, std::string_view());
      const std::size_t first = byte_of(context, text, static_cast<std::size_t>(from));
      const std::size_t last = byte_of(context, text, static_cast<std::size_t>(to));
      return make_text(context, std::string_view(text.bytes).substr(first, last - first));
    }
    context.spend(text.bytes.size() + text.length * sizeof(std::size_t));
    std::vector<std::string_view> characters;
    each_character(text.bytes, [&](char32_t, std::size_t at, std::size_t length) {
      characters.push_back(std::string_view(text.bytes).substr(at, length));
    });
    std::string picked;
    for (Int at = from; stride > 0 ? at < to : at > to; at += stride) {
      picked += characters[static_cast<std::size_t>(at)];
      if ((stride > 0 ? size - at : at + 1) <= (stride > 0 ? stride : -stride)) break;
    }
    return make_text(context, std::move(picked));
  }
  std::vector<Value> items;
  for (Int at = from; stride > 0 ? at < to : at > to; at += stride) {
    context.spend(sizeof(Value));
    items.push_back(value.sequence().items[static_cast<std::size_t>(at)]);
    if ((stride > 0 ? size - at : at + 1) <= (stride > 0 ? stride : -stride)) break;
  }
  return make_sequence(context, std::move(items), is_tuple(value) ? Sequence::Form::tuple : Sequence::Form::list);
}

}  // namespace atom::io::jinja

// SPDX-License-Identifier: Apache-2.0
// Python's two ways to put values into a text: '%s' % value and '{}'.format(value).
#pragma once

#include "spec.hpp"

namespace atom::io::jinja {

Value get_attribute(Context& context, const Value& value, std::string_view name, const std::string* lasting);
Value get_item(Context& context, const Value& value, const Value& key, const std::string* lasting);

// The '%' operator: conversions % r s a d i u o x X e E f F g G c, flags, widths and precisions.
inline Value format_percent(Context& context, const std::string& format, const Value& argument) {
  context.scan(format.size());
  std::string result;
  std::size_t next = 0;
  bool by_name = false;
  const bool many = is_tuple(argument);
  const auto take = [&]() -> Value {
    if (!many) {
      context.require(next++ == 0, "%: not enough values for the format");
      return argument;
    }
    context.require(next < argument.sequence().items.size(), "%: not enough values for the format");
    return argument.sequence().items[next++];
  };
  for (std::size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      result += format[at];
      continue;
    }
    context.step();
    Spec spec;
    std::optional<Value> named;
    const auto peek = [&] {
      context.require(at < format.size(), "%: the format ends inside a conversion");
      return format[at];
    };
    ++at;
    if (peek() == '(') {
      const std::size_t end = format.find(')', at);
      context.require(end != format.npos && argument.is(Kind::dict), "%: found a name, expected a dict for it");
      const Value* member =
          find_member(context, argument.dict(), plain_text(std::string_view(format).substr(at + 1, end - at - 1)));
      context.require(member != nullptr, "%: no such name in the dict");
      named = *member;
      by_name = true;
      at = end + 1;
    }
    for (bool left = false; std::string_view("-+ #0").find(peek()) != std::string_view::npos; ++at) {
      left = left || format[at] == '-';
      if (format[at] == '+' || (format[at] == ' ' && spec.sign != '+')) spec.sign = format[at];
      spec.alternate = spec.alternate || format[at] == '#';
      spec.zero = spec.zero || format[at] == '0';
      if (left) spec.align = '<';
    }
    const auto number = [&]() -> std::size_t {
      if (peek() == '*') {
        const Value width = take();
        ++at;
        context.require(width.is_integral() && width.integer() >= 0 && width.integer() < (1 << 20), "%: * found ",
                        describe(width), ", expected a small integer");
        return static_cast<std::size_t>(width.integer());
      }
      std::size_t found = 0;
      for (; peek() >= '0' && format[at] <= '9'; ++at) {
        found = 10 * found + static_cast<std::size_t>(format[at] - '0');
        context.require(found < (1 << 20), "%: a width is too large");
      }
      return found;
    };
    spec.width = number();
    if (peek() == '.') {
      ++at;
      spec.precision = static_cast<int>(number());
    }
    while (std::string_view("hlL").find(peek()) != std::string_view::npos) ++at;
    const char type = peek();
    if (type == '%') {
      result += '%';
      continue;
    }
    const Value value = named ? *named : take();
    if (type == 's' || type == 'r' || type == 'a') {
      std::string shown;
      type == 's' ? append_value(context, shown, value) : Printer(context, shown).repr(value);
      const Value text = make_text(context, std::move(shown));
      const Value cut = spec.precision < 0 ? text : slice(context, text, None{}, spec.precision, None{});
      result += padded(context, cut.text(), spec, '>');
    } else if (type == 'c' && value.is_text() && value.text_ref()->length == 1) {
      result += padded(context, value.text(), spec, '>');
    } else {
      if (!value.is_number()) context.fail("%: found ", describe(value), ", expected a number");
      const bool integral = std::string_view("diuoxX").find(type) != std::string_view::npos;
      context.require(integral || std::string_view("eEfFgG").find(type) != std::string_view::npos,
                      "%: unknown conversion ", in_quotes(std::string_view(&type, 1)));
      context.require(!integral || std::isfinite(value.real()), "%: found no finite number, expected an integer");
      context.require(value.is_integral() || (type != 'x' && type != 'X' && type != 'o'),
                      "%: found a float, expected an integer");
      Value shown = value;
      if (integral && value.is(Kind::real)) {
        context.require(std::abs(value.real()) < 1e38, "%: the number is too large");
        shown = static_cast<Int>(value.real());
      }
      spec.type = type == 'i' || type == 'u' ? 'd' : type;
      const std::string fill = std::exchange(spec.fill, spec.zero ? "0" : " ");
      const std::string digits = number_text(context, shown, spec);
      spec.fill = fill;
      result += padded(context, digits, spec, '>');
    }
    context.spend_text(result.size() / 16);
  }
  const bool all_used =
      many ? next == argument.sequence().items.size() : next > 0 || by_name || argument.is(Kind::dict);
  context.require(all_used || is_list(argument), "%: not all values were used by the format");
  return make_text(context, std::move(result));
}

// One field `NAME!c:SPEC` of a '{}' format, without its braces.
class BraceFormat {
 public:
  BraceFormat(Context& context, const Arguments& arguments) : context_(context), arguments_(arguments) {}

  std::string format(std::string_view text, int level = 2) {
    context_.require(level > 0, "format: fields are nested too deep");
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      if ((c == '{' || c == '}') && at + 1 < text.size() && text[at + 1] == c) {
        result += c;
        ++at;
      } else if (c == '{') {
        std::size_t end = at + 1;
        for (int open = 1; end < text.size(); ++end) {
          open += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
          if (open == 0) break;
        }
        context_.require(end < text.size(), "format: '{' without its '}'");
        result += field(text.substr(at + 1, end - at - 1), level);
        context_.spend_text(result.size() / 16);
        at = end;
      } else {
        context_.require(c != '}', "format: '}' without its '{'");
        result += c;
      }
    }
    return result;
  }

 private:
  std::string field(std::string_view text, int level) {
    context_.step();
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::size_t mark = text.substr(0, colon).find('!');
    const std::string_view name = text.substr(0, std::min(mark, colon));
    Value value = lookup(name);
    if (mark != text.npos) {
      const std::string_view conversion = text.substr(mark + 1, colon - mark - 1);
      context_.require(conversion == "r" || conversion == "s", "format: unknown conversion ",
                       in_quotes(conversion, 60));
      std::string shown;
      conversion == "s" ? append_value(context_, shown, value) : Printer(context_, shown).repr(value);
      value = make_text(context_, std::move(shown));
    }
    return format_value(context_, value, colon < text.size() ? format(text.substr(colon + 1), level - 1) : "");
  }
  Value lookup(std::string_view name) {
    const std::size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = first(name.substr(0, end));
    for (name.remove_prefix(end); !name.empty();) {
      const bool attribute = name[0] == '.';
      const std::size_t stop = attribute ? std::min(name.find_first_of(".[", 1), name.size()) : name.find(']');
      context_.require(stop != name.npos && stop > 1 && (attribute || name[0] == '['), "format: cannot read a field");
      const std::string key(name.substr(1, stop - 1));
      if (attribute)
        value = get_attribute(context_, value, key, nullptr);
      else
        value = get_item(context_, value, is_digits(key) ? Value(index(key)) : Value(plain_text(key)), nullptr);
      if (value.is_undefined()) context_.fail("format: no ", in_quotes(key, 60), " in a value");
      name.remove_prefix(attribute ? stop : stop + 1);
    }
    return value;
  }
  Value first(std::string_view name) {
    if (!name.empty() && !is_digits(name)) {
      for (const auto& [other, value] : arguments_.named)
        if (other == name) return value;
      context_.fail("format: no argument is named ", in_quotes(name, 60));
    }
    const std::size_t at = name.empty() ? next_++ : index(name);
    context_.require(at < arguments_.values.size(), "format: found ", arguments_.values.size(),
                     " arguments, expected more than ", at);
    return arguments_.values[at];
  }
  static bool is_digits(std::string_view text) {
    return !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == text.npos;
  }
  static std::size_t index(std::string_view digits) {
    std::size_t result = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), result);
    return result;
  }

  Context& context_;
  const Arguments& arguments_;
  std::size_t next_ = 0;
};

}  // namespace atom::io::jinja

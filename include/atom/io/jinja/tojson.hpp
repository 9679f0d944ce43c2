// SPDX-License-Identifier: Apache-2.0
// tojson as `transformers` has it: Python's json.dumps() that escapes nothing beyond JSON.
#pragma once

#include "arguments.hpp"

namespace atom::io::jinja {

struct JsonStyle {
  std::optional<std::string> indent;
  std::string comma = ", ", colon = ": ";
  bool ascii = false, sorted = false;
};

inline void append_json_text(std::string& result, std::string_view text, bool ascii) {
  std::string quoted;
  append_quoted(quoted, text);
  if (!ascii) {
    result += quoted;
    return;
  }
  const auto hex = [&](char32_t code) {
    result += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4)
      result += "0123456789abcdef"[code >> static_cast<unsigned>(shift) & 0xFU];
  };
  each_character(quoted, [&](char32_t code, std::size_t, std::size_t) {
    if (code < 0x7f) {
      result += static_cast<char>(code);
    } else if (code < 0x10000) {
      hex(code);
    } else {
      hex(0xd800 + ((code - 0x10000) >> 10U));
      hex(0xdc00 + ((code - 0x10000) & 0x3ffU));
    }
  });
}

// json.dumps(value, ...). Error: what JSON does not have.
inline void append_json(Context& context, std::string& text, const Value& value, const JsonStyle& style,
                        std::size_t level = 0) {
  const Deeper deeper(context);
  context.step();
  const auto line = [&](std::size_t depth) {
    if (!style.indent) return;
    context.spend(depth * style.indent->size() + 1);
    text += '\n';
    for (std::size_t i = 0; i < depth; ++i) text += *style.indent;
  };
  const auto list = [&](const auto& items, char open, char close, auto&& append_item) {
    text += open;
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) text += style.comma;
      line(level + 1);
      append_item(item);
      context.require(text.size() <= context.limits().output, "text too long: expected at most ",
                      context.limits().output, " bytes");
    }
    if (!first) line(level);
    text += close;
  };
  switch (value.kind()) {
    case Kind::none: text += "null"; break;
    case Kind::boolean: text += value.boolean() ? "true" : "false"; break;
    case Kind::integer: append_integer(text, value.integer()); break;
    case Kind::real:
      if (std::isfinite(value.real()))
        text += real_text(value.real());
      else
        text += std::isnan(value.real()) ? "NaN" : value.real() < 0 ? "-Infinity" : "Infinity";
      break;
    case Kind::text:
      context.scan(value.text().size());
      append_json_text(text, value.text(), style.ascii);
      break;
    case Kind::sequence:
      if (value.sequence().form != Sequence::Form::list && !value.sequence().is_tuple())
        context.fail("tojson: found ", kind_of(value), ", expected what JSON has");
      list(value.sequence().items, '[', ']',
           [&](const Value& item) { append_json(context, text, item, style, level + 1); });
      break;
    case Kind::dict: {
      auto members = value.dict().members;
      context.spend(members.size() * sizeof members[0]);
      for (const auto& member : members)
        if (style.sorted && !member.first.is_text())
          context.fail("tojson: sort_keys found ", kind_of(member.first), " as key, expected a string");
      if (style.sorted)
        std::ranges::stable_sort(members, {},
                                 [](const auto& member) -> const std::string& { return member.first.text(); });
      list(members, '{', '}', [&](const auto& member) {
        const Value& key = member.first;
        context.require(key.is_text() || key.is_number() || key.is_none(), "tojson: found ", kind_of(key),
                        " as key, expected a string");
        if (!key.is_text()) text += '"';
        append_json(context, text, key, style, level);
        if (!key.is_text()) text += '"';
        text += style.colon;
        append_json(context, text, member.second, style, level + 1);
      });
      break;
    }
    default: context.fail("tojson: found ", describe(value), ", expected what JSON has");
  }
}

inline Value filter_tojson(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.flag(0);
  style.sorted = bound.flag(3);
  if (bound.given(1)) {
    style.indent = bound[1].is_text() ? bound.text(1) : std::string(bound.size(1, 0), ' ');
    style.comma = ",";
  }
  if (bound.given(2)) {
    const std::vector<Value> both = to_vector(context, bound[2]);
    context.require(both.size() == 2 && both[0].is_text() && both[1].is_text(),
                    "tojson: separators: expected two strings");
    style.comma = both[0].text();
    style.colon = both[1].text();
  }
  std::string text;
  append_json(context, text, self, style);
  return make_text(context, std::move(text));
}

}  // namespace atom::io::jinja

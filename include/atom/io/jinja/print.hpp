// SPDX-License-Identifier: Apache-2.0
// Values as text: Python's str() and repr().
#pragma once

#include "text.hpp"

#include <charconv>
#include <cmath>

namespace atom::io::jinja {

inline void append_integer(std::string& text, Int value) {
  char digits[48];
  char* at = digits + sizeof digits;
  const bool negative = value < 0;
  do {
    const int digit = static_cast<int>(value % 10);
    *--at = static_cast<char>('0' + (digit < 0 ? -digit : digit));
    value /= 10;
  } while (value != 0);
  if (negative) *--at = '-';
  text.append(at, digits + sizeof digits);
}

// The shortest digits that read back exactly; an exponent below 1e-4 and from 1e16 on.
inline std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific).ptr;
  const std::string_view all(digits, static_cast<std::size_t>(end - digits));
  const std::size_t mark = all.find('e');
  int exponent = 0;
  std::from_chars(all.data() + mark + (all[mark + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(all);
  std::string plain(digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed).ptr);
  if (plain.find('.') == plain.npos) plain += ".0";
  return plain;
}

inline void append_repr(std::string& result, std::string_view text) {
  const bool single = text.find('\'') == text.npos || text.find('"') != text.npos;
  const char quote = single ? '\'' : '"';
  const auto hex = [&](char letter, char32_t code, int digits) {
    result += '\\';
    result += letter;
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
      result += "0123456789abcdef"[code >> static_cast<unsigned>(shift) & 0xFU];
  };
  result += quote;
  each_character(text, [&](char32_t code, std::size_t at, std::size_t length) {
    if (code == static_cast<char32_t>(quote) || code == '\\') {
      result += '\\';
      result += static_cast<char>(code);
    } else if (code == '\n' || code == '\r' || code == '\t') {
      result += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_printable(code)) {
      result += text.substr(at, length);
    } else if (code < 0x100) {
      hex('x', code, 2);
    } else {
      code < 0x10000 ? hex('u', code, 4) : hex('U', code, 8);
    }
  });
  result += quote;
}

class Printer {
 public:
  Printer(Context& context, std::string& text) : context_(context), text_(text) {}

  void str(const Value& value) {
    if (value.is_undefined()) return;
    if (value.is_text())
      put(value.text());
    else
      repr(value);
  }

  void repr(const Value& value) {
    const Deeper deeper(context_);
    context_.step();
    switch (value.kind()) {
      case Kind::undefined: return put("Undefined");
      case Kind::none: return put("None");
      case Kind::boolean: return put(value.boolean() ? "True" : "False");
      case Kind::integer: return append_integer(text_, value.integer());
      case Kind::real: return put(real_text(value.real()));
      case Kind::text: {
        context_.scan(value.text().size());
        std::string quoted;
        append_repr(quoted, value.text());
        return put(quoted);
      }
      case Kind::sequence: return repr(value.sequence());
      case Kind::dict: return pairs(value.dict().members, [&](const Value& key) { repr(key); });
      case Kind::object: break;
    }
    if (!value.is_object(Object::Kind::name_space)) context_.fail("cannot print ", kind_of(value), ": it has no text");
    put("<Namespace ");
    pairs(value.as<Namespace>().members, [&](const std::string& name) {
      std::string quoted;
      append_repr(quoted, name);
      put(quoted);
    });
    put(">");
  }

 private:
  void put(std::string_view part) {
    context_.spend(part.size());
    context_.require(text_.size() + part.size() <= context_.limits().output, "text too long: expected at most ",
                     context_.limits().output, " bytes");
    text_ += part;
  }
  void repr(const Sequence& sequence) {
    using Form = Sequence::Form;
    if (sequence.form == Form::range) {
      put("range(");
      append_integer(text_, sequence.range[0]);
      put(", ");
      append_integer(text_, sequence.range[1]);
      if (sequence.range[2] != 1) {
        put(", ");
        append_integer(text_, sequence.range[2]);
      }
      return put(")");
    }
    const bool tuple = sequence.is_tuple();
    if (sequence.is_view())
      put(sequence.form == Form::keys ? "dict_keys(" : sequence.form == Form::values ? "dict_values(" : "dict_items(");
    put(tuple ? "(" : "[");
    for (const Value& item : sequence.items) {
      if (&item != sequence.items.data()) put(", ");
      repr(item);
    }
    if (tuple && sequence.items.size() == 1) put(",");
    put(tuple ? ")" : "]");
    if (sequence.is_view()) put(")");
  }
  template <class Members, class Key> void pairs(const Members& members, Key&& key) {
    put("{");
    for (const auto& member : members) {
      if (&member != members.data()) put(", ");
      key(member.first);
      put(": ");
      repr(member.second);
    }
    put("}");
  }

  Context& context_;
  std::string& text_;
};

inline void append_value(Context& context, std::string& text, const Value& value) { Printer(context, text).str(value); }
// str(value), sharing what is text already.
inline Value to_str(Context& context, const Value& value) {
  if (value.is_text()) return value;
  std::string text;
  append_value(context, text, value);
  return make_text(context, std::move(text));
}

}  // namespace atom::io::jinja

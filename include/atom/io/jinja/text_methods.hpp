// SPDX-License-Identifier: Apache-2.0
// The methods of Python's str that templates can call.
#pragma once

#include "format.hpp"

namespace atom::io::jinja {

struct Method {
  std::string_view name;
  Callable call;
};

// The bytes of characters start..stop of a method's two last arguments, and where they start.
inline std::pair<std::string_view, std::size_t> part_of(Context& context, const Text& text, const Bound& bound,
                                                        std::size_t first) {
  const auto length = static_cast<Int>(text.length);
  const auto place = [&](std::size_t i, Int otherwise) {
    const Int at = bound.given(i) ? bound.integer(i, otherwise) : otherwise;
    return at < -length ? Int{0} : at < 0 ? at + length : at;
  };
  const Int start = place(first, 0), stop = std::min(place(first + 1, length), length);
  if (start > stop) return {{}, std::string::npos};
  const std::size_t from = byte_of(context, text, static_cast<std::size_t>(start));
  const std::size_t to = byte_of(context, text, static_cast<std::size_t>(stop));
  return {std::string_view(text.bytes).substr(from, to - from), from};
}

// The byte at which the argument is found, in the part that the others name.
inline std::optional<std::size_t> find_in(Context& context, const Text& text, const Bound& bound, bool last) {
  const auto [part, start] = part_of(context, text, bound, 1);
  const std::string& wanted = bound.text(0);
  if (start == std::string::npos) return std::nullopt;
  context.spend(part.size() + 8 * wanted.size());
  const std::size_t found = last ? find_last(part, wanted) : Finder(wanted).find(part);
  if (found == part.npos) return std::nullopt;
  return start + found;
}

template <bool last, bool must> Value text_find(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, must ? "index" : "find", arguments, {"sub", "start", "end"}, 1);
  const auto found = find_in(context, *self.text_ref(), bound, last);
  context.require(found || !must, "index: the substring is not there");
  if (!found) return -1;
  return count_characters(std::string_view(self.text()).substr(0, *found));
}

template <bool end> Value text_starts(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, end ? "endswith" : "startswith", arguments, {"prefix", "start", "end"}, 1);
  const auto [part, start] = part_of(context, *self.text_ref(), bound, 1);
  const auto fits = [&, where = part, at = start](const Value& value) {
    if (!value.is_text())
      context.fail(end ? "endswith" : "startswith", ": found ", describe(value), ", expected a string");
    context.spend(value.text().size());
    return at != std::string::npos && (end ? where.ends_with(value.text()) : where.starts_with(value.text()));
  };
  if (!is_tuple(bound[0])) return fits(bound[0]);
  return std::ranges::any_of(bound[0].sequence().items, fits);
}

template <bool left, bool right> Value text_strip(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "strip", arguments, {"chars"});
  std::string_view text = self.text();
  if (bound.given(0)) {
    const std::string& chars = bound.text(0);
    text = strip(text, left, right, [&](char32_t code) {
      context.scan(4 * chars.size());
      return has_character(chars, code);
    });
  } else {
    text = strip_spaces(text, left, right);
  }
  context.scan(self.text().size() - text.size());
  return text.size() == self.text().size() ? self : make_text(context, text);
}

inline Value text_list(Context& context, const std::vector<std::string_view>& parts,
                       Sequence::Form form = Sequence::Form::list) {
  std::vector<Value> items;
  context.step(parts.size());
  for (const std::string_view part : parts) items.push_back(make_text(context, part));
  return make_sequence(context, std::move(items), form);
}

template <bool right> Value text_split(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, right ? "rsplit" : "split", arguments, {"sep", "maxsplit"});
  const Int limit = bound.integer(1, -1);
  std::size_t most = limit < 0 ? std::string::npos : static_cast<std::size_t>(std::min(limit, Int{1} << 40U));
  std::string_view rest = self.text();
  context.scan(rest.size());
  std::vector<std::string_view> parts;
  const auto add = [&](std::string_view part) {
    context.step();
    parts.push_back(part);
  };
  if (bound.given(0)) {
    const std::string& separator = bound.text(0);
    context.require(!separator.empty(), "split: found an empty separator");
    std::vector<std::size_t> places;
    const Finder finder(separator);
    if (!right) {
      for (std::size_t at = 0; places.size() < most && (at = finder.find(rest, at)) != rest.npos;
           at += separator.size())
        places.push_back(at);
    } else {
      // Backwards: the same search in the text turned around.
      const std::string back(rest.rbegin(), rest.rend()), wanted(separator.rbegin(), separator.rend());
      const Finder reversed(wanted);
      for (std::size_t at = 0; places.size() < most && (at = reversed.find(back, at)) != back.npos; at += wanted.size())
        places.push_back(rest.size() - at - wanted.size());
      std::ranges::reverse(places);
    }
    std::size_t start = 0;
    for (const std::size_t at : places) {
      add(rest.substr(start, at - start));
      start = at + separator.size();
    }
    add(rest.substr(start));
    return text_list(context, parts);
  }
  const std::string_view all = rest;
  const auto in_word = [](char32_t code) { return !is_space(code); };
  for (rest = strip_spaces(rest); !rest.empty(); rest = strip_spaces(rest)) {
    if (parts.size() == most) {
      const auto start = static_cast<std::size_t>(rest.data() - all.data());
      add(right ? all.substr(0, start + rest.size()) : all.substr(start));
      break;
    }
    const std::string_view others = strip(rest, !right, right, in_word);
    add(right ? rest.substr(others.size()) : rest.substr(0, rest.size() - others.size()));
    rest = others;
  }
  if (right) std::ranges::reverse(parts);
  return text_list(context, parts);
}

template <bool last> Value text_partition(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "partition", arguments, {"sep"}, 1);
  const std::string_view text = self.text();
  const std::string& separator = bound.text(0);
  context.require(!separator.empty(), "partition: found an empty separator");
  context.spend(text.size() + 8 * separator.size());
  const std::size_t at = last ? find_last(text, separator) : Finder(separator).find(text);
  if (at == text.npos)
    return text_list(context,
                     last ? std::vector<std::string_view>{"", "", text} : std::vector<std::string_view>{text, "", ""},
                     Sequence::Form::tuple);
  return text_list(context, {text.substr(0, at), separator, text.substr(at + separator.size())}, Sequence::Form::tuple);
}

inline Value replaced(Context& context, const Value& self, const std::string& old, const std::string& fresh,
                      Int count) {
  const std::string& text = self.text();
  std::string result;
  context.spend(text.size());
  std::size_t start = 0, from = 0;
  const Finder finder(old);
  for (Int i = 0; count < 0 || i < count; ++i) {
    const std::size_t at = finder.find(text, from);
    if (at == text.npos) break;
    context.step();
    context.require(result.size() + fresh.size() + at - start <= context.limits().output,
                    "text too long: expected at most ", context.limits().output, " bytes");
    result.append(text, start, at - start);
    result += fresh;
    start = at + old.size();
    from = start;
    if (old.empty()) {  // between all characters
      if (at >= text.size()) break;
      from = at + utf8_at(text, at).length;
    }
  }
  if (start == 0 && result.empty()) return self;
  result.append(text, start);
  return make_text(context, std::move(result));
}

inline Value joined(Context& context, const Value& separator, const Value& values, bool convert) {
  std::string result;
  Walk walk(context, values);
  bool first = true;
  for (Value item; walk.next(context, item);) {
    if (!convert && !item.is_text()) context.fail("join: found ", describe(item), ", expected strings");
    if (!std::exchange(first, false)) result += separator.text();
    context.spend(separator.text().size());
    append_value(context, result, item);
    context.require(result.size() <= context.limits().output, "text too long: expected at most ",
                    context.limits().output, " bytes");
  }
  return make_text(context, std::move(result));
}

const Method* find_text_method(std::string_view name);  // text_table.hpp

}  // namespace atom::io::jinja

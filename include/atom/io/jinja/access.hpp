// SPDX-License-Identifier: Apache-2.0
// value.name, value[key], methods, and the `loop` of a for block, by the rules of Jinja's immutable sandbox: what would
// change a value, and names that begin with an underscore, are not there.
#pragma once

#include "text_table.hpp"

namespace atom::io::jinja {

struct Stmt;
struct Activation;

struct Loop : Object {
  Loop(Walk elements, Int loop_depth) : Object(Kind::loop), walk(std::move(elements)), depth0(loop_depth) {}

  // Whether there is another element, which becomes the current one.
  bool next(Context& context) {
    Value value;
    if (after) {
      value = std::move(*after);
      after.reset();
    } else if (!walk.next(context, value)) {
      return false;
    }
    ++index0;
    before = std::exchange(current, std::move(value));
    return true;
  }
  bool peek(Context& context) {
    Value value;
    if (!after && walk.next(context, value)) after = std::move(value);
    return after.has_value();
  }
  Int length(Context& context) {
    if (known) return *known;
    if (const auto length = length_of(walk.value())) return *(known = static_cast<Int>(*length));
    // What an iterator still has is read now.
    std::vector<Value> rest;
    for (Value value; walk.next(context, value);) rest.push_back(std::move(value));
    known = static_cast<Int>(rest.size()) + index0 + 1 + (after ? 1 : 0);
    walk = Walk(context, make_list(context, std::move(rest)));
    return *known;
  }

  Walk walk;
  Int depth0;
  Int index0 = -1;
  std::optional<Int> known = {};
  std::optional<Value> after = {};
  Value current = {}, before = {};
  std::optional<std::vector<Value>> last_changed = {};
  const Stmt* body = nullptr;  // what a recursive loop runs, and in which surroundings
  Activation* surroundings = nullptr;
};

inline Value loop_cycle(Context& context, const Value& self, const Arguments& arguments) {
  context.require(!arguments.values.empty() && arguments.named.empty(), "loop.cycle: expected at least one value");
  const Int at = self.as<Loop>().index0 % static_cast<Int>(arguments.values.size());
  return arguments.values[static_cast<std::size_t>(at < 0 ? 0 : at)];
}

inline Value loop_changed(Context& context, const Value& self, const Arguments& arguments) {
  context.require(arguments.named.empty(), "loop.changed: found a named argument, expected none");
  auto& last = self.as<Loop>().last_changed;
  const auto same = [&](const Value& a, const Value& b) { return equal(context, a, b); };
  if (last && std::equal(last->begin(), last->end(), arguments.values.begin(), arguments.values.end(), same))
    return false;
  last = arguments.values;
  return true;
}

inline std::optional<Value> loop_attribute(Context& context, Loop& loop, std::string_view name) {
  if (name == "index0") return Value(loop.index0);
  if (name == "index") return Value(loop.index0 + 1);
  if (name == "first") return Value(loop.index0 == 0);
  if (name == "last") return Value(!loop.peek(context));
  if (name == "length") return Value(loop.length(context));
  if (name == "revindex0") return Value(loop.length(context) - loop.index0 - 1);
  if (name == "revindex") return Value(loop.length(context) - loop.index0);
  if (name == "depth0") return Value(loop.depth0);
  if (name == "depth") return Value(loop.depth0 + 1);
  if (name == "previtem") return loop.index0 == 0 ? Value(undefined_hint("there is no previous item")) : loop.before;
  if (name == "nextitem") return loop.peek(context) ? *loop.after : Value(undefined_hint("there is no next item"));
  return std::nullopt;
}

inline Value view_of(Context& context, const Value& self, Sequence::Form form) {
  std::vector<Value> items;
  const auto& members = self.dict().members;
  context.step(1 + members.size() / 4);
  items.reserve(members.size());
  for (const auto& [key, value] : members)
    items.push_back(form == Sequence::Form::keys     ? key
                    : form == Sequence::Form::values ? value
                                                     : make_tuple(context, {key, value}));
  return make_sequence(context, std::move(items), form);
}
template <Sequence::Form form> Value dict_view(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "keys, values and items", arguments, {});
  return view_of(context, self, form);
}
inline Value dict_get(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "get", arguments, {"key", "default"}, 1);
  require_hashable(context, bound[0]);
  const Value* found = find_member(context, self.dict(), bound[0]);
  return found ? *found : bound.value(1, None{});
}
inline Value itself(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "copy", arguments, {});
  return self;
}
inline Value sequence_count(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "count", arguments, {"value"}, 1);
  return std::ranges::count_if(self.sequence().items,
                               [&](const Value& item) { return equal(context, item, bound[0]); });
}
inline Value sequence_index(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "index", arguments, {"value", "start", "stop"}, 1);
  const auto& items = self.sequence().items;
  const auto size = static_cast<Int>(items.size());
  const auto place = [&](Int at) { return std::clamp(at < 0 ? at + size : at, Int{0}, size); };
  const Int start = place(std::max(bound.integer(1, 0), -size)), stop = place(std::max(bound.integer(2, size), -size));
  for (Int at = start; at < stop; ++at)
    if (equal(context, items[static_cast<std::size_t>(at)], bound[0])) return at;
  context.fail("index: the value is not there");
}
inline Value cycler_next(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "next", arguments, {});
  auto& cycler = self.as<Cycler>();
  const Value& result = cycler.items[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.items.size();
  return result;
}
inline Value cycler_reset(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "reset", arguments, {});
  self.as<Cycler>().at = 0;
  return None{};
}
inline Value real_is_integer(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "is_integer", arguments, {});
  return std::isfinite(self.real()) && std::floor(self.real()) == self.real();
}

inline const Method* find_method(const Value& value, std::string_view name) {
  using Form = Sequence::Form;
  static constexpr Method of_dict[] = {{"items", dict_view<Form::items>},
                                       {"keys", dict_view<Form::keys>},
                                       {"values", dict_view<Form::values>},
                                       {"get", dict_get},
                                       {"copy", itself}};
  static constexpr Method of_list[] = {{"count", sequence_count}, {"index", sequence_index}, {"copy", itself}};
  static constexpr Method of_loop[] = {{"cycle", loop_cycle}, {"changed", loop_changed}};
  static constexpr Method of_cycler[] = {{"next", cycler_next}, {"reset", cycler_reset}};
  static constexpr Method of_real[] = {{"is_integer", real_is_integer}};
  std::span<const Method> methods;
  if (value.is_text()) return find_text_method(name);
  if (value.is(Kind::dict)) methods = of_dict;
  if (value.is(Kind::sequence) && !value.sequence().is_view())
    methods = std::span(of_list).first(is_list(value) ? 3 : 2);
  if (value.is_object(Object::Kind::loop)) methods = of_loop;
  if (value.is_object(Object::Kind::cycler)) methods = of_cycler;
  if (value.is(Kind::real)) methods = of_real;
  const auto found = std::ranges::find(methods, name, &Method::name);
  return found == methods.end() ? nullptr : &*found;
}

// Methods of Python's that change a value.
inline bool would_change(const Value& value, std::string_view name) {
  static constexpr std::string_view of_dict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  static constexpr std::string_view of_list[] = {"append", "clear",  "extend",  "insert",
                                                 "pop",    "remove", "reverse", "sort"};
  if (value.is(Kind::dict)) return std::ranges::find(of_dict, name) != std::end(of_dict);
  return is_list(value) && std::ranges::find(of_list, name) != std::end(of_list);
}

// What getattr() of Python finds. `lasting` is the name where it outlives the rendering, for messages.
inline std::optional<Value> find_attribute(Context& context, const Value& value, std::string_view name,
                                           const std::string* lasting) {
  if (const Method* method = find_method(value, name))
    return context.keep<Function>(Object::Kind::method, method->name, method->call, value);
  const bool dunder = name.starts_with("__") && !value.is_object(Object::Kind::name_space);
  if (would_change(value, name) || dunder)
    return Value(Undefined{Undefined::Why::unsafe, lasting, kind_of(value).data()});
  if (value.is_object(Object::Kind::name_space)) {
    for (const auto& [other, member] : value.as<Namespace>().members) {
      context.step();
      if (other == name)
        return name[0] == '_' ? Value(Undefined{Undefined::Why::unsafe, lasting, "a namespace"}) : member;
    }
  } else if (value.is_object(Object::Kind::loop)) {
    return loop_attribute(context, value.as<Loop>(), name);
  } else if (value.is_object(Object::Kind::cycler) && name == "current") {
    return value.as<Cycler>().items[value.as<Cycler>().at];
  } else if (value.is(Kind::sequence) && value.sequence().form == Sequence::Form::group) {
    if (name == "grouper") return value.sequence().items[0];
    if (name == "list") return value.sequence().items[1];
  }
  return std::nullopt;
}

// What value[key] of Python finds.
inline std::optional<Value> find_item(Context& context, const Value& value, const Value& key) {
  if (value.is(Kind::dict)) {
    if (const Value* found = find_member(context, value.dict(), key)) return *found;
    return std::nullopt;
  }
  if (!key.is_integral() || !(value.is_text() || value.is(Kind::sequence))) return std::nullopt;
  if (value.is(Kind::sequence) && value.sequence().is_view()) return std::nullopt;
  const auto size = static_cast<Int>(*length_of(value));
  Int at = key.integer();
  if (at < 0 && at >= -size) at += size;
  if (at < 0 || at >= size) return std::nullopt;
  if (value.is(Kind::sequence)) return value.sequence().items[static_cast<std::size_t>(at)];
  const std::size_t start = byte_of(context, *value.text_ref(), static_cast<std::size_t>(at));
  return make_text(context, std::string_view(value.text()).substr(start, utf8_at(value.text(), start).length));
}

inline void require_defined(Context& context, const Value& value, std::string_view of) {
  if (value.is_undefined()) context.fail(of, ": found ", describe(value), ", expected a value");
}

// value.name: an attribute before an item. Undefined if there is neither. Error: the value is undefined.
inline Value get_attribute(Context& context, const Value& value, std::string_view name, const std::string* lasting) {
  if (value.is_undefined()) context.fail('.', name, ": found ", describe(value), ", expected a value that has it");
  if (value.is(Kind::dict) && find_method(value, name) == nullptr && !would_change(value, name)) {
    const Dict& dict = value.dict();
    context.step(1 + dict.members.size() / 8);
    for (const auto& [key, member] : dict.members)
      if (key.is_text() && key.text() == name) return member;
  }
  if (auto found = find_attribute(context, value, name, lasting)) return *found;
  return Undefined{Undefined::Why::member, lasting, kind_of(value).data()};
}

// value[key]: an item before an attribute. Undefined if there is neither. Error: the value is undefined.
inline Value get_item(Context& context, const Value& value, const Value& key, const std::string* lasting) {
  if (value.is_undefined())
    context.fail("[]: found ", describe(value), ", expected a value that has ",
                 key.is_text() ? in_quotes(key.text(), 60) : "elements");
  if (auto found = find_item(context, value, key)) return *found;
  if (key.is_text())
    if (auto found = find_attribute(context, value, key.text(), lasting)) return *found;
  return Undefined{Undefined::Why::member, lasting, kind_of(value).data()};
}

}  // namespace atom::io::jinja

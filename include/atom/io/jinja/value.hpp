// SPDX-License-Identifier: Apache-2.0
// Values of a template, as Python has them: immutable and shared, but for the objects that a Context keeps.
#pragma once

#include "../../core/utf8.hpp"
#include "../quote.hpp"
#include "context.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <variant>

namespace atom::io::jinja {

__extension__ typedef __int128 Int;  // exact beyond all 64-bit integers; what overflows it is an error

struct None {};
// Where a value is missing, and why: `name` and `owner` outlive the rendering.
struct Undefined {
  enum class Why : std::uint8_t { name, member, unsafe, hint };
  Why why = Why::hint;
  const std::string* name = nullptr;
  const char* owner = "nothing";
};
struct Text {
  std::string bytes;       // UTF-8
  std::size_t length = 0;  // in characters
  bool safe = false;       // what `safe` or `escape` made: adding to it escapes the other text
};
struct Sequence;
struct Dict;
using TextRef = std::shared_ptr<const Text>;
using SequenceRef = std::shared_ptr<const Sequence>;
using DictRef = std::shared_ptr<const Dict>;

class Value {
 public:
  enum class Kind : std::uint8_t { undefined, none, boolean, integer, real, text, sequence, dict, object };

  Value() = default;  // undefined
  Value(Undefined value) : value_(value) {}
  Value(None value) : value_(value) {}
  Value(Int value) : value_(value) {}
  template <std::integral T> Value(T value) {
    if constexpr (std::is_same_v<T, bool>)
      value_ = value;
    else
      value_ = static_cast<Int>(value);
  }
  Value(double value) : value_(value) {}
  Value(TextRef value) : value_(std::move(value)) {}
  Value(SequenceRef value) : value_(std::move(value)) {}
  Value(DictRef value) : value_(std::move(value)) {}
  Value(Object* value) : value_(value) {}

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is(Kind kind_wanted) const { return kind() == kind_wanted; }
  bool is_undefined() const { return is(Kind::undefined); }
  bool is_none() const { return is(Kind::none); }
  bool is_text() const { return is(Kind::text); }
  bool is_integral() const { return is(Kind::boolean) || is(Kind::integer); }  // as in Python, bool is an int
  bool is_number() const { return is_integral() || is(Kind::real); }
  bool is_object(Object::Kind object_kind) const { return is(Kind::object) && object()->kind == object_kind; }

  const Undefined& undefined() const { return std::get<Undefined>(value_); }
  bool boolean() const { return std::get<bool>(value_); }
  Int integer() const { return is(Kind::boolean) ? Int{boolean()} : std::get<Int>(value_); }
  double real() const { return is(Kind::real) ? std::get<double>(value_) : static_cast<double>(integer()); }
  const std::string& text() const { return text_ref()->bytes; }
  const TextRef& text_ref() const { return std::get<TextRef>(value_); }
  const Sequence& sequence() const { return *std::get<SequenceRef>(value_); }
  const Dict& dict() const { return *std::get<DictRef>(value_); }
  Object* object() const { return std::get<Object*>(value_); }
  template <class T> T& as() const { return static_cast<T&>(*object()); }

  const void* address() const {  // of what is shared; nullptr of plain values
    if (is(Kind::object)) return object();
    if (is(Kind::text)) return std::get<TextRef>(value_).get();
    if (is(Kind::sequence)) return std::get<SequenceRef>(value_).get();
    return is(Kind::dict) ? std::get<DictRef>(value_).get() : nullptr;
  }

 private:
  std::variant<Undefined, None, bool, Int, double, TextRef, SequenceRef, DictRef, Object*> value_;
};
using Kind = Value::Kind;

struct Sequence {
  enum class Form : std::uint8_t { list, tuple, keys, values, items, range, group };
  Form form = Form::list;
  int depth = 1;
  std::vector<Value> items;
  std::array<Int, 3> range{};  // start, stop, step

  bool is_tuple() const { return form == Form::tuple || form == Form::group; }
  bool is_view() const { return form == Form::keys || form == Form::values || form == Form::items; }
};

struct Dict {
  int depth = 1;
  std::vector<std::pair<Value, Value>> members;  // keys differ
};

struct Namespace : Object {
  Namespace() : Object(Kind::name_space) {}
  std::vector<std::pair<std::string, Value>> members;
};
// Values one after another, once.
struct Iterator : Object {
  explicit Iterator(int iterator_depth) : Object(Kind::iterator), depth(iterator_depth) {}
  virtual bool next(Context& context, Value& value) = 0;
  const int depth;  // of iterators that read from each other
};
struct Cycler : Object {
  explicit Cycler(std::vector<Value> values) : Object(Kind::cycler), items(std::move(values)) {}
  std::vector<Value> items;
  std::size_t at = 0;
};
struct Joiner : Object {
  explicit Joiner(Value text) : Object(Kind::joiner), separator(std::move(text)) {}
  Value separator;
  bool used = false;
};

struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;
};
using Callable = Value (*)(Context&, const Value& self, const Arguments&);
// A function of the templates' world, or a method with its object.
struct Function : Object {
  Function(Kind function_kind, std::string_view function_name, Callable called, Value object_of)
      : Object(function_kind), name(function_name), call(called), self(std::move(object_of)) {}
  std::string_view name;
  Callable call;
  Value self;
};

inline int depth_of(const Value& value) {
  if (value.is(Kind::sequence)) return value.sequence().depth;
  if (value.is(Kind::dict)) return value.dict().depth;
  return value.is_object(Object::Kind::iterator) ? value.as<Iterator>().depth : 0;
}

// What messages call a value.
inline std::string_view kind_of(const Value& value) {
  constexpr std::string_view kinds[] = {
      "an undefined value", "none", "a boolean", "an integer", "a float", "a string", "", "a dict", ""};
  constexpr std::string_view forms[] = {"a list",          "a tuple", "keys of a dict", "values of a dict",
                                        "items of a dict", "a range", "a tuple"};
  constexpr std::string_view objects[] = {"a namespace", "a macro",  "a loop",     "an iterator",
                                          "a cycler",    "a joiner", "a function", "a method"};
  if (value.is(Kind::sequence)) return forms[static_cast<std::size_t>(value.sequence().form)];
  if (value.is(Kind::object)) return objects[static_cast<std::size_t>(value.object()->kind)];
  return kinds[static_cast<std::size_t>(value.kind())];
}

// For messages: what the value is, and of something undefined, what was looked for.
inline std::string describe(const Value& value) {
  if (!value.is_undefined()) return std::string(kind_of(value));
  const Undefined& missing = value.undefined();
  if (missing.why == Undefined::Why::hint) return to_text("an undefined value (", missing.owner, ')');
  const std::string name = missing.name == nullptr ? "such element" : in_quotes(*missing.name, 60);
  if (missing.why == Undefined::Why::name) return to_text(name, ", which is undefined");
  if (missing.why == Undefined::Why::unsafe) return to_text(name, ", which may not be used on ", missing.owner);
  return to_text("no ", name, " in ", missing.owner);
}

inline Undefined undefined_name(const std::string& name) { return {Undefined::Why::name, &name, ""}; }
inline Undefined undefined_hint(const char* why) { return {Undefined::Why::hint, nullptr, why}; }

inline std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}
inline TextRef plain_text(std::string_view bytes) {
  return std::make_shared<const Text>(Text{std::string(bytes), count_characters(bytes), false});
}

inline Value make_text(Context& context, std::string&& bytes) {
  context.spend_text(bytes.size() + sizeof(Text));
  const std::size_t length = count_characters(bytes);
  return std::make_shared<const Text>(Text{std::move(bytes), length, false});
}
inline Value make_text(Context& context, std::string_view bytes) {
  context.spend_text(bytes.size() + sizeof(Text));
  return plain_text(bytes);
}
inline Value make_text(Context& context, const char* bytes) { return make_text(context, std::string_view(bytes)); }

inline int deepest(Context& context, int depth) {
  context.require(depth < most_nested, "values nested too deep: expected at most ", most_nested, " levels");
  return depth + 1;
}

inline Value make_sequence(Context& context, std::vector<Value> items, Sequence::Form form = Sequence::Form::list) {
  context.spend((items.size() + 2) * sizeof(Value));
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  return std::make_shared<const Sequence>(Sequence{form, deepest(context, depth), std::move(items), {}});
}
inline Value make_list(Context& context, std::vector<Value> items) { return make_sequence(context, std::move(items)); }
inline Value make_tuple(Context& context, std::vector<Value> items) {
  return make_sequence(context, std::move(items), Sequence::Form::tuple);
}
inline Value make_dict(Context& context, std::vector<std::pair<Value, Value>> members) {
  context.spend((members.size() + 1) * 2 * sizeof(Value));
  int depth = 0;
  for (const auto& [key, value] : members) depth = std::max({depth, depth_of(key), depth_of(value)});
  return std::make_shared<const Dict>(Dict{deepest(context, depth), std::move(members)});
}

inline bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
    case Kind::none: return false;
    case Kind::boolean: return value.boolean();
    case Kind::integer: return value.integer() != 0;
    case Kind::real: return value.real() != 0;
    case Kind::text: return !value.text().empty();
    case Kind::sequence: return !value.sequence().items.empty();
    case Kind::dict: return !value.dict().members.empty();
    case Kind::object: return true;
  }
  return false;
}

inline void require_utf8(const Context& context, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Character character = utf8_at(text, at);
    context.require(character.code != no_character, "a text that is not UTF-8: found ",
                    in_quotes(text.substr(at, character.length)), " at byte ", at);
    at += character.length;
  }
}

}  // namespace atom::io::jinja

// SPDX-License-Identifier: Apache-2.0
// A JSON value of our own, and its text. Objects keep the order of their members and have each name once.
// Integers are exact over all of int64 and uint64. Reading text is in json.hpp, which costs more to include.
#pragma once

#include "../core/error.hpp"
#include "quote.hpp"

#include <cmath>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace atom::io {

// A template only so that it is complete where Json is.
template <class Value> struct JsonMember {
  std::string name;
  Value value;
  friend bool operator==(const JsonMember& a, const JsonMember& b) = default;
};

class Json {
 public:
  using Member = JsonMember<Json>;
  using Array = std::vector<Json>;
  struct Object {
    std::vector<Member> members;
    std::shared_ptr<const std::string> file = nullptr;  // where it was read, for messages
    friend bool operator==(const Object& a, const Object& b) { return a.members == b.members; }
  };

  Json() = default;  // null
  Json(std::nullptr_t) {}
  template <class T>
  requires std::is_arithmetic_v<T> Json(T value) {
    if constexpr (std::is_same_v<T, bool>)
      value_ = value;
    else if constexpr (std::is_floating_point_v<T>)
      value_ = shortest(value);
    else if (std::in_range<std::int64_t>(value))
      value_ = static_cast<std::int64_t>(value);
    else
      value_ = static_cast<std::uint64_t>(value);
  }
  template <class T>
  requires std::convertible_to<const T&, std::string_view> Json(const T& text)
      : value_(std::string(std::string_view(text))) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(Array values) : value_(std::move(values)) {}
  template <class T>
  requires(!std::is_same_v<T, Json>) Json(const std::vector<T>& values) : value_(Array(values.begin(), values.end())) {}
  explicit Json(Object object) : value_(std::move(object)) {}

  // An object: Json::object({{"step", 3}, {"loss", 2.5f}}). Error: a name twice.
  static Json object(std::initializer_list<Member> members = {});

  bool is_null() const { return holds<std::monostate>(); }
  bool is_bool() const { return holds<bool>(); }
  bool is_integer() const { return holds<std::int64_t>() || holds<std::uint64_t>(); }
  bool is_number() const { return is_integer() || holds<double>(); }
  bool is_string() const { return holds<std::string>(); }
  bool is_array() const { return holds<Array>(); }
  bool is_object() const { return holds<Object>(); }
  std::string_view kind() const {  // for messages
    constexpr std::string_view kinds[] = {"null",     "a boolean", "an integer", "an integer",
                                          "a number", "a string",  "an array",   "an object"};
    return kinds[value_.index()];
  }

  // The elements of an array, the members of an object. Error naming `where`: it is something else.
  const Array& elements(std::string_view where = "json") const { return expect<Array>(where, "an array"); }
  const std::vector<Member>& members(std::string_view where = "json") const {
    return expect<Object>(where, "an object").members;
  }

  // The member of that name, or nullptr. A member that is null is there. Error: this is no object.
  const Json* find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // The member of that name. Error: it is not there.
  const Json& at(std::string_view name) const;

  // This value as T: bool, an integer type (in range, without fraction), float or double (any number), std::string,
  // std::string_view (into this value), or a std::vector of those. Error `[where] found ..., expected ...`.
  template <class T> T as(std::string_view where = "json") const { return convert<T>(where, {}); }

  // The member of that name as T. Errors name the file, the member, what it is and what was expected.
  template <class T> T get(std::string_view name) const { return at(name).template convert<T>(file(), name); }
  // The same; `fallback` if there is no such member. Null is not absent but an error here.
  template <class T> T get_or(std::string_view name, T fallback) const {
    const Json* found = find(name);
    return found == nullptr ? fallback : found->template convert<T>(file(), name);
  }
  // The same; nothing if there is no such member or it is null.
  template <class T> std::optional<T> get_optional(std::string_view name) const {
    const Json* found = find(name);
    if (found == nullptr || found->is_null()) return std::nullopt;
    return found->template convert<T>(file(), name);
  }

  // Adds a member at the end, or replaces the one of that name; null becomes an object.
  Json& set(std::string_view name, Json value);
  // Adds an element at the end; null becomes an array.
  Json& push_back(Json value) {
    if (is_null()) value_ = Array();
    check(is_array(), "json", "push_back: found ", kind(), ", expected an array");
    std::get<Array>(value_).push_back(std::move(value));
    return *this;
  }

  // Equal in kind, value and order. An integer is not equal to a floating-point number.
  friend bool operator==(const Json& a, const Json& b) { return a.value_ == b.value_; }

  // Appends the text: compact, or with `indent` spaces a level. Numbers are the shortest that read back exactly; what
  // JSON cannot say (infinity, not-a-number) becomes null. Bytes that are not UTF-8 pass as they are.
  void append_to(std::string& text, int indent = 0, int level = 0) const;
  friend void append_text(std::string& text, const Json& json) { json.append_to(text); }  // so to_text(json)

 private:
  template <class T> bool holds() const { return std::holds_alternative<T>(value_); }
  template <class T> const T& expect(std::string_view where, std::string_view expected) const {
    check(holds<T>(), where, "found ", kind(), ", expected ", expected);
    return std::get<T>(value_);
  }
  template <class T> T convert(std::string_view where, std::string_view name) const;
  template <class... Expected>
  [[noreturn]] void wrong(std::string_view where, std::string_view name, const Expected&... expected) const;
  std::string_view file() const;

  // The double that prints as the float does: 0.1f is written as 0.1 and reads back as 0.1f.
  template <class T> static double shortest(T value) {
    if (!std::is_same_v<T, float> || !std::isfinite(value)) return static_cast<double>(value);
    char digits[32];
    double result = 0;
    std::from_chars(digits, std::to_chars(digits, digits + sizeof digits, value).ptr, result);
    return result;
  }

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

inline Json Json::object(std::initializer_list<Member> members) {
  Json result(Object{});
  for (const Member& member : members) {
    check(!result.contains(member.name), "json", "a name is there twice: ", in_quotes(member.name));
    result.set(member.name, member.value);
  }
  return result;
}

inline std::string_view Json::file() const {
  const Object* object = std::get_if<Object>(&value_);
  return object == nullptr || object->file == nullptr ? std::string_view("json") : std::string_view(*object->file);
}

inline const Json* Json::find(std::string_view name) const {
  const Object* object = std::get_if<Object>(&value_);
  check(object != nullptr, "json", in_quotes(name), " is looked up in ", kind(), ", expected an object");
  for (const Member& member : object->members)
    if (member.name == name) return &member.value;
  return nullptr;
}

inline const Json& Json::at(std::string_view name) const {
  const Json* found = find(name);
  check(found != nullptr, file(), in_quotes(name), " is missing");
  return *found;
}

inline Json& Json::set(std::string_view name, Json value) {
  if (is_null()) value_ = Object{};
  if (const Json* found = find(name))
    const_cast<Json&>(*found) = std::move(value);
  else
    std::get<Object>(value_).members.push_back({std::string(name), std::move(value)});
  return *this;
}

template <class... Expected>
void Json::wrong(std::string_view where, std::string_view name, const Expected&... expected) const {
  std::string found(kind());
  if (is_string())
    found = in_quotes(std::get<std::string>(value_));
  else if (!is_array() && !is_object())
    found = to_text(*this);
  fail(where, name.empty() ? "" : to_text(in_quotes(name), ": "), "found ", found, ", expected ", expected...);
}

template <class T> T Json::convert(std::string_view where, std::string_view name) const {
  if constexpr (std::is_same_v<T, bool>) {
    if (!is_bool()) wrong(where, name, "true or false");
    return std::get<bool>(value_);
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    if (const auto* value = std::get_if<std::int64_t>(&value_); value && std::in_range<T>(*value))
      return static_cast<T>(*value);
    if (const auto* value = std::get_if<std::uint64_t>(&value_); value && std::in_range<T>(*value))
      return static_cast<T>(*value);
    wrong(where, name, "an integer in ", Limits::min(), "..", Limits::max());
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!is_number()) wrong(where, name, "a number");
    if (is_integer())
      return holds<std::int64_t>() ? static_cast<T>(std::get<std::int64_t>(value_))
                                   : static_cast<T>(std::get<std::uint64_t>(value_));
    const double value = std::get<double>(value_);
    if (std::abs(value) > static_cast<double>(std::numeric_limits<T>::max())) wrong(where, name, "a smaller number");
    return static_cast<T>(value);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    if (!is_string()) wrong(where, name, "a string");
    return std::get<std::string>(value_);
  } else {
    if (!is_array()) wrong(where, name, "an array");
    T values;
    values.reserve(std::get<Array>(value_).size());
    for (const Json& value : std::get<Array>(value_))
      values.push_back(value.template convert<typename T::value_type>(where, name));
    return values;
  }
}

inline void Json::append_to(std::string& text, int indent, int level) const {
  const auto new_line = [&](int depth) {
    if (indent == 0) return;
    text += '\n';
    text.append(static_cast<std::size_t>(indent * depth), ' ');
  };
  const auto list = [&](const auto& items, char open, char close, auto&& append_item) {
    text += open;
    for (const auto& item : items) {
      if (&item != items.data()) text += ',';
      new_line(level + 1);
      append_item(item);
    }
    if (!items.empty()) new_line(level);
    text += close;
  };
  if (const auto* values = std::get_if<Array>(&value_)) {
    list(*values, '[', ']', [&](const Json& value) { value.append_to(text, indent, level + 1); });
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    list(object->members, '{', '}', [&](const Member& member) {
      append_quoted(text, member.name);
      text += indent == 0 ? ":" : ": ";
      member.value.append_to(text, indent, level + 1);
    });
  } else if (const auto* string = std::get_if<std::string>(&value_)) {
    append_quoted(text, *string);
  } else if (const auto* number = std::get_if<double>(&value_)) {
    const std::size_t start = text.size();
    if (std::isfinite(*number))
      append_text(text, *number);
    else
      text += "null";
    if (text.find_first_not_of("-0123456789", start) == text.npos) text += ".0";  // it stays a floating-point number
  } else if (is_null()) {
    text += "null";
  } else {
    if (is_bool())
      append_text(text, std::get<bool>(value_));
    else if (holds<std::int64_t>())
      append_text(text, std::get<std::int64_t>(value_));
    else
      append_text(text, std::get<std::uint64_t>(value_));
  }
}

// With line breaks and two spaces a level, for files that people read.
inline std::string to_pretty_text(const Json& json) {
  std::string text;
  json.append_to(text, 2);
  return text + '\n';
}

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// Equality, order, membership, and walking through whatever can be walked through.
#pragma once

#include "print.hpp"

namespace atom::io::jinja {

inline bool equal(Context& context, const Value& a, const Value& b) {
  const Deeper deeper(context);
  context.step();
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
    return a.real() == b.real();
  }
  if (a.kind() != b.kind()) return false;
  if (a.is_text()) {
    if (a.text().size() != b.text().size()) return false;
    context.spend(a.text().size());
    return a.text() == b.text();
  }
  if (a.is(Kind::sequence)) {
    const Sequence &left = a.sequence(), &right = b.sequence();
    if ((left.form != right.form && !(left.is_tuple() && right.is_tuple())) || left.items.size() != right.items.size())
      return false;
    if (left.form == Sequence::Form::values) return &left == &right;
    for (std::size_t i = 0; i < left.items.size(); ++i)
      if (!equal(context, left.items[i], right.items[i])) return false;
    return true;
  }
  if (a.is(Kind::dict)) {
    const auto &left = a.dict().members, &right = b.dict().members;
    if (left.size() != right.size()) return false;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const auto matches = [&](const auto& member) { return equal(context, left[i].first, member.first); };
      auto found = right.begin() + static_cast<std::ptrdiff_t>(i);  // mostly the same order
      if (!matches(*found)) found = std::find_if(right.begin(), right.end(), matches);
      if (found == right.end() || !equal(context, left[i].second, found->second)) return false;
    }
    return true;
  }
  return !a.is(Kind::object) || a.object() == b.object();
}

// The member of that key, or nullptr.
inline const Value* find_member(Context& context, const Dict& dict, const Value& key) {
  context.step(1 + dict.members.size() / 8);
  if (key.is_text()) {
    const std::string& name = key.text();
    for (const auto& [other, value] : dict.members)
      if (other.is_text() && other.text() == name) {
        context.spend(name.size());
        return &value;
      }
    return nullptr;
  }
  for (const auto& [other, value] : dict.members)
    if (!other.is_text() && equal(context, other, key)) return &value;
  return nullptr;
}

inline void require_hashable(Context& context, const Value& key) {
  const bool list =
      key.is(Kind::sequence) && !key.sequence().is_tuple() && key.sequence().form != Sequence::Form::range;
  if (list || key.is(Kind::dict)) context.fail("found ", kind_of(key), " as key, expected a value that cannot change");
  if (key.is(Kind::sequence))
    for (const Value& item : key.sequence().items) require_hashable(context, item);
}

// Puts a member at its place or at the end.
inline void set_member(Context& context, std::vector<std::pair<Value, Value>>& members, Value key, Value value) {
  require_hashable(context, key);
  context.step(1 + members.size() / 8);
  for (auto& member : members)
    if (equal(context, member.first, key)) {
      member.second = std::move(value);
      return;
    }
  members.emplace_back(std::move(key), std::move(value));
}

// Below zero, zero or above, as a is smaller than, equal to or larger than b. Error: they have no order.
inline int order(Context& context, std::string_view sign, const Value& a, const Value& b) {
  const Deeper deeper(context);
  context.step();
  const auto three_way = [](const auto& left, const auto& right) { return left < right ? -1 : right < left ? 1 : 0; };
  if (a.is_number() && b.is_number())
    return a.is_integral() && b.is_integral() ? three_way(a.integer(), b.integer()) : three_way(a.real(), b.real());
  if (a.is_text() && b.is_text()) {
    context.spend(std::min(a.text().size(), b.text().size()));
    return a.text().compare(b.text());
  }
  if (a.is(Kind::sequence) && b.is(Kind::sequence)) {
    const Sequence &left = a.sequence(), &right = b.sequence();
    if ((left.form == Sequence::Form::list && right.form == left.form) || (left.is_tuple() && right.is_tuple())) {
      for (std::size_t i = 0; i < std::min(left.items.size(), right.items.size()); ++i)
        if (!equal(context, left.items[i], right.items[i])) return order(context, sign, left.items[i], right.items[i]);
      return three_way(left.items.size(), right.items.size());
    }
  }
  context.fail(sign, ": found ", describe(a), " and ", describe(b), ", expected values that have an order");
}

inline bool compare(Context& context, std::string_view sign, const Value& a, const Value& b) {
  if (sign == "==") return equal(context, a, b);
  if (sign == "!=") return !equal(context, a, b);
  const auto not_a_number = [](const Value& value) { return value.is(Kind::real) && std::isnan(value.real()); };
  if (a.is_number() && b.is_number() && (not_a_number(a) || not_a_number(b))) return false;
  const int found = order(context, sign, a, b);
  return sign == "<" ? found < 0 : sign == "<=" ? found <= 0 : sign == ">" ? found > 0 : found >= 0;
}

// Walks through the elements of a sequence, the keys of a dict, the characters of a text, what an iterator gives.
class Walk {
 public:
  // Of a value that may turn out not to be walkable, at the first step.
  explicit Walk(Value value) : value_(std::move(value)) {}
  // Error: the value cannot be walked through.
  Walk(Context& context, Value value) : Walk(std::move(value)) {
    if (!walkable(value_)) fail(context);
  }
  static bool walkable(const Value& value) {
    return value.is_undefined() || value.is_text() || value.is(Kind::sequence) || value.is(Kind::dict) ||
           value.is_object(Object::Kind::iterator);
  }
  bool next(Context& context, Value& value) {
    context.step();
    if (value_.is(Kind::sequence)) {
      if (at_ == value_.sequence().items.size()) return false;
      value = value_.sequence().items[at_++];
    } else if (value_.is(Kind::dict)) {
      if (at_ == value_.dict().members.size()) return false;
      value = value_.dict().members[at_++].first;
    } else if (value_.is_text()) {
      if (at_ == value_.text().size()) return false;
      const std::size_t length = utf8_at(value_.text(), at_).length;
      context.step();  // one more: a text is made
      value = make_text(context, std::string_view(value_.text()).substr(at_, length));
      at_ += length;
    } else {
      if (value_.is_undefined()) return false;
      if (!value_.is_object(Object::Kind::iterator)) fail(context);
      const Deeper deeper(context);
      return value_.as<Iterator>().next(context, value);
    }
    return true;
  }
  const Value& value() const { return value_; }

 private:
  [[noreturn]] void fail(const Context& context) const {
    context.fail("iteration: found ", describe(value_), ", expected a sequence");
  }

  Value value_;
  std::size_t at_ = 0;
};

inline std::vector<Value> to_vector(Context& context, const Value& value) {
  if (value.is(Kind::sequence)) {
    context.spend(value.sequence().items.size() * sizeof(Value));
    return value.sequence().items;
  }
  std::vector<Value> items;
  Walk walk(context, value);
  for (Value item; walk.next(context, item);) {
    context.spend(sizeof(Value));
    items.push_back(std::move(item));
  }
  return items;
}

// len(), if the value has one.
inline std::optional<std::size_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_text()) return value.text_ref()->length;
  if (value.is(Kind::sequence)) return value.sequence().items.size();
  if (value.is(Kind::dict)) return value.dict().members.size();
  return std::nullopt;
}

// `item in all`.
inline bool contains(Context& context, const Value& all, const Value& item) {
  if (all.is_text()) {
    context.require(item.is_text(), "in: found ", describe(item), ", expected a string to look for in a string");
    return find_text(context, all.text(), item.text()) != std::string::npos;
  }
  if (all.is(Kind::dict)) {
    require_hashable(context, item);
    return find_member(context, all.dict(), item) != nullptr;
  }
  if (!Walk::walkable(all)) context.fail("in: found ", describe(all), ", expected a string, a sequence or a dict");
  Walk walk(context, all);
  for (Value other; walk.next(context, other);)
    if ((item.address() != nullptr && item.address() == other.address()) || equal(context, item, other)) return true;
  return false;
}

}  // namespace atom::io::jinja

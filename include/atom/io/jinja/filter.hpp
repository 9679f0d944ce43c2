// SPDX-License-Identifier: Apache-2.0
// Filters and tests by name, and what those share that look attributes of elements up.
#pragma once

#include "access.hpp"

namespace atom::io::jinja {

// nullptr if there is none of that name.
Callable find_filter(std::string_view name);  // builtins.hpp
Callable find_test(std::string_view name);

// Looks 'a.b.0' up in values: parts between dots, digits as indices.
class AttributePath {
 public:
  AttributePath() = default;
  AttributePath(Context& context, const Value& path) {
    if (path.is_none() || path.is_undefined()) return;
    if (!path.is_text()) {
      parts_.push_back(path);
      return;
    }
    std::string_view rest = path.text();
    for (bool more = true; more;) {
      context.step(4);  // each part is a text
      const std::size_t dot = rest.find('.');
      const std::string_view part = rest.substr(0, dot);
      const bool digits = !part.empty() && part.size() < 19 && part.find_first_not_of("0123456789") == part.npos;
      std::int64_t index = 0;
      if (digits) std::from_chars(part.data(), part.data() + part.size(), index);
      parts_.push_back(digits ? Value(index) : make_text(context, part));
      more = dot != rest.npos;
      if (more) rest.remove_prefix(dot + 1);
    }
  }
  Value operator()(Context& context, Value value, const Value* otherwise = nullptr) const {
    for (const Value& part : parts_) {
      value = get_item(context, value, part, nullptr);
      if (otherwise && value.is_undefined()) value = *otherwise;
    }
    return value;
  }

 private:
  std::vector<Value> parts_;
};

// An iterator whose elements `step(context, value)` gives, until it returns false.
template <class Step> Value make_iterator(Context& context, const Value& source, Step step) {
  struct Made final : Iterator {
    Made(int iterator_depth, Step made) : Iterator(iterator_depth), step(std::move(made)) {}
    bool next(Context& context, Value& value) override { return step(context, value); }
    Step step;
  };
  return context.keep<Made>(deepest(context, depth_of(source)), std::move(step));
}

inline Value folded(Context& context, Value value) {  // what sorting without case compares
  return value.is_text() ? make_text(context, lower_text(value.text())) : value;
}

inline Arguments from_second(const Arguments& arguments, std::size_t first) {
  Arguments rest = arguments;
  rest.values.erase(rest.values.begin(), rest.values.begin() + static_cast<std::ptrdiff_t>(first));
  return rest;
}

// select, reject, selectattr and rejectattr.
template <bool wanted, bool attribute>
Value filter_select(Context& context, const Value& self, const Arguments& arguments) {
  constexpr std::size_t first = attribute ? 1 : 0;
  Callable test = nullptr;
  if (arguments.values.size() > first) {
    const Value& name = arguments.values[first];
    test = name.is_text() ? find_test(name.text()) : nullptr;
    if (test == nullptr)
      context.fail("select: there is no test ", name.is_text() ? in_quotes(name.text(), 60) : describe(name));
  }
  AttributePath path;
  if constexpr (attribute) {
    context.require(!arguments.values.empty(), "selectattr: the attribute is missing");
    path = AttributePath(context, arguments.values[0]);
  }
  Arguments rest = test ? from_second(arguments, first + 1) : Arguments{};
  if (!truth(self)) return make_iterator(context, None{}, [](Context&, Value&) { return false; });
  return make_iterator(
      context, self,
      [walk = Walk(self), path = std::move(path), rest = std::move(rest), test](Context& now, Value& value) mutable {
        while (walk.next(now, value)) {
          const Value looked_at = path(now, value);
          if (truth(test ? test(now, looked_at, rest) : looked_at) == wanted) return true;
        }
        return false;
      });
}

inline Value filter_map(Context& context, const Value& self, const Arguments& arguments) {
  if (arguments.values.empty()) {
    const Bound bound(context, "map", arguments, {"attribute", "default"}, 1);
    const bool otherwise = bound.given(1);
    return make_iterator(context, self,
                         [walk = Walk(self), path = AttributePath(context, bound[0]), fallback = bound.value(1, {}),
                          otherwise](Context& now, Value& value) mutable {
                           if (!walk.next(now, value)) return false;
                           value = path(now, value, otherwise ? &fallback : nullptr);
                           return true;
                         });
  }
  const Value& name = arguments.values[0];
  const Callable filter = name.is_text() ? find_filter(name.text()) : nullptr;
  if (filter == nullptr)
    context.fail("map: there is no filter ", name.is_text() ? in_quotes(name.text(), 60) : describe(name));
  return make_iterator(
      context, self, [walk = Walk(self), rest = from_second(arguments, 1), filter](Context& now, Value& value) mutable {
        if (!walk.next(now, value)) return false;
        value = filter(now, value, rest);
        return true;
      });
}

// Sorted by what `key` makes of each, equal ones in their order.
template <class Key> std::vector<Value> sorted_by(Context& context, const Value& values, bool backwards, Key&& key) {
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& item : to_vector(context, values)) {
    Value by = key(item);
    keyed.emplace_back(std::move(by), std::move(item));
  }
  if (backwards) std::ranges::reverse(keyed);
  std::stable_sort(keyed.begin(), keyed.end(),
                   [&](const auto& a, const auto& b) { return compare(context, "<", a.first, b.first); });
  if (backwards) std::ranges::reverse(keyed);
  std::vector<Value> items;
  for (auto& [by, item] : keyed) items.push_back(std::move(item));
  return items;
}

}  // namespace atom::io::jinja

// SPDX-License-Identifier: Apache-2.0
// All filters and tests by name, and the short ones.
#pragma once

#include "text_filters.hpp"
#include "tojson.hpp"

namespace atom::io::jinja {

inline Callable find_filter(std::string_view name) {
  using C = Context;
  using V = Value;
  using A = Arguments;
  constexpr auto otherwise = [](C& c, const V& self, const A& a) -> V {
    const Bound bound(c, "default", a, {"default_value", "boolean"});
    if (!self.is_undefined() && !(bound.flag(1) && !truth(self))) return self;
    return bound.find(0) ? bound[0] : make_text(c, "");
  };
  constexpr auto text = [](C& c, const V& self, const A& a) -> V {
    const Bound bound(c, "string", a, {});
    return to_str(c, self);
  };
  static constexpr Method filters[] = {
      {"tojson", filter_tojson},
      {"trim", filter_method<3>},
      {"length", filter_length},
      {"count", filter_length},
      {"default", otherwise},
      {"d", otherwise},
      {"string", text},
      {"join", filter_join},
      {"list", filter_list},
      {"first", filter_first},
      {"last", filter_last},
      {"selectattr", filter_select<true, true>},
      {"rejectattr", filter_select<false, true>},
      {"select", filter_select<true, false>},
      {"reject", filter_select<false, false>},
      {"map", filter_map},
      {"items", filter_items},
      {"dictsort", filter_dictsort},
      {"sort", filter_sort},
      {"unique", filter_unique},
      {"groupby", filter_groupby},
      {"reverse", filter_reverse},
      {"sum", filter_sum},
      {"min", filter_extreme<false>},
      {"max", filter_extreme<true>},
      {"batch", filter_batch},
      {"slice", filter_slice},
      {"upper", filter_method<0>},
      {"lower", filter_method<1>},
      {"capitalize", filter_method<2>},
      {"title", filter_title},
      {"int", filter_int},
      {"float", filter_float},
      {"round", filter_round},
      {"indent", filter_indent},
      {"truncate", filter_truncate},
      {"escape", filter_escape<false>},
      {"e", filter_escape<false>},
      {"safe", filter_safe},
      {"forceescape", filter_escape<true>},
      {"urlencode", filter_urlencode},
      {"replace",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "replace", a, {"old", "new", "count"}, 2);
         const V old = to_str(c, bound[0]), fresh = to_str(c, bound[1]);
         return replaced(c, to_str(c, self), old.text(), fresh.text(), bound.given(2) ? bound.integer(2, -1) : -1);
       }},
      {"format",
       [](C& c, const V& self, const A& a) -> V {
         c.require(a.values.empty() || a.named.empty(),
                   "format: found positional and named arguments, expected one kind");
         if (a.named.empty()) return format_percent(c, to_str(c, self).text(), make_tuple(c, a.values));
         std::vector<std::pair<V, V>> members;
         for (const auto& [key, value] : a.named) members.emplace_back(plain_text(key), value);
         return format_percent(c, to_str(c, self).text(), make_dict(c, std::move(members)));
       }},
      {"center",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "center", a, {"width"});
         return adjusted(c, to_str(c, self), Arguments{{bound.value(0, 80)}, {}}, '^');
       }},
      {"abs",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "abs", a, {});
         if (!self.is_number()) c.fail("abs: found ", describe(self), ", expected a number");
         if (self.is(Kind::real)) return std::abs(self.real());
         return self.integer() < 0 ? negative(c, self) : V(self.integer());
       }},
      {"attr",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "attr", a, {"name"}, 1);
         require_defined(c, self, "attr");
         const auto found = find_attribute(c, self, bound.text(0), nullptr);
         return found ? *found : V(undefined_hint("no such attribute"));
       }},
      {"wordcount",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "wordcount", a, {});
         std::size_t words = 0;
         bool before = false;
         const Value shown = to_str(c, self);
         c.scan(shown.text().size());
         each_character(shown.text(), [&](char32_t code, std::size_t, std::size_t) {
           const bool word = code == '_' || is_letter(code) || is_number(code);
           words += word && !before ? 1U : 0U;
           before = word;
         });
         return words;
       }},
  };
  const auto* found = std::ranges::find(filters, name, &Method::name);
  return found == std::end(filters) ? nullptr : found->call;
}

template <bool (*says)(const Value&)>
Value plain_test(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "test", arguments, {});
  return says(self);
}
template <std::size_t index> Value compare_test(Context& context, const Value& self, const Arguments& arguments) {
  constexpr std::string_view signs[] = {"==", "!=", "<", "<=", ">", ">="};
  const Bound bound(context, "test", arguments, {"other"}, 1);
  return compare(context, signs[index], self, bound[0]);
}
template <bool upper> Value case_test(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "test", arguments, {});
  const Value shown = to_str(context, self);
  return upper ? all_cased(context, shown.text(), is_lower, is_upper)
               : all_cased(context, shown.text(), is_upper, is_lower);
}
template <Int rest> Value parity_test(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "test", arguments, {});
  return equal(context, apply(context, Math::modulo, self, 2), rest);
}

template <Kind kind> bool is_kind(const Value& value) { return value.is(kind); }
template <bool wanted> bool is_boolean(const Value& value) {
  return value.is(Kind::boolean) && value.boolean() == wanted;
}
inline bool is_defined(const Value& value) { return !value.is_undefined(); }
inline bool is_numeric(const Value& value) { return value.is_number(); }
inline bool is_escaped(const Value& value) { return value.is_text() && value.text_ref()->safe; }
inline bool is_iterable(const Value& value) { return Walk::walkable(value) || value.is_object(Object::Kind::loop); }
inline bool same_object(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.address() != nullptr) return a.address() == b.address();
  if (a.is(Kind::boolean)) return a.boolean() == b.boolean();
  if (a.is(Kind::integer)) return a.integer() == b.integer();
  return a.is_none();
}
inline bool is_callable(const Value& value) {
  using O = Object::Kind;
  return value.is_undefined() || value.is_object(O::macro) || value.is_object(O::loop) || value.is_object(O::joiner) ||
         value.is_object(O::function) || value.is_object(O::method);
}
inline bool is_sequence(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is(Kind::dict) ||
         (value.is(Kind::sequence) && !value.sequence().is_view());
}

inline Callable find_test(std::string_view name) {
  using C = Context;
  using V = Value;
  using A = Arguments;
  static constexpr Method tests[] = {
      {"defined", plain_test<is_defined>},
      {"undefined", plain_test<is_kind<Kind::undefined>>},
      {"none", plain_test<is_kind<Kind::none>>},
      {"string", plain_test<is_kind<Kind::text>>},
      {"mapping", plain_test<is_kind<Kind::dict>>},
      {"iterable", plain_test<is_iterable>},
      {"sequence", plain_test<is_sequence>},
      {"boolean", plain_test<is_kind<Kind::boolean>>},
      {"true", plain_test<is_boolean<true>>},
      {"false", plain_test<is_boolean<false>>},
      {"integer", plain_test<is_kind<Kind::integer>>},
      {"float", plain_test<is_kind<Kind::real>>},
      {"number", plain_test<is_numeric>},
      {"callable", plain_test<is_callable>},
      {"escaped", plain_test<is_escaped>},
      {"lower", case_test<false>},
      {"upper", case_test<true>},
      {"odd", parity_test<1>},
      {"even", parity_test<0>},
      {"==", compare_test<0>},
      {"eq", compare_test<0>},
      {"equalto", compare_test<0>},
      {"!=", compare_test<1>},
      {"ne", compare_test<1>},
      {"<", compare_test<2>},
      {"lt", compare_test<2>},
      {"lessthan", compare_test<2>},
      {"<=", compare_test<3>},
      {"le", compare_test<3>},
      {">", compare_test<4>},
      {"gt", compare_test<4>},
      {"greaterthan", compare_test<4>},
      {">=", compare_test<5>},
      {"ge", compare_test<5>},
      {"divisibleby",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "divisibleby", a, {"num"}, 1);
         return equal(c, apply(c, Math::modulo, self, bound[0]), 0);
       }},
      {"in",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "in", a, {"seq"}, 1);
         return contains(c, bound[0], self);
       }},
      {"sameas",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "sameas", a, {"other"}, 1);
         return same_object(self, bound[0]);
       }},
      {"filter",
       [](C&, const V& self, const A&) -> V { return self.is_text() && find_filter(self.text()) != nullptr; }},
      {"test", [](C&, const V& self, const A&) -> V { return self.is_text() && find_test(self.text()) != nullptr; }},
  };
  const auto* found = std::ranges::find(tests, name, &Method::name);
  return found == std::end(tests) ? nullptr : found->call;
}

}  // namespace atom::io::jinja

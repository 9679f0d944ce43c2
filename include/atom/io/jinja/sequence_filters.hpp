// SPDX-License-Identifier: Apache-2.0
// Filters on sequences and dicts: sort, group, count, pick.
#pragma once

#include "filter.hpp"

namespace atom::io::jinja {

inline Value filter_sort(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  const Value attribute = bound.value(2, None{});
  if (attribute.is_text()) {
    std::string_view rest = attribute.text();
    for (std::size_t comma = 0; comma != rest.npos; rest.remove_prefix(comma == rest.npos ? 0 : comma + 1)) {
      comma = rest.find(',');
      paths.emplace_back(context, make_text(context, rest.substr(0, comma)));
    }
  } else {
    paths.emplace_back(context, attribute);
  }
  return make_list(context, sorted_by(context, self, bound.flag(0), [&](const Value& item) {
                     std::vector<Value> keys;
                     for (const AttributePath& path : paths) {
                       const Value key = path(context, item);
                       keys.push_back(bound.flag(1) ? key : folded(context, key));
                     }
                     return make_list(context, std::move(keys));
                   }));
}

inline Value filter_dictsort(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!self.is(Kind::dict)) context.fail("dictsort: found ", describe(self), ", expected a dict");
  const bool by_value = bound.find(1) && bound.text(1) == "value";
  context.require(!bound.find(1) || by_value || bound.text(1) == "key", "dictsort: expected by='key' or by='value'");
  const Value items = view_of(context, self, Sequence::Form::items);
  return make_list(context, sorted_by(context, items, bound.flag(2), [&](const Value& item) {
                     const Value& key = item.sequence().items[by_value ? 1 : 0];
                     return bound.flag(0) ? key : folded(context, key);
                   }));
}

inline Value filter_unique(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "unique", arguments, {"case_sensitive", "attribute"});
  return make_iterator(context, self,
                       [walk = Walk(self), path = AttributePath(context, bound.value(1, None{})), exact = bound.flag(0),
                        seen = std::vector<Value>()](Context& now, Value& value) mutable {
                         while (walk.next(now, value)) {
                           Value key = path(now, value);
                           if (!exact) key = folded(now, key);
                           require_hashable(now, key);
                           const auto same = [&](const Value& other) { return equal(now, key, other); };
                           if (std::ranges::any_of(seen, same)) continue;
                           seen.push_back(std::move(key));
                           return true;
                         }
                         return false;
                       });
}

template <bool largest> Value filter_extreme(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "min and max", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(context, bound.value(1, None{}));
  std::optional<Value> best, best_key;
  Walk walk(context, self);
  for (Value item; walk.next(context, item);) {
    Value key = path(context, item);
    if (!bound.flag(0)) key = folded(context, key);
    if (best && !compare(context, largest ? ">" : "<", key, *best_key)) continue;
    best = item;
    best_key = std::move(key);
  }
  return best ? *best : Value(undefined_hint("no smallest or largest of an empty sequence"));
}

inline Value filter_groupby(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(context, bound[0]);
  const Value fallback = bound.value(1, None{});
  const auto plain_key = [&](const Value& item) { return path(context, item, bound.given(1) ? &fallback : nullptr); };
  const auto key_of = [&](const Value& item) {
    return bound.flag(2) ? plain_key(item) : folded(context, plain_key(item));
  };
  std::vector<Value> groups, group;
  const auto close = [&] {
    if (group.empty()) return;
    const Value key = plain_key(group.front());
    groups.push_back(
        make_sequence(context, {key, make_list(context, std::exchange(group, {}))}, Sequence::Form::group));
  };
  for (Value& item : sorted_by(context, self, false, key_of)) {
    if (!group.empty() && !equal(context, key_of(group.front()), key_of(item))) close();
    group.push_back(std::move(item));
  }
  close();
  return make_list(context, std::move(groups));
}

inline Value filter_first(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "first", arguments, {});
  Value item;
  return Walk(context, self).next(context, item) ? item : Value(undefined_hint("no first of an empty sequence"));
}

inline Value filter_last(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "last", arguments, {});
  if (self.is_object(Object::Kind::iterator) || self.is_undefined())
    context.fail("last: found ", describe(self), ", expected a sequence");
  const std::vector<Value> items = to_vector(context, self);
  return items.empty() ? Value(undefined_hint("no last of an empty sequence")) : items.back();
}

inline Value filter_length(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "length", arguments, {});
  if (self.is_object(Object::Kind::loop)) return self.as<Loop>().length(context);
  const auto length = length_of(self);
  if (!length) context.fail("length: found ", describe(self), ", expected what has a length");
  return *length;
}

inline Value filter_list(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "list", arguments, {});
  return make_list(context, to_vector(context, self));
}

// An iterator over the list that `make(context)` returns once the first element is asked for.
template <class Make> Value make_lazy(Context& context, const Value& source, Make make) {
  return make_iterator(context, source,
                       [make = std::move(make), walk = std::optional<Walk>()](Context& now, Value& value) mutable {
                         if (!walk) walk.emplace(now, make(now));
                         return walk->next(now, value);
                       });
}

inline Value filter_items(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "items", arguments, {});
  return make_lazy(context, self, [self](Context& now) {
    if (!self.is(Kind::dict) && !self.is_undefined()) now.fail("items: found ", describe(self), ", expected a dict");
    return self.is_undefined() ? self : view_of(now, self, Sequence::Form::items);
  });
}

inline Value filter_reverse(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "reverse", arguments, {});
  if (self.is_text()) return slice(context, self, None{}, None{}, -1);
  std::vector<Value> items = to_vector(context, self);
  std::ranges::reverse(items);
  if (self.is_object(Object::Kind::iterator) || self.is_undefined()) return make_list(context, std::move(items));
  const Value turned = make_list(context, std::move(items));
  return make_iterator(context, turned, [walk = Walk(context, turned)](Context& now, Value& value) mutable {
    return walk.next(now, value);
  });
}

inline Value filter_join(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "join", arguments, {"d", "attribute"});
  const Value separator = bound.find(0) ? to_str(context, bound[0]) : make_text(context, "");
  if (!bound.given(1)) return joined(context, separator, self, true);
  std::vector<Value> items = to_vector(context, self);
  const AttributePath path(context, bound[1]);
  for (Value& item : items) item = path(context, item);
  return joined(context, separator, make_list(context, std::move(items)), true);
}

inline Value filter_sum(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "sum", arguments, {"attribute", "start"});
  const AttributePath path(context, bound.value(0, None{}));
  Value total = bound.value(1, 0);
  if (total.is_text()) context.fail("sum: found a string, expected numbers or lists");
  Walk walk(context, self);
  for (Value item; walk.next(context, item);) total = apply(context, Math::add, total, path(context, item));
  return total;
}

inline Value filter_batch(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "batch", arguments, {"linecount", "fill_with"}, 1);
  const std::size_t count = bound.size(0, 1);
  context.require(count > 0 && count < (1 << 20), "batch: expected a small positive count");
  return make_lazy(context, self, [self, count, fill = bound.value(1, None{})](Context& now) {
    std::vector<Value> rows, row;
    const auto close = [&] { rows.push_back(make_list(now, std::exchange(row, {}))); };
    for (Value& item : to_vector(now, self)) {
      if (row.size() == count) close();
      row.push_back(std::move(item));
    }
    if (!row.empty()) {
      now.spend(count * sizeof(Value));
      if (!fill.is_none()) row.resize(count, fill);
      close();
    }
    return make_list(now, std::move(rows));
  });
}

inline Value filter_slice(Context& context, const Value& self, const Arguments& arguments) {
  const Bound bound(context, "slice", arguments, {"slices", "fill_with"}, 1);
  const std::size_t slices = bound.size(0, 1);
  context.require(slices > 0 && slices < (1 << 20), "slice: expected a small positive count");
  return make_lazy(context, self, [self, slices, fill = bound.value(1, None{})](Context& now) {
    const std::vector<Value> items = to_vector(now, self);
    const std::size_t each = items.size() / slices, longer = items.size() % slices;
    std::vector<Value> columns;
    auto at = items.begin();
    for (std::size_t i = 0; i < slices; ++i) {
      now.step();
      const auto end = at + static_cast<std::ptrdiff_t>(each + (i < longer ? 1 : 0));
      std::vector<Value> column(at, end);
      if (!fill.is_none() && i >= longer) column.push_back(fill);
      columns.push_back(make_list(now, std::move(column)));
      at = end;
    }
    return make_list(now, std::move(columns));
  });
}

}  // namespace atom::io::jinja

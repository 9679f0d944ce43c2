// SPDX-License-Identifier: Apache-2.0
// The table of str's methods: those of text_methods.hpp, and the short ones.
#pragma once

#include "text_methods.hpp"

namespace atom::io::jinja {

// Whether there are characters, and all are what `test` says.
template <class Test> Value all_of_text(Context& context, const Value& self, Test&& test) {
  context.scan(self.text().size());
  return !self.text().empty() && all_characters(self.text(), test);
}
// Whether there are cased characters and all of them are lower (or upper) case.
template <class Wrong, class Right>
bool all_cased(Context& context, const std::string& text, Wrong&& wrong, Right&& right) {
  context.scan(text.size());
  bool some = false;
  const bool none_wrong = all_characters(text, [&](char32_t code) {
    some = some || right(code);
    return right(code) || !wrong(code);
  });
  return some && none_wrong;
}
inline Value adjusted(Context& context, const Value& self, const Arguments& arguments, char align) {
  const Bound bound(context, "ljust, rjust and center", arguments, {"width", "fillchar"}, 1);
  Spec spec;
  spec.width = bound.size(0, 0);
  if (bound.given(1)) spec.fill = bound.text(1);
  context.require(count_characters(spec.fill) == 1, "ljust, rjust and center: expected one character to fill with");
  const std::size_t length = self.text_ref()->length;
  if (align == '^' && spec.width > length && (spec.width - length) % 2 == 1 && spec.width % 2 == 1) {
    // Python's center puts the odd one of an odd width to the left.
    Spec left = spec;
    left.width = length + (spec.width - length) / 2 + 1;
    return make_text(context, padded(context, padded(context, self.text(), left, '>'), spec, '<'));
  }
  return make_text(context, padded(context, self.text(), spec, align));
}

inline const Method* find_text_method(std::string_view name) {
  using C = Context;
  using V = Value;
  using A = Arguments;
  static constexpr Method methods[] = {
      {"split", text_split<false>},
      {"rsplit", text_split<true>},
      {"strip", text_strip<true, true>},
      {"lstrip", text_strip<true, false>},
      {"rstrip", text_strip<false, true>},
      {"startswith", text_starts<false>},
      {"endswith", text_starts<true>},
      {"find", text_find<false, false>},
      {"rfind", text_find<true, false>},
      {"index", text_find<false, true>},
      {"rindex", text_find<true, true>},
      {"partition", text_partition<false>},
      {"rpartition", text_partition<true>},
      {"replace",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "replace", a, {"old", "new", "count"}, 2);
         return replaced(c, self, bound.text(0), bound.text(1), bound.integer(2, -1));
       }},
      {"join",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "join", a, {"iterable"}, 1);
         return joined(c, self, bound[0], false);
       }},
      {"format",
       [](C& c, const V& self, const A& a) -> V {
         c.scan(self.text().size());
         return make_text(c, BraceFormat(c, a).format(self.text()));
       }},
      {"upper",
       [](C& c, const V& self, const A& a) -> V {
         Bound(c, "upper", a, {});
         c.scan(self.text().size());
         return make_text(c, upper_text(self.text()));
       }},
      {"lower",
       [](C& c, const V& self, const A& a) -> V {
         Bound(c, "lower", a, {});
         c.scan(self.text().size());
         return make_text(c, lower_text(self.text()));
       }},
      {"casefold",
       [](C& c, const V& self, const A& a) -> V {
         Bound(c, "casefold", a, {});
         c.scan(self.text().size());
         return replaced(c, make_text(c, lower_text(self.text())), "ß", "ss", -1);
       }},
      {"capitalize",
       [](C& c, const V& self, const A& a) -> V {
         Bound(c, "capitalize", a, {});
         c.scan(self.text().size());
         return make_text(c, title_text(self.text(), false));
       }},
      {"title",
       [](C& c, const V& self, const A& a) -> V {
         Bound(c, "title", a, {});
         c.scan(self.text().size());
         return make_text(c, title_text(self.text(), true));
       }},
      {"swapcase",
       [](C& c, const V& self, const A& a) -> V {
         Bound(c, "swapcase", a, {});
         c.scan(self.text().size());
         std::string text;
         each_character(self.text(), [&](char32_t code, std::size_t at, std::size_t) {
           is_upper(code) ? append_lower(text, self.text(), at, code) : append_upper(text, code);
         });
         return make_text(c, std::move(text));
       }},
      {"count",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "count", a, {"sub", "start", "end"}, 1);
         const auto [part, start] = part_of(c, *self.text_ref(), bound, 1);
         const std::string& wanted = bound.text(0);
         c.spend(part.size() + 8 * wanted.size());
         if (start == std::string::npos) return 0;
         if (wanted.empty()) return count_characters(part) + 1;
         std::size_t count = 0;
         const Finder finder(wanted);
         for (std::size_t at = 0; (at = finder.find(part, at)) != part.npos; at += wanted.size()) ++count;
         return count;
       }},
      {"removeprefix",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "removeprefix", a, {"prefix"}, 1);
         const std::string_view text = self.text();
         return text.starts_with(bound.text(0)) ? make_text(c, text.substr(bound.text(0).size())) : self;
       }},
      {"removesuffix",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "removesuffix", a, {"suffix"}, 1);
         const std::string_view text = self.text();
         return text.ends_with(bound.text(0)) ? make_text(c, text.substr(0, text.size() - bound.text(0).size())) : self;
       }},
      {"splitlines",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "splitlines", a, {"keepends"});
         c.scan(self.text().size());
         return text_list(c, split_lines(self.text(), bound.flag(0)));
       }},
      {"ljust", [](C& c, const V& self, const A& a) -> V { return adjusted(c, self, a, '<'); }},
      {"rjust", [](C& c, const V& self, const A& a) -> V { return adjusted(c, self, a, '>'); }},
      {"center", [](C& c, const V& self, const A& a) -> V { return adjusted(c, self, a, '^'); }},
      {"zfill",
       [](C& c, const V& self, const A& a) -> V {
         const Bound bound(c, "zfill", a, {"width"}, 1);
         const std::size_t width = bound.size(0, 0), length = self.text_ref()->length;
         if (width <= length) return self;
         c.spend_text(width);
         const bool sign = self.text().starts_with('-') || self.text().starts_with('+');
         return make_text(c, std::string(self.text()).insert(sign ? 1 : 0, width - length, '0'));
       }},
      {"isalpha", [](C& c, const V& self, const A&) -> V { return all_of_text(c, self, is_letter); }},
      {"isalnum",
       [](C& c, const V& self, const A&) -> V {
         return all_of_text(c, self, [](char32_t code) { return is_letter(code) || is_number(code); });
       }},
      {"isdigit", [](C& c, const V& self, const A&) -> V { return all_of_text(c, self, is_decimal); }},
      {"isdecimal", [](C& c, const V& self, const A&) -> V { return all_of_text(c, self, is_decimal); }},
      {"isnumeric",
       [](C& c, const V& self, const A&) -> V {
         return all_of_text(c, self, [](char32_t code) { return is_number(code); });
       }},
      {"isspace", [](C& c, const V& self, const A&) -> V { return all_of_text(c, self, is_space); }},
      {"isascii",
       [](C& c, const V& self, const A&) -> V {
         c.spend(self.text().size());
         return self.text_ref()->length == self.text().size();
       }},
      {"isprintable",
       [](C& c, const V& self, const A&) -> V {
         c.scan(self.text().size());
         return all_characters(self.text(), is_printable);
       }},
      {"islower", [](C& c, const V& self, const A&) -> V { return all_cased(c, self.text(), is_upper, is_lower); }},
      {"isupper", [](C& c, const V& self, const A&) -> V { return all_cased(c, self.text(), is_lower, is_upper); }},
      {"isidentifier",
       [](C& c, const V& self, const A&) -> V {
         bool first = true;
         return all_of_text(c, self, [&](char32_t code) {
           const bool start = std::exchange(first, false);
           return code == '_' || is_letter(code) || (!start && is_decimal(code));
         });
       }},
  };
  const auto* found = std::ranges::find(methods, name, &Method::name);
  return found == std::end(methods) ? nullptr : found;
}

}  // namespace atom::io::jinja

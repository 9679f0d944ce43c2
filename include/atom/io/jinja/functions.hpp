// SPDX-License-Identifier: Apache-2.0
// The functions that every template can call; strftime_now() with English names, without time zone and locale.
#pragma once

#include "access.hpp"

namespace atom::io::jinja {

class Calendar {
 public:
  // Error: no such moment.
  Calendar(Context& context, const CivilTime& time) : context_(context), time_(time) {
    context.require(time.month >= 1 && time.month <= 12 && time.day >= 1 && time.day <= days_of(time.month) &&
                        time.hour >= 0 && time.hour < 24 && time.minute >= 0 && time.minute < 60 && time.second >= 0 &&
                        time.second < 61 && time.year >= 1 && time.year <= 9999,
                    "strftime_now: found no date and time that exists");
    for (int month = 1; month < time.month; ++month) year_day_ += days_of(month);
    year_day_ += time.day - 1;
    const int before = time.year - 1;
    week_day_ = (before * 365 + before / 4 - before / 100 + before / 400 + year_day_ + 1) % 7;  // 0: Sunday
  }

  std::string format(std::string_view text) const {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] != '%' || at + 1 == text.size()) {
        result += text[at];
        continue;
      }
      context_.step();
      ++at;
      char pad = 0;
      if (std::string_view("-_0^").find(text[at]) != std::string_view::npos && at + 1 < text.size()) pad = text[at++];
      put(result, text[at], pad);
    }
    return result;
  }

 private:
  static constexpr std::string_view week_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
  static constexpr std::string_view months[] = {"January", "February", "March",     "April",   "May",      "June",
                                                "July",    "August",   "September", "October", "November", "December"};

  int days_of(int month) const {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(time_.year) ? 1 : 0);
  }
  static bool leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

  // The ISO 8601 week, and the year that it belongs to.
  std::pair<int, int> iso_week() const {
    const int monday_based = (week_day_ + 6) % 7, week = (year_day_ - monday_based + 10) / 7;
    const auto weeks_of = [&](int year) {
      const int before = year - 1, first = (before * 365 + before / 4 - before / 100 + before / 400 + 1) % 7;
      return first == 4 || (first == 3 && leap(year)) ? 53 : 52;
    };
    if (week < 1) return {weeks_of(time_.year - 1), time_.year - 1};
    if (week > weeks_of(time_.year)) return {1, time_.year + 1};
    return {week, time_.year};
  }

  void put(std::string& result, char letter, char pad) const {
    const auto number = [&](int value, std::size_t width, char usual = '0') {
      const char fill = pad == '_' ? ' ' : pad == '0' ? '0' : usual;
      const std::string digits = to_text(value);
      if (pad != '-' && digits.size() < width) result.append(width - digits.size(), fill);
      result += digits;
    };
    const auto word = [&](std::string_view text) {
      const std::size_t start = result.size();
      result += text;
      if (pad == '^')
        for (std::size_t i = start; i < result.size(); ++i)
          if (result[i] >= 'a' && result[i] <= 'z') result[i] = static_cast<char>(result[i] - 32);
    };
    const int hour = time_.hour % 12 == 0 ? 12 : time_.hour % 12;
    const std::string_view week_day = week_days[week_day_], month = months[time_.month - 1];
    switch (letter) {
      case 'a': return word(week_day.substr(0, 3));
      case 'A': return word(week_day);
      case 'b':
      case 'h': return word(month.substr(0, 3));
      case 'B': return word(month);
      case 'd': return number(time_.day, 2);
      case 'e': return number(time_.day, 2, ' ');
      case 'm': return number(time_.month, 2);
      case 'y': return number(time_.year % 100, 2);
      case 'Y': return number(time_.year, 1);
      case 'C': return number(time_.year / 100, 2);
      case 'H': return number(time_.hour, 2);
      case 'k': return number(time_.hour, 2, ' ');
      case 'I': return number(hour, 2);
      case 'l': return number(hour, 2, ' ');
      case 'M': return number(time_.minute, 2);
      case 'S': return number(time_.second, 2);
      case 'f': return number(0, 6);
      case 'p': return word(time_.hour < 12 ? "AM" : "PM");
      case 'P': return word(time_.hour < 12 ? "am" : "pm");
      case 'j': return number(year_day_ + 1, 3);
      case 'w': return number(week_day_, 1);
      case 'u': return number(week_day_ == 0 ? 7 : week_day_, 1);
      case 'U': return number((year_day_ + 7 - week_day_) / 7, 2);
      case 'W': return number((year_day_ + 7 - (week_day_ + 6) % 7) / 7, 2);
      case 'V': return number(iso_week().first, 2);
      case 'G': return number(iso_week().second, 1);
      case 'g': return number(iso_week().second % 100, 2);
      case 'c': return word(format("%a %b %e %H:%M:%S %Y"));
      case 'x':
      case 'D': return word(format("%m/%d/%y"));
      case 'F': return word(format("%Y-%m-%d"));
      case 'X':
      case 'T': return word(format("%H:%M:%S"));
      case 'R': return word(format("%H:%M"));
      case 'r': return word(format("%I:%M:%S %p"));
      case 'n': return word("\n");
      case 't': return word("\t");
      case '%': return word("%");
      case 'z':
      case 'Z': return;  // there is no time zone
      default:
        context_.fail("strftime_now: found %", in_quotes(std::string_view(&letter, 1)),
                      ", expected a known conversion");
    }
  }

  Context& context_;
  CivilTime time_;
  int year_day_ = 0, week_day_ = 0;
};

// The members that dict(...) and namespace(...) start with: of a dict or of pairs, then the named ones.
inline std::vector<std::pair<Value, Value>> members_of(Context& context, std::string_view what,
                                                       const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> members;
  context.require(arguments.values.size() <= 1, what, ": found several positional arguments, expected at most one");
  for (const Value& start : arguments.values) {
    if (start.is(Kind::dict)) {
      context.spend(start.dict().members.size() * 2 * sizeof(Value));
      members = start.dict().members;
      continue;
    }
    for (const Value& pair : to_vector(context, start)) {
      const std::vector<Value> both = to_vector(context, pair);
      context.require(both.size() == 2, what, ": found ", both.size(), " values, expected pairs");
      set_member(context, members, both[0], both[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) set_member(context, members, plain_text(name), value);
  return members;
}

inline Value call_range(Context& context, const Value&, const Arguments& arguments) {
  const Bound bound(context, "range", arguments, {"start", "stop", "step"}, 1);
  const bool one = bound.find(1) == nullptr;
  const Int start = one ? Int{0} : bound.integer(0, 0), stop = bound.integer(one ? 0 : 1, 0),
            step = bound.integer(2, 1);
  constexpr Int most = 100'000, huge = Int{1} << 100U;  // as many elements as the sandbox allows
  context.require(step != 0, "range: found step 0, expected another");
  for (const Int part : {start, stop, step})
    context.require(part < huge && part > -huge, "range: found too large numbers");
  const Int span = step > 0 ? stop - start : start - stop, stride = step > 0 ? step : -step;
  const Int count = span <= 0 ? 0 : (span - 1) / stride + 1;
  context.require(count <= most, "range: found too many elements, expected at most ", static_cast<int>(most));
  context.step(1 + static_cast<std::uint64_t>(count) / 4);
  context.spend(static_cast<std::size_t>(count) * sizeof(Value));
  Sequence sequence{Sequence::Form::range, 1, {}, {start, stop, step}};
  for (Int i = 0; i < count; ++i) sequence.items.emplace_back(start + i * step);
  return std::make_shared<const Sequence>(std::move(sequence));
}

inline Value find_function(Context& context, std::string_view name) {
  using C = Context;
  using V = Value;
  using A = Arguments;
  static constexpr Method functions[] = {
      {"range", call_range},
      {"raise_exception",
       [](C& c, const V&, const A& a) -> V {
         const Bound bound(c, "raise_exception", a, {"message"}, 1);
         const Value message = to_str(c, bound[0]);
         c.fail("raise_exception: ", message.text());
       }},
      {"strftime_now",
       [](C& c, const V&, const A& a) -> V {
         const Bound bound(c, "strftime_now", a, {"format"}, 1);
         c.spend(16 * bound.text(0).size());
         return make_text(c, Calendar(c, *c.now).format(bound.text(0)));
       }},
      {"namespace",
       [](C& c, const V&, const A& a) -> V {
         auto* made = c.keep<Namespace>();
         for (auto& [key, value] : members_of(c, "namespace", a)) {
           if (!key.is_text()) c.fail("namespace: found ", describe(key), " as name, expected a string");
           made->members.emplace_back(key.text(), std::move(value));
         }
         return made;
       }},
      {"dict", [](C& c, const V&, const A& a) -> V { return make_dict(c, members_of(c, "dict", a)); }},
      {"joiner",
       [](C& c, const V&, const A& a) -> V {
         const Bound bound(c, "joiner", a, {"sep"});
         return c.keep<Joiner>(bound.find(0) ? bound[0] : make_text(c, ", "));
       }},
      {"cycler",
       [](C& c, const V&, const A& a) -> V {
         c.require(!a.values.empty() && a.named.empty(), "cycler: expected at least one value");
         return c.keep<Cycler>(a.values);
       }},
  };
  const auto* found = std::ranges::find(functions, name, &Method::name);
  if (found == std::end(functions) || (name == "strftime_now" && !context.now)) return {};
  return context.keep<Function>(Object::Kind::function, found->name, found->call, Value());
}

}  // namespace atom::io::jinja

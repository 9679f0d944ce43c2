// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them: 15.6k, 4m21s, 212 MB. The same in every locale.
#pragma once

#include "../core/error.hpp"
#include "../core/utf8.hpp"

#include <cmath>

namespace atom::run {

// Rounded to `decimals` digits after the point: fixed(3.14159, 2) is "3.14". "nan" and "inf" where it is one.
inline std::string fixed(double value, int decimals) {
  char digits[400];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals).ptr;
  return {digits, end};
}

// "3.0e-04"
inline std::string scientific(double value, int decimals = 1) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific, decimals).ptr;
  return {digits, end};
}

// Three digits and a unit of thousands: "950", "15.6k", "1.23M", "45.0G".
inline std::string compact(double value) {
  constexpr std::string_view units[] = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  const double size = std::abs(value);
  const int decimals = unit == 0 ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return to_text(fixed(value, decimals), units[unit]);
}

// Two units at most: "0.8s", "12s", "4m21s", "3h05m", "2d07h".
inline std::string duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e9)) return "?";
  if (seconds < 9.95) return fixed(seconds, 1) + "s";
  const auto whole = static_cast<Index>(std::llround(seconds));
  const auto pair = [](Index large, std::string_view unit, Index small, std::string_view small_unit) {
    return to_text(large, unit, small < 10 ? "0" : "", small, small_unit);
  };
  if (whole < 60) return to_text(whole, "s");
  if (whole < 3600) return pair(whole / 60, "m", whole % 60, "s");
  if (whole < 86400) return pair(whole / 3600, "h", whole / 60 % 60, "m");
  return pair(whole / 86400, "d", whole / 3600 % 24, "h");
}

// "212 MB" (10^6 bytes), "1.25 GB" from 1000 MB on.
inline std::string megabytes(double bytes) {
  return bytes < 999.5e6 ? fixed(bytes / 1e6, 0) + " MB" : fixed(bytes / 1e9, 2) + " GB";
}

// The text with U+FFFD in place of bytes that are not UTF-8, as a model may sample them.
inline std::string valid_utf8(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, length, cut] = utf8_at(text, at);
    result += code == no_character ? replacement_text : text.substr(at, length);
    at += length;
  }
  return result;
}

}  // namespace atom::run

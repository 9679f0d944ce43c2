// SPDX-License-Identifier: Apache-2.0
// The one exception type, and how its sentence is put together: `[where] rule: found this, expected that`.
// Thrown where input enters (an op, a file), never inside a kernel.
#pragma once

#include "types.hpp"

#include <charconv>
#include <concepts>
#include <stdexcept>
#include <string>

namespace atom {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Appends one part of a message. Numbers print independent of the locale, floating point in its shortest exact form.
// A type of your own takes part by an overload that argument-dependent lookup finds.
inline void append_text(std::string& text, std::string_view part) { text += part; }
inline void append_text(std::string& text, char part) { text += part; }

template <class Number>
requires(std::integral<Number> || std::floating_point<Number>) void append_text(std::string& text, Number part) {
  if constexpr (std::is_same_v<Number, bool>) {
    text += part ? "true" : "false";
  } else {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof digits, part).ptr;
    text.append(digits, end);
  }
}

inline void append_text(std::string& text, DType part) { text += name_of(part); }

// The parts one after another.
template <class... Parts> std::string to_text(const Parts&... parts) {
  std::string text;
  (append_text(text, parts), ...);
  return text;
}

template <class... Parts> [[noreturn, gnu::noinline]] void fail(std::string_view where, const Parts&... parts) {
  throw Error(to_text("[", where, "] ", parts...));
}

// Throws Error `[where] parts...` unless the condition holds. The parts become text only then.
template <class... Parts> constexpr void check(bool condition, std::string_view where, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(where, parts...);
}

}  // namespace atom

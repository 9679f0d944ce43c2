// SPDX-License-Identifier: Apache-2.0
// The one exception type, and how its sentence is put together: `[where] rule: found this, expected that`.
// Thrown where input enters (an op, a file), never inside a kernel.
#pragma once

#include "types.hpp"

#include <charconv>
#include <concepts>
#include <initializer_list>
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

namespace detail {

// A part of a message without its type, so that a check costs its caller a few addresses and no code for text.
class TextPart {
 public:
  TextPart(std::string_view text) : part_(text.data()), size_(text.size()) {}
  template <class Part>
  requires(!std::convertible_to<const Part&, std::string_view>) TextPart(const Part& part)
      : part_(&part),
        append_([](std::string& text, const void* value) { append_text(text, *static_cast<const Part*>(value)); }) {}

  void append_to(std::string& text) const {
    if (append_)
      append_(text, part_);
    else
      text.append(static_cast<const char*>(part_), size_);
  }

 private:
  const void* part_;
  std::size_t size_ = 0;
  void (*append_)(std::string&, const void*) = nullptr;
};

inline std::string joined(std::initializer_list<TextPart> parts) {
  std::string text;
  for (const TextPart& part : parts) part.append_to(text);
  return text;
}
[[noreturn]] inline void fail_with(std::initializer_list<TextPart> parts) { throw Error(joined(parts)); }

}  // namespace detail

// The parts one after another.
template <class... Parts> std::string to_text(const Parts&... parts) {
  return detail::joined({detail::TextPart(parts)...});
}

template <class... Parts>
[[noreturn, gnu::noinline, gnu::cold]] void fail(std::string_view where, const Parts&... parts) {
  detail::fail_with({std::string_view("["), where, std::string_view("] "), detail::TextPart(parts)...});
}

// Throws Error `[where] parts...` unless the condition holds. The parts become text only then.
template <class... Parts> constexpr void check(bool condition, std::string_view where, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(where, parts...);
}

}  // namespace atom

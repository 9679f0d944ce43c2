// SPDX-License-Identifier: Apache-2.0
// The arguments of a filter, test, method or function, bound to the names of its parameters.
#pragma once

#include "arithmetic.hpp"

namespace atom::io::jinja {

// Binds arguments as Python does. Errors: too many, an unknown name, a parameter twice, a required one missing.
class Bound {
 public:
  static constexpr std::size_t most = 5;

  Bound(Context& context, std::string_view what, const Arguments& arguments,
        std::initializer_list<std::string_view> names, std::size_t required = 0)
      : context_(context), what_(what) {
    context.require(arguments.values.size() <= names.size(), what, ": found ", arguments.values.size(),
                    " arguments, expected at most ", names.size());
    for (std::size_t i = 0; i < arguments.values.size(); ++i) bound_[i] = &arguments.values[i];
    for (const auto& [name, value] : arguments.named) {
      const auto found = std::ranges::find(names, name);
      const auto at = static_cast<std::size_t>(found - names.begin());
      context.require(found != names.end(), what, ": found unknown argument ", in_quotes(name, 60));
      context.require(bound_[at] == nullptr, what, ": found argument ", in_quotes(name, 60), " twice");
      bound_[at] = &value;
    }
    for (std::size_t i = 0; i < required; ++i)
      context.require(bound_[i] != nullptr, what, ": argument ", in_quotes(names.begin()[i]), " is missing");
  }

  const Value* find(std::size_t i) const { return bound_[i]; }
  bool given(std::size_t i) const { return bound_[i] != nullptr && !bound_[i]->is_none(); }
  const Value& operator[](std::size_t i) const { return *bound_[i]; }
  Value value(std::size_t i, Value otherwise) const { return bound_[i] ? *bound_[i] : std::move(otherwise); }
  bool flag(std::size_t i, bool otherwise = false) const { return bound_[i] ? truth(*bound_[i]) : otherwise; }

  const std::string& text(std::size_t i) const {
    if (!bound_[i]->is_text()) wrong(i, "a string");
    return bound_[i]->text();
  }
  Int integer(std::size_t i, Int otherwise) const {
    if (bound_[i] == nullptr) return otherwise;
    if (!bound_[i]->is_integral()) wrong(i, "an integer");
    return bound_[i]->integer();
  }
  // A width or count that is limited by what a text may have.
  std::size_t size(std::size_t i, std::size_t otherwise) const {
    const Int count = integer(i, static_cast<Int>(otherwise));
    context_.require(count <= static_cast<Int>(context_.limits().output), what_, ": the number is too large");
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  [[noreturn]] void wrong(std::size_t i, std::string_view expected) const {
    context_.fail(what_, ": found ", describe(*bound_[i]), " as argument ", i + 1, ", expected ", expected);
  }

 private:
  Context& context_;
  std::string_view what_;
  std::array<const Value*, most> bound_{};
};

}  // namespace atom::io::jinja

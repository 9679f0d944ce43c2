// SPDX-License-Identifier: Apache-2.0
// What one rendering may use, what it has used, and how it ends in an error that names template and line.
#pragma once

#include "../../core/error.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace atom::io {

// Of one rendering. Whatever goes beyond is an error.
struct TemplateLimits {
  std::uint64_t steps = 1'000'000;             // expressions, statements, elements visited
  int depth = 64;                              // macro calls and recursive loops inside each other
  std::size_t output = std::size_t{4} << 20U;  // bytes of the result, or of any text on the way to it
  std::size_t bytes = std::size_t{64} << 20U;  // bytes of all texts and lists made or searched, together
};

// A date and a time of day, as strftime_now() shows them: no time zone.
struct CivilTime {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

namespace jinja {

inline constexpr int most_nested = 200;      // values inside each other; parts of an expression, blocks in the source
inline constexpr int most_recursion = 1000;  // evaluations inside each other, macros included

// Objects that templates can change, and what refers to those, live until the rendering ends: no cycle can leak.
struct Object {
  enum class Kind : std::uint8_t { name_space, macro, loop, iterator, cycler, joiner, function, method };

  explicit Object(Kind object_kind) : kind(object_kind) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  const Kind kind;
};

class Context {
 public:
  Context(std::string_view name, const TemplateLimits& limits, const std::optional<CivilTime>& clock)
      : now(clock), name_(name), limits_(limits) {}

  // Throws Error `[template NAME:LINE] parts...`.
  template <class... Parts> [[noreturn]] void fail(const Parts&... parts) const {
    atom::fail(to_text("template ", name_, ':', line), parts...);
  }
  template <class... Parts> void require(bool condition, const Parts&... parts) const {
    if (!condition) [[unlikely]]
      fail(parts...);
  }

  void step(std::uint64_t count = 1) {
    steps_ += count;
    if (count > limits_.steps || steps_ > limits_.steps) [[unlikely]]
      fail("too many steps: expected at most ", limits_.steps);
  }
  // Counts bytes that are made or searched, one text or list at a time.
  void spend(std::size_t bytes) {
    if (bytes > limits_.bytes || (bytes_ += bytes) > limits_.bytes) [[unlikely]]
      fail("too much text: expected at most ", limits_.bytes, " bytes in all");
  }
  // Counts bytes that are looked at character by character, which takes longer.
  void scan(std::size_t bytes) { spend(bytes > limits_.bytes ? bytes : 4 * bytes); }
  // Before a text of this size is made.
  void spend_text(std::size_t bytes) {
    if (bytes > limits_.output) [[unlikely]]
      fail("text too long: expected at most ", limits_.output, " bytes");
    spend(bytes);
  }
  const TemplateLimits& limits() const { return limits_; }

  // An object that lives until the rendering ends.
  template <class T, class... Arguments> T* keep(Arguments&&... arguments) {
    step(4);
    auto made = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    T* result = made.get();
    kept_.push_back(std::move(made));
    return result;
  }

  const std::optional<CivilTime> now;
  int line = 1;
  int recursion = 0;

 private:
  std::string_view name_;
  TemplateLimits limits_;
  std::uint64_t steps_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::unique_ptr<Object>> kept_;
};

// One more evaluation inside another, for as long as this lives.
class Deeper {
 public:
  explicit Deeper(Context& context) : context_(context) {
    context.require(context.recursion < most_recursion, "nested too deep: expected at most ", most_recursion,
                    " evaluations inside each other");
    ++context.recursion;
  }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --context_.recursion; }

 private:
  Context& context_;
};

}  // namespace jinja
}  // namespace atom::io

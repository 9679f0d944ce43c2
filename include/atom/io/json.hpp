// SPDX-License-Identifier: Apache-2.0
// Reading JSON that nobody vouches for: strict, nesting and the number of values limited, names unique, integers exact.
// The one header that includes nlohmann/json (its event parser only, no tree of its own), so no umbrella includes it.
#pragma once

#include "file.hpp"
#include "json_value.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

namespace atom::io {

struct JsonLimits {
  std::size_t depth = 64;        // arrays and objects inside each other
  std::size_t values = 1 << 16;  // in all (parse_json: and one more for each 4 bytes of text), or in one member
  std::size_t token = 1 << 20;   // bytes of a string, number or gap
};

namespace detail {

// Makes values of the parser's events. `on_member(std::string& name, Json& value)` takes over each member of the
// outermost object as it is complete; none leaves all in one value. No template: the parser is compiled once.
class JsonBuilder {
 public:
  using OnMember = std::function<void(std::string& name, Json& value)>;

  JsonBuilder(std::string_view file, JsonLimits limits, OnMember on_member)
      : file_(std::make_shared<const std::string>(file)), limits_(limits), on_member_(std::move(on_member)) {}

  // The text as the parser reads it: byte by byte, since what it gathers for one token is all that we cannot count.
  struct Text {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    const char* at;
    JsonBuilder* builder;
    const char& operator*() const { return *at; }
    Text& operator++() {
      if (++builder->token_ > builder->limits_.token)
        builder->wrong("longer than ", builder->limits_.token, " bytes: a string, number or gap");
      ++at;
      return *this;
    }
    friend bool operator==(const Text& a, const Text& b) { return a.at == b.at; }
    friend bool operator!=(const Text& a, const Text& b) { return a.at != b.at; }
  };

  Json parse(std::string_view text) {
    // The parser would end at a zero byte and skip a byte order mark.
    if (const std::size_t zero = text.find('\0'); zero != text.npos)
      wrong("not JSON at byte ", zero + 1, ": a zero byte");
    if (text.starts_with("\xef\xbb\xbf")) wrong("not JSON at byte 1: a byte order mark");
    if (!on_member_) limits_.values += text.size() / 4;
    nlohmann::json::sax_parse(Text{text.data(), this}, Text{text.data() + text.size(), this}, this);
    return std::move(result_);
  }

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }  // also of integers beyond 64 bits
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // no such thing in text
  bool key(std::string& name) {
    levels_.back().name = std::move(name);
    token_ = 0;
    return true;
  }
  bool start_array(std::size_t) { return open(false); }
  bool start_object(std::size_t) { return open(true); }
  bool end_array() {
    Json value(std::move(levels_.back().values));
    levels_.pop_back();
    return place(std::move(value));
  }
  bool end_object() {
    auto& members = levels_.back().members;
    std::vector<std::string_view> names(members.size());
    std::ranges::transform(members, names.begin(), [](const auto& member) { return std::string_view(member.name); });
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end()) wrong("a name is there twice: ", in_quotes(*twice));
    Json value(Json::Object{std::move(members), file_});
    levels_.pop_back();
    return place(std::move(value));
  }
  [[noreturn]] bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) {
    // Of "[json.exception.parse_error.101] parse error at line 1, column 2: what is wrong" only the last part is new.
    std::string_view what = error.what();
    if (const std::size_t colon = what.find(": "); colon != what.npos) what.remove_prefix(colon + 2);
    fail(*file_, "not JSON at byte ", position, ": ", in_quotes(what, 160));
  }

 private:
  struct Level {
    bool object = false;
    std::string name = {};  // of the member that comes next
    std::vector<Json::Member> members = {};
    Json::Array values = {};
  };

  template <class... Parts> [[noreturn]] void wrong(const Parts&... parts) const {
    std::string path;
    for (const Level& level : levels_) {
      if (level.object)
        path += to_text(path.empty() || level.name.empty() ? "" : ".", level.name.substr(0, 60));
      else
        path += to_text('[', level.values.size(), ']');
    }
    fail(*file_, path.empty() ? "" : to_text(in_quotes(path, 200), ": "), parts...);
  }

  bool open(bool object) {
    if (levels_.size() >= limits_.depth) wrong("nested too deep: expected at most ", limits_.depth, " levels");
    count();
    levels_.push_back({.object = object});
    return true;
  }
  [[gnu::noinline]] bool add(Json value) {
    count();
    return place(std::move(value));
  }
  void count() {
    if (count_ == limits_.values)
      wrong("too many values: expected at most ", limits_.values,
            (on_member_ ? " in a member" : " in a text of this size"));
    ++count_;
    token_ = 0;
  }
  bool place(Json value) {
    token_ = 0;
    if (levels_.empty()) {
      result_ = std::move(value);
    } else if (Level& level = levels_.back(); !level.object) {
      level.values.push_back(std::move(value));
    } else {
      if (on_member_ && levels_.size() == 1) {
        on_member_(level.name, value);
        count_ = 0;
        return true;
      }
      level.members.push_back({std::exchange(level.name, {}), std::move(value)});
    }
    return true;
  }

  std::shared_ptr<const std::string> file_;
  JsonLimits limits_;
  OnMember on_member_;
  std::vector<Level> levels_;
  std::size_t count_ = 0;  // of values
  std::size_t token_ = 0;  // bytes since the last event
  Json result_;
};

}  // namespace detail

// The value of a JSON text. Errors: `[file] where: rule`, for what is not JSON, a name twice in an object, an integer
// beyond int64 and uint64, a number beyond double, and what goes beyond the limits.
inline Json parse_json(std::string_view text, std::string_view file, JsonLimits limits = {}) {
  return detail::JsonBuilder(file, limits, {}).parse(text);
}

// The same, member by member of an object, so that no more than one is in memory (and `values` limits one): calls
// `on_member(name, value)`, both of which it may move from. Names of this outermost object are not compared: that is
// left to the caller. Error: the text is no object (known only at its end).
inline void parse_json_members(std::string_view text, std::string_view file,
                               std::function<void(std::string& name, Json& value)> on_member, JsonLimits limits = {}) {
  const Json rest = detail::JsonBuilder(file, limits, std::move(on_member)).parse(text);
  check(rest.is_object(), file, "found ", rest.kind(), ", expected an object");
}

// The value of a JSON file, of at most `bytes` bytes.
inline Json read_json(const std::string& path, std::uint64_t bytes = std::uint64_t{1} << 28U) {
  return parse_json(read_file(path, bytes), path);
}

}  // namespace atom::io

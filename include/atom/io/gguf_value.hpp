// SPDX-License-Identifier: Apache-2.0
// What a GGUF file says about its tensors: names and typed values, numbers, texts or arrays of them, in the file's
// order. A value is kept as it stands in a file, so that large arrays cost what they cost there.
#pragma once

#include "byte_reader.hpp"
#include "quote.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace atom::io {

enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };
inline constexpr std::array<DType, 13> gguf_dtypes = {DType::u8,  DType::i8,  DType::u16,     DType::i16, DType::u32,
                                                      DType::i32, DType::f32, DType::boolean, DType::u8,  DType::u8,
                                                      DType::u64, DType::i64, DType::f64};

// Bytes of a number; 0 for texts and arrays.
constexpr std::size_t size_of(GgufType type) {
  if (type == GgufType::text || type == GgufType::array) return 0;
  return size_of(gguf_dtypes[static_cast<std::size_t>(type)]);
}
constexpr std::string_view name_of(GgufType type) {
  if (type == GgufType::text) return "STRING";
  if (type == GgufType::array) return "ARRAY";
  return name_of(gguf_dtypes[static_cast<std::size_t>(type)]);
}

namespace detail {

template <class T> constexpr GgufType gguf_type_of() {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return GgufType::text;
  } else {
    constexpr auto found = std::find(gguf_dtypes.begin(), gguf_dtypes.end(), dtype_of<T>) - gguf_dtypes.begin();
    static_assert(found < static_cast<std::ptrdiff_t>(gguf_dtypes.size()), "GGUF files have no such type");
    return static_cast<GgufType>(found);
  }
}

template <class T> struct IsVector : std::false_type {};
template <class T> struct IsVector<std::vector<T>> : std::true_type {};

}  // namespace detail

class GgufValue {
 public:
  // A number of an exact type, true or false, a text, or a std::vector of those.
  template <class T>
  requires(!detail::IsVector<T>::value) GgufValue(const T& value) : type_(detail::gguf_type_of<T>()) { append(value); }
  template <class T> GgufValue(const std::vector<T>& values)
      : type_(detail::gguf_type_of<T>()), array_(true), count_(values.size()) {
    for (const T& value : values) append(value);
  }

  // As it stands in a file: `bytes` hold `count` elements, or the one value.
  GgufValue(GgufType type, bool array, std::uint64_t count, std::string bytes)
      : type_(type), array_(array), count_(count), bytes_(std::move(bytes)) {}

  bool is_array() const { return array_; }
  GgufType type() const { return type_; }            // of the elements, if it is an array
  std::uint64_t size() const { return count_; }      // elements; 1 if it is no array
  std::string_view bytes() const { return bytes_; }  // as in a file: numbers, or texts with 8 bytes length each

  // This value as T: bool, an integer type (from any, in range), float or double (from either), std::string or
  // std::string_view (into this value), or a std::vector of those. Error `[where] found ..., expected ...`.
  template <class T> T as(std::string_view where = "gguf") const {
    if constexpr (detail::IsVector<T>::value) {
      check(array_, where, "found ", *this, ", expected an array");
      return elements<typename T::value_type>(where);
    } else {
      check(!array_, where, "found ", *this, ", expected one value");
      return elements<T>(where).front();
    }
  }
  // An array of `count` elements; one value stands for an array of equal ones.
  template <class T> std::vector<T> as_list(std::uint64_t count, std::string_view where = "gguf") const {
    if (!array_) return std::vector<T>(static_cast<std::size_t>(count), as<T>(where));
    check(count_ == count, where, "found ", *this, ", expected one value or ", count);
    return elements<T>(where);
  }

  friend bool operator==(const GgufValue&, const GgufValue&) = default;  // of types and bytes

  // For messages: a number, a text in quotes, or what an array is of.
  friend void append_text(std::string& text, const GgufValue& value) {
    if (value.array_)
      text += to_text("an array of ", value.count_, " ", name_of(value.type_));
    else if (value.type_ == GgufType::text)
      text += in_quotes(value.as<std::string_view>());
    else
      value.visit([&](auto number) { atom::append_text(text, number); });
  }

 private:
  template <class T> void append(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      const std::string_view text = value;
      append(std::uint64_t{text.size()});
      bytes_.append(text);
    }
  }

  // f(number), where 64 bits stand for all integers, or f(std::string_view), for each element.
  template <class F> void visit(F&& f) const {
    ByteReader reader(std::as_bytes(std::span(bytes_)), "gguf");
    for (std::uint64_t i = 0; i < count_; ++i) {
      switch (type_) {
        case GgufType::u8: f(std::uint64_t{reader.read<std::uint8_t>("number")}); break;
        case GgufType::i8: f(std::int64_t{reader.read<std::int8_t>("number")}); break;
        case GgufType::u16: f(std::uint64_t{reader.read<std::uint16_t>("number")}); break;
        case GgufType::i16: f(std::int64_t{reader.read<std::int16_t>("number")}); break;
        case GgufType::u32: f(std::uint64_t{reader.read<std::uint32_t>("number")}); break;
        case GgufType::i32: f(std::int64_t{reader.read<std::int32_t>("number")}); break;
        case GgufType::u64: f(reader.read<std::uint64_t>("number")); break;
        case GgufType::i64: f(reader.read<std::int64_t>("number")); break;
        case GgufType::f32: f(reader.read<float>("number")); break;
        case GgufType::f64: f(reader.read<double>("number")); break;
        case GgufType::boolean: f(reader.read<std::uint8_t>("boolean") != 0); break;
        case GgufType::text: {
          const auto text = reader.take(reader.read<std::uint64_t>("length"), "text");
          f(std::string_view(reinterpret_cast<const char*>(text.data()), text.size()));
          break;
        }
        case GgufType::array: return;
      }
    }
  }

  template <class T> std::vector<T> elements(std::string_view where) const {
    std::vector<T> values;
    const auto add = [&](auto element) {
      if (values.empty()) values.reserve(static_cast<std::size_t>(count_));  // not before the type fits
      values.push_back(static_cast<T>(element));
    };
    visit([&]<class From>(From element) {
      constexpr bool both_bool = std::is_same_v<From, bool> && std::is_same_v<T, bool>;
      constexpr bool one_bool = std::is_same_v<From, bool> || std::is_same_v<T, bool>;
      constexpr bool integral = std::is_integral_v<From> && std::is_integral_v<T> && !one_bool;
      constexpr bool floating = std::is_floating_point_v<From> && std::is_floating_point_v<T>;
      constexpr bool text = std::is_same_v<From, std::string_view> && std::is_constructible_v<T, From>;
      if constexpr (integral) {
        if (!std::in_range<T>(element)) fail(where, "found ", element, ", expected ", wanted<T>());
        add(element);
      } else if constexpr (both_bool || floating || text) {
        add(element);
      } else {
        fail(where, "found ", *this, ", expected ", wanted<T>());
      }
    });
    return values;
  }
  template <class T> static std::string wanted() {
    if constexpr (std::is_same_v<T, bool>)
      return "true or false";
    else if constexpr (std::is_integral_v<T>)
      return to_text("integers in ", std::numeric_limits<T>::min(), "..", std::numeric_limits<T>::max());
    else
      return std::is_floating_point_v<T> ? "F32 or F64" : "text";
  }

  GgufType type_;
  bool array_ = false;
  std::uint64_t count_ = 1;
  std::string bytes_;
};

// Values by name, each name once, in order.
class GgufMetadata {
 public:
  struct Entry {
    std::string key;
    GgufValue value;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  GgufMetadata() = default;
  explicit GgufMetadata(std::string file) : file_(std::move(file)) {}

  const std::vector<Entry>& entries() const { return entries_; }

  // The value of that name, or nullptr.
  const GgufValue* find(std::string_view key) const {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries_.end() ? nullptr : &found->value;
  }
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  // The value of that name as T (see GgufValue::as). Errors name the file and the key; also: there is none.
  template <class T> T get(std::string_view key) const { return at(key).template as<T>(where(key)); }
  // The same; `fallback` if there is none.
  template <class T> T get_or(std::string_view key, T fallback) const { return contains(key) ? get<T>(key) : fallback; }
  // `count` values of that name: an array of as many, or one that stands for all.
  template <class T> std::vector<T> get_list(std::string_view key, std::uint64_t count) const {
    return at(key).template as_list<T>(count, where(key));
  }

  // Adds a value at the end, or replaces the one of that name.
  GgufMetadata& set(std::string_view key, GgufValue value) {
    if (const GgufValue* found = find(key))
      const_cast<GgufValue&>(*found) = std::move(value);
    else
      append(std::string(key), std::move(value));
    return *this;
  }
  // The same without looking for the name, which must be a new one.
  void append(std::string key, GgufValue value) { entries_.push_back({std::move(key), std::move(value)}); }
  void reserve(std::size_t count) { entries_.reserve(count); }
  void erase(std::string_view key) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
  }

  friend bool operator==(const GgufMetadata& a, const GgufMetadata& b) { return a.entries_ == b.entries_; }

 private:
  std::string where(std::string_view key) const { return to_text(file_, ": key ", in_quotes(key)); }
  const GgufValue& at(std::string_view key) const {
    const GgufValue* found = find(key);
    check(found != nullptr, file_, "key ", in_quotes(key), " is missing");
    return *found;
  }

  std::vector<Entry> entries_;
  std::string file_ = "gguf";
};

}  // namespace atom::io

// SPDX-License-Identifier: Apache-2.0
// Reading binary data that nobody vouches for: every step is compared with the bytes that are left.
// Values are little-endian, as on the machines this library runs on.
#pragma once

#include "../core/error.hpp"

#include <cstring>
#include <span>
#include <utility>

namespace atom::io {

static_assert(std::endian::native == std::endian::little, "files are little-endian, and so must the machine be");

// The sum, the product, the value in another integer type; nothing if it does not fit.
constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  if (a > ~std::uint64_t{0} - b) return std::nullopt;
  return a + b;
}
constexpr std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > ~std::uint64_t{0} / b) return std::nullopt;
  return a * b;
}
template <std::integral To, std::integral From> constexpr std::optional<To> checked_cast(From value) {
  if (!std::in_range<To>(value)) return std::nullopt;
  return static_cast<To>(value);
}

class ByteReader {
 public:
  // `bytes` stand in `file` from offset `start` on; both serve the messages, `[file] rule: ... at offset N`.
  ByteReader(std::span<const std::byte> bytes, std::string_view file, std::uint64_t start = 0)
      : bytes_(bytes), file_(file), start_(start) {}

  std::uint64_t offset() const { return start_ + position_; }  // of the next byte, in the file
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  // The next `count` bytes, in place. `what` names them in the error: fewer are left.
  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    check(count <= remaining(), file_, what, " ends early: found ", remaining(), " bytes, expected ", count,
          " at offset ", offset());
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += taken.size();
    return taken;
  }

  // `count` records of `size` bytes each: the product is checked before anything else happens.
  std::span<const std::byte> take(std::uint64_t count, std::uint64_t size, std::string_view what) {
    const auto bytes = checked_multiply(count, size);
    check(bytes.has_value(), file_, what, " is larger than any file: found ", count, " x ", size, " bytes at offset ",
          offset());
    return take(*bytes, what);
  }

  // The next value of an arithmetic type.
  template <class T>
  requires std::is_arithmetic_v<T> T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::uint64_t start_;
  std::size_t position_ = 0;
};

}  // namespace atom::io

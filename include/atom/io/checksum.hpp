// SPDX-License-Identifier: Apache-2.0
// Checksums that find damage (not forgery): XXH64 of bytes, and the list `checksums.xxh64` of a folder, which
// `xxhsum --check checksums.xxh64` also reads. The algorithm is written from its public specification.
#pragma once

#include "file.hpp"

#include <array>
#include <cstring>

namespace atom::io {

// XXH64 with seed 0 of bytes that come in pieces: the same value however they are cut.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    total_ += bytes.size();
    if (held_ > 0) {
      const std::size_t count = std::min(bytes.size(), hold_.size() - held_);
      std::memcpy(hold_.data() + held_, bytes.data(), count);
      held_ += count;
      bytes = bytes.subspan(count);
      if (held_ < hold_.size()) return;
      mix(hold_);
      held_ = 0;
    }
    const std::size_t whole = bytes.size() / hold_.size() * hold_.size();
    mix(bytes.first(whole));
    held_ = bytes.size() - whole;
    if (held_ > 0) std::memcpy(hold_.data(), bytes.data() + whole, held_);
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }

  // Of all bytes so far; more may follow.
  std::uint64_t value() const {
    std::uint64_t hash = prime5;
    if (total_ >= hold_.size()) {
      hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
      for (const std::uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * prime1 + prime4;
    }
    hash += total_;
    std::span<const std::byte> rest = std::span(hold_).first(held_);
    for (; rest.size() >= 8; rest = rest.subspan(8))
      hash = std::rotl(hash ^ round(0, word<std::uint64_t>(rest.data())), 27) * prime1 + prime4;
    for (; rest.size() >= 4; rest = rest.subspan(4))
      hash = std::rotl(hash ^ word<std::uint32_t>(rest.data()) * prime1, 23) * prime2 + prime3;
    for (const std::byte byte : rest)
      hash = std::rotl(hash ^ std::to_integer<std::uint64_t>(byte) * prime5, 11) * prime1;
    hash = (hash ^ hash >> 33U) * prime2;
    hash = (hash ^ hash >> 29U) * prime3;
    return hash ^ hash >> 32U;
  }

 private:
  static constexpr std::uint64_t prime1 = 0x9e3779b185ebca87U, prime2 = 0xc2b2ae3d27d4eb4fU,
                                 prime3 = 0x165667b19e3779f9U, prime4 = 0x85ebca77c2b2ae63U,
                                 prime5 = 0x27d4eb2f165667c5U;

  template <class T> static std::uint64_t word(const std::byte* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  static std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
    return std::rotl(lane + input * prime2, 31) * prime1;
  }
  void mix(std::span<const std::byte> blocks) {
    auto lanes = lanes_;
    for (std::size_t at = 0; at < blocks.size(); at += hold_.size())
      for (std::size_t i = 0; i < lanes.size(); ++i)
        lanes[i] = round(lanes[i], word<std::uint64_t>(blocks.data() + at + 8 * i));
    lanes_ = lanes;
  }

  std::array<std::uint64_t, 4> lanes_ = {prime1 + prime2, prime2, 0, 0 - prime1};
  std::array<std::byte, 32> hold_{};  // the bytes after the last whole block
  std::size_t held_ = 0;
  std::uint64_t total_ = 0;
};

inline std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.value();
}

// Of a file's content, read in pieces.
inline std::uint64_t checksum_of(const File& file) {
  std::vector<std::byte> piece(std::min<std::uint64_t>(file.size(), std::uint64_t{1} << 20U));
  Checksum sum;
  for (std::uint64_t offset = 0; offset < file.size(); offset += piece.size()) {
    const auto bytes = std::span(piece).first(std::min<std::uint64_t>(piece.size(), file.size() - offset));
    file.read(offset, bytes);
    sum.add(bytes);
  }
  return sum.value();
}

inline constexpr std::string_view checksums_name = "checksums.xxh64";

namespace detail {

// One line a file, `16 hexadecimal digits, two spaces, relative path`, sorted by path.
inline std::string list_checksums(const std::string& folder) {
  std::string list;
  for (const std::string& path : list_folder(folder)) {
    if (path.back() == '/' || path == checksums_name) continue;
    check(path.find('\n') == std::string::npos, folder, "a file name contains a line break");
    char digits[17] = "0000000000000000";
    char number[16];
    const auto end = std::to_chars(number, number + sizeof number, checksum_of(File(folder + "/" + path)), 16).ptr;
    std::copy(number, end, digits + (16 - (end - number)));
    list += to_text(std::string_view(digits, 16), "  ", path, '\n');
  }
  return list;
}

}  // namespace detail

// Writes the list of all files of a folder into it. Call it last, inside write_folder().
inline void write_checksums(const std::string& folder) {
  write_file(folder + "/" + std::string(checksums_name), detail::list_checksums(folder));
}

// Whether the folder has a list.
inline bool has_checksums(const std::string& folder) { return exists(folder + "/" + std::string(checksums_name)); }

// Reads every byte of the folder and compares with its list. Error: names the first file that is damaged, missing or
// not listed, so any single flipped bit of any file, the list included, is found.
inline void verify_checksums(const std::string& folder) {
  const std::string path = folder + "/" + std::string(checksums_name);
  const std::string listed = read_file(path, std::uint64_t{1} << 24U), found = detail::list_checksums(folder);
  if (listed == found) return;
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(listed, found).in1 - listed.begin());
  const auto line = [](std::string_view text, std::size_t position) {
    const std::size_t begin = position == 0 ? 0 : text.rfind('\n', position - 1) + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  fail(path, "the folder does not have the listed content: found '", line(found, at), "', expected '", line(listed, at),
       "'");
}

}  // namespace atom::io

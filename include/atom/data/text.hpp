// SPDX-License-Identifier: Apache-2.0
// Text files, whole: read into a string, written from one.
#pragma once

#include "../core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace atom::data {

namespace detail {

using StdioFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

inline StdioFile open_stdio(const std::string& path, const char* mode) {
  StdioFile file(std::fopen(path.c_str(), mode), &std::fclose);
  if (!file) fail(path, "cannot open: ", std::generic_category().message(errno));
  return file;
}

}  // namespace detail

// The file's bytes. Errors: cannot be opened or read (also: a folder); empty.
inline std::string read_text(const std::string& path) {
  const auto file = detail::open_stdio(path, "rb");
  std::string text;
  for (std::size_t count = 1; count > 0;) {
    const std::size_t size = text.size();
    text.resize(size + std::max<std::size_t>(size, 1U << 16U));
    count = std::fread(text.data() + size, 1, text.size() - size, file.get());
    text.resize(size + count);
  }
  check(std::ferror(file.get()) == 0, path, "cannot be read: ", std::generic_category().message(errno));
  check(!text.empty(), path, "is empty: expected text");
  return text;
}

// Replaces the file. Errors: cannot be opened; not everything could be written (what was there is lost).
inline void write_text(const std::string& path, std::string_view text) {
  auto file = detail::open_stdio(path, "wb");
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  const bool closed = std::fclose(file.release()) == 0;  // where a full disk may show first
  check(written && closed, path, "cannot be written: ", std::generic_category().message(errno));
}

}  // namespace atom::data

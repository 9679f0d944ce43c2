// SPDX-License-Identifier: Apache-2.0
// Token shards: files of little-endian 16- or 32-bit ids, as nanoGPT (ids only) and llm.c (1024 bytes of header before
// them) write them. Several files read as one stream, by position; const use from several threads at once is fine.
#pragma once

#include "text.hpp"  // write_text

#include <fcntl.h>  // open
#include <sys/stat.h>
#include <unistd.h>  // pread

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace atom::data {

static_assert(std::endian::native == std::endian::little, "token files are read as they lie on the disk");

struct TokenFileOptions {
  Index vocab = 0;  // ids in a file are below it; required
  int width = 0;    // bytes an id takes in a file without header; 0: 2 if the vocabulary fits in them, else 4
};

namespace detail {

inline int checked_width(std::string_view where, TokenFileOptions options) {
  check(options.vocab > 0 && options.vocab <= std::numeric_limits<TokenId>::max(), where,
        "needs the size of the vocabulary: found ", options.vocab);
  const int width = options.width != 0 ? options.width : options.vocab <= 65536 ? 2 : 4;
  check(width == 2 || width == 4, where, "ids take 2 or 4 bytes: found ", width);
  return width;
}

// One shard.
class TokenShard {
 public:
  // Errors: cannot be opened; no regular file; of a size or with a header that no such file has; without a token.
  TokenShard(std::string path, TokenFileOptions options)
      : path_(std::move(path)), vocab_(options.vocab), width_(checked_width(path_, options)) {
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) fail(path_, "cannot open: ", std::generic_category().message(errno));
    struct stat status {};
    const bool regular = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    try {
      check(regular, path_, "not a regular file");
      read_header(static_cast<Index>(status.st_size));
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }
  TokenShard(TokenShard&& other) noexcept
      : path_(std::move(other.path_)),
        vocab_(other.vocab_),
        width_(other.width_),
        descriptor_(std::exchange(other.descriptor_, -1)),
        start_(other.start_),
        size_(other.size_) {}
  TokenShard& operator=(TokenShard&&) = delete;
  ~TokenShard() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  Index size() const { return size_; }

  // Fills `into` with the ids from `first` on, which the shard has.
  void read(Index first, std::span<TokenId> into) const {
    // The raw ids are put at the end of the same memory and widened from its beginning: none is overwritten unread.
    const std::size_t width = static_cast<std::size_t>(width_), raw = into.size() * width;
    auto* bytes = reinterpret_cast<std::byte*>(into.data());
    std::byte* from = bytes + into.size_bytes() - raw;
    read_bytes(start_ + first * width_, {from, raw});
    for (std::size_t i = 0; i < into.size(); ++i, from += width) {
      std::uint32_t id = 0;
      std::memcpy(&id, from, width);
      if (id >= static_cast<std::uint64_t>(vocab_))
        fail(path_, "token ", first + static_cast<Index>(i), " is not in the vocabulary: found ", id,
             ", expected 0 to ", vocab_ - 1);
      into[i] = static_cast<TokenId>(id);
    }
  }

 private:
  void read_header(Index bytes) {
    std::array<std::uint32_t, 256> header{};
    constexpr Index header_bytes = sizeof header;
    if (bytes >= header_bytes) read_bytes(0, std::as_writable_bytes(std::span(header)));
    const bool gpt2 = header[0] == 20240520, llama3 = header[0] == 20240801;  // llm.c's marks
    if (gpt2 || llama3) {
      check(header[1] == (gpt2 ? 1U : 7U), path_, "header of an unknown version: ", header[1]);
      start_ = header_bytes;
      width_ = gpt2 ? 2 : 4;
      size_ = header[2];
      check(bytes == start_ + size_ * width_, path_, "the header says ", size_, " tokens of ", width_,
            " bytes, which does not fit the size of ", bytes, " bytes");
    } else {
      check(bytes % width_ == 0, path_, "no whole number of tokens of ", width_, " bytes: the size is ", bytes,
            " bytes");
      size_ = bytes / width_;
    }
    check(size_ > 0, path_, "has no tokens");
  }

  void read_bytes(Index offset, std::span<std::byte> into) const {
    while (!into.empty()) {
      const auto count = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(path_, "cannot read at byte ", offset, ": ", std::generic_category().message(errno));
      check(count > 0, path_, "became shorter while it was read: ended at byte ", offset);
      into = into.subspan(static_cast<std::size_t>(count));
      offset += count;
    }
  }

  std::string path_;
  Index vocab_;
  int width_;
  int descriptor_ = -1;
  Index start_ = 0, size_ = 0;
};

}  // namespace detail

class TokenFile {
 public:
  // Opens all files and reads their headers; ids are read, and checked against the vocabulary, when they are asked for.
  TokenFile(std::span<const std::string> paths, TokenFileOptions options) {
    check(!paths.empty(), "token_file", "needs a file");
    for (const std::string& path : paths) ends_.push_back(size() + shards_.emplace_back(path, options).size());
  }
  TokenFile(const std::string& path, TokenFileOptions options) : TokenFile(std::span(&path, 1), options) {}

  Index size() const { return ends_.empty() ? 0 : ends_.back(); }

  // Fills `into` with the tokens from `first` on. Allocates nothing. Errors: beyond the end; an id that the vocabulary
  // lacks, naming file and place; the system's.
  void read(Index first, std::span<TokenId> into) const {
    const auto count = static_cast<Index>(into.size());
    check(first >= 0 && count <= size() && first <= size() - count, "token_file", "read beyond the end: found ", size(),
          " tokens, expected ", count, " from ", first);
    auto shard = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), first) - ends_.begin());
    while (!into.empty()) {
      const Index start = ends_[shard] - shards_[shard].size();
      const auto part = std::min(into.size(), static_cast<std::size_t>(ends_[shard] - first));
      shards_[shard].read(first - start, into.first(part));
      into = into.subspan(part);
      first += static_cast<Index>(part);
      ++shard;
    }
  }

 private:
  std::vector<detail::TokenShard> shards_;
  std::vector<Index> ends_;  // of the stream, after each shard
};

// Writes ids only, as nanoGPT does. Errors: an id that the vocabulary lacks; the system's. What was there is lost.
inline void write_tokens(const std::string& path, std::span<const TokenId> tokens, TokenFileOptions options) {
  const auto width = static_cast<std::size_t>(detail::checked_width(path, options));
  check(width == 4 || options.vocab <= 65536, path, "a vocabulary of ", options.vocab, " needs ids of 4 bytes");
  for (std::size_t i = 0; i < tokens.size(); ++i)
    check(tokens[i] >= 0 && tokens[i] < options.vocab, path, "token ", i, " is not in the vocabulary: found ",
          tokens[i], ", expected 0 to ", options.vocab - 1);
  std::string bytes(tokens.size() * width, '\0');
  for (std::size_t i = 0; i < tokens.size(); ++i) std::memcpy(bytes.data() + i * width, &tokens[i], width);
  write_text(path, bytes);
}

}  // namespace atom::data

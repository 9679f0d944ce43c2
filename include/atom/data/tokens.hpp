// SPDX-License-Identifier: Apache-2.0
// Tokens: a stream of ids, in memory or in files, or a part of one. Copies and parts share what they read from.
#pragma once

#include "token_file.hpp"

#include <memory>
#include <variant>

namespace atom::data {

class Tokens {
 public:
  Tokens(std::vector<TokenId> ids) : Tokens(Storage(std::move(ids))) {}
  Tokens(TokenFile file) : Tokens(Storage(std::move(file))) {}

  Index size() const { return last_ - first_; }

  // Fills `into` with the tokens from `first` on. Allocates nothing. Errors: beyond the end; those of TokenFile::read.
  void read(Index first, std::span<TokenId> into) const {
    const auto count = static_cast<Index>(into.size());
    check(first >= 0 && count <= size() && first <= size() - count, "tokens", "read beyond the end: found ", size(),
          " tokens, expected ", count, " from ", first);
    if (const auto* ids = std::get_if<std::vector<TokenId>>(storage_.get()))
      std::copy_n(ids->begin() + first_ + first, count, into.begin());
    else
      std::get<TokenFile>(*storage_).read(first_ + first, into);
  }

  // The tokens from `first` up to but not including `last`.
  Tokens part(Index first, Index last) const {
    check(first >= 0 && first <= last && last <= size(), "tokens", "no such part: found ", first, " to ", last,
          ", expected a range in 0 to ", size());
    Tokens result = *this;
    result.last_ = first_ + last;
    result.first_ = first_ + first;
    return result;
  }

 private:
  using Storage = std::variant<std::vector<TokenId>, TokenFile>;
  explicit Tokens(Storage storage) : storage_(std::make_shared<const Storage>(std::move(storage))) {
    last_ = std::visit([](const auto& source) { return static_cast<Index>(source.size()); }, *storage_);
  }

  std::shared_ptr<const Storage> storage_;
  Index first_ = 0, last_ = 0;
};

// How far the first, or last, occurrence of `sequence` in `ids` reaches: one past its last place; 0 if there is none.
inline Index end_of_first(std::span<const TokenId> ids, std::span<const TokenId> sequence) {
  const auto found = std::search(ids.begin(), ids.end(), sequence.begin(), sequence.end());
  return found == ids.end() ? 0 : found - ids.begin() + static_cast<Index>(sequence.size());
}
inline Index end_of_last(std::span<const TokenId> ids, std::span<const TokenId> sequence) {
  const auto found = std::find_end(ids.begin(), ids.end(), sequence.begin(), sequence.end());
  return found == ids.end() ? 0 : found - ids.begin() + static_cast<Index>(sequence.size());
}

struct SplitOptions {
  double validation = 0.1;             // its share of the tokens, at the end of them
  std::vector<TokenId> boundary = {};  // if given, moves the cut forward to the next end of such a sequence
};

struct Split {
  Tokens train, validation;
};

// With a boundary, the validation part begins with the last token of one: it is what its first document follows, and
// the only token that both parts have. Errors: a share outside (0, 1); a part without tokens.
inline Split split(const Tokens& tokens, const SplitOptions& options = {}) {
  check(options.validation > 0 && options.validation < 1, "split", "the share is between 0 and 1: found ",
        options.validation);
  const Index size = tokens.size();
  Index cut = size - static_cast<Index>(static_cast<double>(size) * options.validation);
  Index start = cut;
  if (!options.boundary.empty()) {
    const auto length = static_cast<Index>(options.boundary.size());
    std::vector<TokenId> ids;
    cut = size;
    for (Index first = std::max<Index>(0, start - length), count = 0; cut == size && first + length < size;
         first += count) {
      ids.resize(static_cast<std::size_t>(std::min(size - first, length + 4096)));
      tokens.read(first, ids);
      if (const Index end = end_of_first(ids, options.boundary)) cut = first + end;
      count = static_cast<Index>(ids.size()) - length + 1;
    }
    start = cut - 1;
  }
  check(cut > 0 && cut < size, "split", "a part is without tokens: ", size, " tokens cut at ", cut);
  return {tokens.part(0, cut), tokens.part(start, size)};
}

}  // namespace atom::data

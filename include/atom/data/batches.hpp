// SPDX-License-Identifier: Apache-2.0
// Batches: windows of a stream of tokens as inputs x and targets y, y one token later. Shuffled anew each epoch by a
// computed permutation, or in order, for evaluation. What comes next is a function of options and cursor alone, so a
// run that stores the cursor goes on exactly where it was.
#pragma once

#include "../core/random.hpp"
#include "../tensor/tensor.hpp"
#include "tokens.hpp"

namespace atom::data {

inline constexpr TokenId ignored_target = -100;  // as cross_entropy understands it

struct BatchOptions {
  Index batch = 16;        // b
  Index context = 64;      // t
  std::uint64_t seed = 0;  // of the order
  bool shuffle = true;     // false: in order, every token once a target
  // What separates documents, such as the tokens of a blank line, if windows are to begin with one: a window then
  // starts with the last token of the first boundary that ends in its place, so that its first document is whole. In
  // order, targets after the last boundary of a window are ignored there and come in the next, so that every document
  // that fits a window is judged whole.
  std::vector<TokenId> boundary = {};
};

// Plain numbers, to be stored with a checkpoint.
struct BatchCursor {
  Index epoch = 0;
  Index position = 0;  // in the epoch: windows when shuffling, tokens in order
  friend bool operator==(const BatchCursor&, const BatchCursor&) = default;
};

template <class D = Device> struct Batch {
  Tensor<TokenId, D> x;  // (b, t)
  Tensor<TokenId, D> y;  // (b, t), ignored_target where there is none
};

template <class D = Device> class Batches {
 public:
  // Errors: sizes below 1; a text shorter than one window.
  Batches(Tokens tokens, BatchOptions options, D device = {})
      : tokens_(std::move(tokens)), options_(std::move(options)), device_(device), order_({}, 0) {
    const Index context = options_.context, size = tokens_.size();
    check(options_.batch > 0 && context > 0, "batches", "batch and context are at least 1: found ", options_.batch,
          " and ", context);
    check(size > context, "batches", "the text is shorter than a window: found ", size, " tokens, expected at least ",
          context + 1, " for a context of ", context);
    // Windows lie side by side from a place that each epoch chooses: one window less leaves room for the choice.
    windows_ = std::max<Index>(1, (size - context) / context);
    slack_ = std::min(context - 1, size - 1 - windows_ * context);
    x_.resize(static_cast<std::size_t>(element_count({options_.batch, context})));
    y_.resize(x_.size());
    window_.resize(static_cast<std::size_t>(context) + options_.boundary.size() + 1);
    seek({});
  }

  // Windows of an epoch when shuffling. Each epoch has each window once; a batch may end one epoch and begin another.
  Index windows() const { return windows_; }

  BatchCursor cursor() const { return cursor_; }
  // The next batch will be the one that followed when cursor() was `cursor`. Error: no such place.
  void seek(BatchCursor cursor) {
    const Index end = options_.shuffle ? windows_ : tokens_.size() - 1;
    check(cursor.epoch >= 0 && cursor.position >= 0 && cursor.position < end, "batches", "no such cursor: epoch ",
          cursor.epoch, ", position ", cursor.position, ", expected a position below ", end);
    cursor_ = cursor;
    start_epoch();
  }

  // The next batch, on the device. In order, an epoch ends when cursor().epoch changes; the rows of its last batch that
  // have nothing left are all ignored. Allocates nothing that the device does not keep for the next time.
  Batch<D> next() {
    fill(x_, y_);
    const Shape shape{options_.batch, options_.context};
    return {Tensor<TokenId, D>::from(std::span<const TokenId>(x_), shape, device_),
            Tensor<TokenId, D>::from(std::span<const TokenId>(y_), shape, device_)};
  }

  // The same into memory of b * t ids each. Error: another size.
  void fill(std::span<TokenId> x, std::span<TokenId> y) {
    check(x.size() == x_.size() && y.size() == y_.size(), "batches", "room for a batch: found ", x.size(), " and ",
          y.size(), ", expected ", x_.size());
    const auto context = static_cast<std::size_t>(options_.context);
    const Index epoch = cursor_.epoch;
    targets_ = 0;
    for (std::size_t row = 0; row < x.size(); row += context) {
      if (options_.shuffle)
        shuffled_row(x.subspan(row, context), y.subspan(row, context));
      else if (cursor_.epoch == epoch)
        ordered_row(x.subspan(row, context), y.subspan(row, context));
      else
        blank(x.subspan(row, context), y.subspan(row, context));
    }
  }

  // How many targets of the last batch are not ignored.
  Index targets() const { return targets_; }

 private:
  void start_epoch() {
    const Rng rng(options_.seed);
    const auto epoch = static_cast<std::uint64_t>(cursor_.epoch);
    order_ = Permutation(rng.key("batches.order", epoch), windows_);
    shift_ = uniform_index(rng.key("batches.shift", epoch), 0, slack_ + 1);
  }
  void advance(Index step, Index end) {
    cursor_.position += step;
    if (cursor_.position < end) return;
    cursor_ = {cursor_.epoch + 1, 0};
    start_epoch();
  }

  void shuffled_row(std::span<TokenId> x, std::span<TokenId> y) {
    const auto context = options_.context, length = static_cast<Index>(options_.boundary.size());
    Index start = shift_ + order_(cursor_.position) * context;
    if (length > 0) {
      // The boundary's last token lies in the window's own place, so that no two windows become the same.
      const Index first = std::max<Index>(0, start - length + 1);
      const Index last = std::min(start + context, tokens_.size() - context);
      const auto ids = std::span(window_).first(static_cast<std::size_t>(last - first));
      tokens_.read(first, ids);
      if (const Index end = end_of_first(ids, options_.boundary)) start = first + end - 1;
    }
    read_row(start, x, y);
    targets_ += context;
    advance(1, windows_);
  }

  void ordered_row(std::span<TokenId> x, std::span<TokenId> y) {
    const Index end = tokens_.size() - 1;
    const auto count = static_cast<std::size_t>(std::min(options_.context, end - cursor_.position));
    read_row(cursor_.position, x.first(count), y.first(count));
    std::size_t used = count;
    if (!options_.boundary.empty() && count == y.size()) {
      const Index whole = end_of_last(std::span(window_).first(count + 1), options_.boundary);
      if (whole > 1) used = static_cast<std::size_t>(whole) - 1;
    }
    blank(x.subspan(count), y.subspan(used));
    targets_ += static_cast<Index>(used);
    advance(static_cast<Index>(used), end);
  }

  void read_row(Index start, std::span<TokenId> x, std::span<TokenId> y) {
    const auto ids = std::span(window_).first(x.size() + 1);
    tokens_.read(start, ids);
    std::copy(ids.begin(), ids.end() - 1, x.begin());
    std::copy(ids.begin() + 1, ids.end(), y.begin());
  }
  static void blank(std::span<TokenId> x, std::span<TokenId> y) {
    std::fill(x.begin(), x.end(), 0);
    std::fill(y.begin(), y.end(), ignored_target);
  }

  Tokens tokens_;
  BatchOptions options_;
  D device_;
  Index windows_ = 0, slack_ = 0, shift_ = 0, targets_ = 0;
  Permutation order_;
  BatchCursor cursor_;
  std::vector<TokenId> x_, y_, window_;
};

}  // namespace atom::data

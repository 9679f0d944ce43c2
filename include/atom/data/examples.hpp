// SPDX-License-Identifier: Apache-2.0
// Batches of separate texts, each from its beginning, of which only some tokens are learnt: what supervised
// fine-tuning trains on. Order, epochs and cursor are those of Batches.
#pragma once

#include "batches.hpp"

namespace atom::data {

struct Example {
  std::vector<TokenId> ids;
  std::vector<bool> counts;  // for each id: whether predicting it from those before it is to be learnt
};

template <class D = Device> class ExampleBatches {
 public:
  // What of an example is longer than context + 1 ids is cut off; examples that then have nothing to learn are left
  // out. Errors: sizes below 1; a boundary; ids and counts that are not as many; nothing to learn in any example.
  ExampleBatches(std::vector<Example> examples, const BatchOptions& options, D device = {})
      : examples_(std::move(examples)), options_(options), device_(device), order_({}, 0) {
    check(options.batch > 0 && options.context > 0, "examples", "batch and context are at least 1: found ",
          options.batch, " and ", options.context);
    check(options.boundary.empty(), "examples", "found a boundary: examples have none inside them");
    const auto longest = static_cast<std::size_t>(options.context) + 1;
    for (Example& example : examples_) {
      check(example.ids.size() == example.counts.size(), "examples", "found ", example.ids.size(), " ids and ",
            example.counts.size(), " marks, expected as many");
      if (example.ids.size() <= longest) continue;
      example.ids.resize(longest);
      example.counts.resize(longest);
    }
    left_out_ = static_cast<Index>(std::erase_if(examples_, [](const Example& example) {
      return example.ids.empty() ||
             std::find(example.counts.begin() + 1, example.counts.end(), true) == example.counts.end();
    }));
    check(size() > 0, "examples", "nothing to learn within a context of ", options.context, ": found ", left_out_,
          " examples without a token that counts");
    seek({});
  }

  Index size() const { return static_cast<Index>(examples_.size()); }  // examples of an epoch
  Index left_out() const { return left_out_; }

  BatchCursor cursor() const { return cursor_; }
  // The next batch will be the one that followed when cursor() was `cursor`. Error: no such place.
  void seek(BatchCursor cursor) {
    check(cursor.epoch >= 0 && cursor.position >= 0 && cursor.position < size(), "examples", "no such cursor: epoch ",
          cursor.epoch, ", position ", cursor.position, ", expected a position below ", size());
    cursor_ = cursor;
    start_epoch();
  }

  // The next batch, (b, t) for the longest of its examples, on the device: beyond the end of the others, and where a
  // token does not count, targets are ignored. When shuffling, a batch may end one epoch and begin another; in order,
  // an epoch ends when cursor().epoch changes, and the rows of its last batch that have nothing left are all ignored.
  Batch<D> next() {
    const Index epoch = cursor_.epoch;
    rows_.clear();
    while (static_cast<Index>(rows_.size()) < options_.batch && (options_.shuffle || cursor_.epoch == epoch)) {
      const Index place = options_.shuffle ? order_(cursor_.position) : cursor_.position;
      rows_.push_back(&examples_[static_cast<std::size_t>(place)]);
      if (++cursor_.position < size()) continue;
      cursor_ = {cursor_.epoch + 1, 0};
      start_epoch();
    }
    const Example* longest = *std::ranges::max_element(rows_, {}, [](const Example* row) { return row->ids.size(); });
    const Shape shape{options_.batch, static_cast<Index>(longest->ids.size()) - 1};
    fill(shape);
    return {Tensor<TokenId, D>::from(std::span<const TokenId>(x_), shape, device_),
            Tensor<TokenId, D>::from(std::span<const TokenId>(y_), shape, device_)};
  }

  // How many targets of the last batch are not ignored.
  Index targets() const { return targets_; }

 private:
  void start_epoch() {
    order_ = Permutation(Rng(options_.seed).key("examples.order", static_cast<std::uint64_t>(cursor_.epoch)), size());
  }

  void fill(const Shape& shape) {
    const auto count = static_cast<std::size_t>(element_count(shape)), length = static_cast<std::size_t>(shape[1]);
    x_.assign(count, 0);
    y_.assign(count, ignored_target);
    targets_ = 0;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      const auto& [ids, counts] = *rows_[row];
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        x_[row * length + i] = ids[i];
        if (!counts[i + 1]) continue;
        y_[row * length + i] = ids[i + 1];
        ++targets_;
      }
    }
  }

  std::vector<Example> examples_;
  BatchOptions options_;
  D device_;
  Index left_out_ = 0, targets_ = 0;
  Permutation order_;
  BatchCursor cursor_;
  std::vector<const Example*> rows_;
  std::vector<TokenId> x_, y_;
};

}  // namespace atom::data

// SPDX-License-Identifier: Apache-2.0
// KvCache: keys and values of the tokens a model has read, by layer, for a batch of sequences of different lengths.
#pragma once

#include "../backend/attention.hpp"
#include "../tensor/tensor.hpp"

namespace atom::nn {

// How large a cache is and what one pass may add to it.
struct KvCacheShape {
  Index batch = 1;
  Index capacity = 0;  // longest sequence
  Index kv_heads = 0, head_dim = 0;
  std::vector<Index> windows =
      {};               // for each layer: how many positions a query looks back over (a ring keeps those); 0: all
  Index pass = 0;       // most tokens of a sequence in one pass; 0: capacity
  Index value_dim = 0;  // > 0: values are the first so many elements of the keys, in their memory (latent attention)
  CacheType type = CacheType::exact;
};

// How many positions a query below `capacity` looks back over at most, its own included; 0: over all of them.
template <class Policy> Index looks_back(const Policy& policy, Index capacity) {
  Index most = 0;
  for (Index query = 0; query < capacity; ++query)
    most = std::max(most, query + 1 - policy_range(policy, static_cast<std::int32_t>(query)).first);
  return most < capacity ? most : 0;
}

template <class T, class D> class KvCache {
 public:
  // Errors: sizes that are not positive; out of memory.
  explicit KvCache(const KvCacheShape& shape, D device = {})
      : shape_(checked(shape)),
        lengths_(static_cast<std::size_t>(shape.batch), 0),
        added_(lengths_),
        ends_(lengths_),
        positions_(device, {3, shape.batch}) {
    if (shape_.pass == 0) shape_.pass = shape_.capacity;
    for (const Index window : shape_.windows) {
      Index slots = round_up(shape_.capacity);
      if (window > 0) slots = std::min(slots, round_up(window + shape_.pass - 1));
      layers_.push_back(Layer(device, blocks(nullptr, slots).bytes(), slots));
      least_slots_ = std::min(least_slots_, slots);
    }
  }

  const KvCacheShape& shape() const { return shape_; }
  KvBlocks<T> layer(Index i) {
    auto& layer = layers_[static_cast<std::size_t>(i)];
    return blocks(reinterpret_cast<std::byte*>(layer.memory.mutable_data()), layer.slots);
  }
  // Memory of all layers. What no token has been written to is not resident.
  std::size_t bytes() const {
    Index sum = 0;
    for (const Layer& layer : layers_) sum += blocks(nullptr, layer.slots).bytes();
    return static_cast<std::size_t>(sum);
  }
  // Whether values lie within the keys: what is appended then is keys alone.
  bool values_in_keys() const { return shape_.value_dim > 0; }
  // Memory that one token of one sequence takes, over all layers.
  std::size_t bytes_per_token() const {
    const Index block = shape_.kv_heads * blocks(nullptr, key_block).block_bytes();
    return layers_.size() * static_cast<std::size_t>(block) / key_block;
  }
  // Number of tokens read, by sequence.
  std::span<const std::int32_t> lengths() const { return lengths_; }
  // Forgets all but the first `length` tokens of sequence b. Error: it has fewer; a ring that lost them.
  void truncate(Index b, Index length) {
    auto& now = lengths_[static_cast<std::size_t>(b)];
    check(length >= 0 && length <= now, "kv_cache", "cannot keep ", length, " of ", now, " tokens");
    check(keeps(b, length), "kv_cache", "a ring has overwritten older tokens");
    now = static_cast<std::int32_t>(length);
  }
  // Whether what the first `length` tokens of sequence b look back on is there still: rings forget.
  bool keeps(Index b, Index length) const {
    const auto now = lengths_[static_cast<std::size_t>(b)];
    return length == now || length == 0 || now <= least_slots_;
  }
  // The text of sequence b that it has read, where the model keeps it: keys whose angles depend on the text's length
  // are computed again when that changes them.
  std::vector<TokenId>& text(Index b) { return texts_[static_cast<std::size_t>(b)]; }

  // Opens a pass over columns first..first+t-1 of a batch of which the first counts[b] columns are new tokens.
  // Errors: more than `pass` at once; a sequence beyond capacity.
  void begin(std::span<const std::int32_t> counts, Index first, Index t) {
    check(std::ssize(counts) == shape_.batch, "kv_cache", "counts for ", counts.size(), " sequences of ", shape_.batch);
    check(t <= shape_.pass, "kv_cache", "at most ", shape_.pass, " tokens in one pass: found ", t);
    for (std::size_t b = 0; b < counts.size(); ++b) {
      const auto added = static_cast<std::int32_t>(std::clamp<Index>(counts[b] - first, 0, t));
      check(lengths_[b] <= shape_.capacity - added, "kv_cache", "sequence ", b, " is full: ", lengths_[b], " + ", added,
            " tokens of ", shape_.capacity);
      added_[b] = added;
      ends_[b] = lengths_[b] + added;
    }
    upload(0, lengths_);
    upload(1, added_);
    upload(2, ends_);
  }
  // Closes it.
  void commit() { std::ranges::copy(ends_, lengths_.begin()); }

  // While a pass is open, on the device: positions of each sequence's first new token; how many are new; the end.
  const std::int32_t* starts() const { return positions_.data(); }
  const std::int32_t* counts() const { return positions_.data() + shape_.batch; }
  const std::int32_t* ends() const { return positions_.data() + 2 * shape_.batch; }

 private:
  struct Layer {
    Buffer<std::uint8_t, D> memory;
    Index slots;

    Layer(D device, Index bytes, Index count) : memory(device, {bytes}), slots(count) {}
  };

  static const KvCacheShape& checked(const KvCacheShape& shape) {
    check(!shape.windows.empty() && shape.batch > 0 && shape.capacity > 0, "kv_cache",
          "layers, batch and capacity are positive: found ", shape.windows.size(), ", ", shape.batch, " and ",
          shape.capacity);
    check(shape.value_dim >= 0 && shape.value_dim <= shape.head_dim, "kv_cache",
          "values that lie within the keys are at most as wide, ", shape.head_dim, ": found ", shape.value_dim);
    return shape;
  }
  static Index round_up(Index slots) { return (slots + key_block - 1) / key_block * key_block; }
  KvBlocks<T> blocks(std::byte* memory, Index slots) const {
    return {.data = memory,
            .type = shape_.type,
            .batch = shape_.batch,
            .slots = slots,
            .heads = shape_.kv_heads,
            .d = shape_.head_dim,
            .e = values_in_keys() ? shape_.value_dim : shape_.head_dim,
            .values_in_keys = values_in_keys()};
  }
  void upload(Index row, std::span<const std::int32_t> values) {
    copy_from_host(positions_.device(), positions_.mutable_data() + row * shape_.batch, values.data(),
                   values.size_bytes());
  }

  KvCacheShape shape_;
  std::vector<std::int32_t> lengths_, added_, ends_;
  Buffer<std::int32_t, D> positions_;  // (3, b)
  std::vector<Layer> layers_;
  std::vector<std::vector<TokenId>> texts_{lengths_.size()};
  Index least_slots_ = std::numeric_limits<Index>::max();
};

}  // namespace atom::nn

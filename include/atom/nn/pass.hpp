// SPDX-License-Identifier: Apache-2.0
// Pass: what one forward pass carries through the layers.
#pragma once

#include "../backend/for_each.hpp"
#include "../core/random.hpp"
#include "../ops/dropout.hpp"
#include "../ops/rope.hpp"
#include "kv_cache.hpp"

#include <functional>

namespace atom::nn {

// How a model runs: evaluation unless said otherwise. Training applies dropout, with the random numbers of `key`.
struct Mode {
  bool training = false;
  RandomKey key{};
};
inline constexpr Mode evaluation{};
inline Mode training(RandomKey key) { return {true, key}; }

namespace detail {

// The positions of t new tokens of each sequence; those of padding stay inside the table of positions.
struct NewPositions {
  const std::int32_t* starts;
  std::int32_t* out;
  Index t, limit;
  ATOM_HD void operator()(Index i) const {
    const Index position = starts[i / t] + i % t;
    out[i] = static_cast<std::int32_t>(position < limit ? position : limit - 1);
  }
};
// Which row of (b t, c) holds each sequence's last new token.
struct LastRows {
  const std::int32_t* counts;
  std::int32_t* out;
  Index t;
  ATOM_HD void operator()(Index b) const {
    out[b] = static_cast<std::int32_t>(b * t + (counts[b] > 0 ? counts[b] - 1 : 0));
  }
};

}  // namespace detail

// What a router did in one layer of one pass: for probes.
template <class T, class D> struct RoutingEvent {
  Index layer = 0;
  const Tensor<std::int32_t, D>& ids;  // (n, k)
  const Tensor<T, D>& weights;         // (n, k)
  bool training = false;
};
template <class T, class D> using RoutingProbe = std::function<void(const RoutingEvent<T, D>&)>;

template <class T, class D> struct Pass {
  Mode mode = {};
  double dropout = 0;
  ops::RopeTable<T, D> rope = {};             // the layer's; undefined: no rotation
  KvCache<T, D>* cache = nullptr;             // null: every sequence starts at position 0 and nothing is kept
  Tensor<TokenId, D> positions = {};          // (b, t) with a cache
  std::uint64_t places = 0;                   // dropouts so far: each draws its own numbers
  const RoutingProbe<T, D>* probe = nullptr;  // told what routers do
  Tensor<T, D> losses = {};                   // sum of what routers want minimised

  void add_loss(const Tensor<T, D>& loss) {
    if (loss.defined()) losses = losses.defined() ? losses + loss : loss;
  }
  bool drops() const { return mode.training && dropout > 0; }
  Tensor<T, D> drop(const Tensor<T, D>& x) {
    if (!drops()) return x;
    return ops::dropout(x, dropout, RandomKey{mode.key.seed, mix_bits(mode.key.stream + places++)});
  }
};

}  // namespace atom::nn

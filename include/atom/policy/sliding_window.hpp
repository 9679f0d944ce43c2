// SPDX-License-Identifier: Apache-2.0
// SlidingWindow: causal, the last `window` keys only, the query's own among them (Beltagy et al. 2020, Mistral).
#pragma once

#include "score.hpp"

namespace atom {

struct SlidingWindow {
  std::int32_t window = std::numeric_limits<std::int32_t>::max();  // the greatest value: causal without a window
  int full_every = 0;  // > 0: of each run of so many layers the last one has no window (Gemma 3: 6, Gemma 2: 2)

  template <class I> ATOM_HD auto visible(I i) const { return (i.key <= i.query) & (i.query - i.key < window); }
  ATOM_HD KeyRange range(std::int32_t query) const { return {query < window ? 0 : query - window + 1, query}; }
  SlidingWindow for_layer(int layer) const {
    return full_every > 0 && (layer + 1) % full_every == 0 ? SlidingWindow{} : SlidingWindow{window, 0};
  }
};
static_assert(ScorePolicy<SlidingWindow>);

}  // namespace atom

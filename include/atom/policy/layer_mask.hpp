// SPDX-License-Identifier: Apache-2.0
// LayerMask: causal, with a window or chunks as the run says: one type for models whose layers differ, so that kernels
// are compiled once for all of them. Each layer's own is the model's to keep.
#pragma once

#include "score.hpp"

namespace atom {

struct LayerMask {
  std::int32_t window = 0;  // > 0: the last so many keys only, the query's own among them (sliding_window.hpp)
  std::int32_t chunk = 0;   // > 0: the keys of the query's own chunk only (chunked.hpp)

  template <class I> ATOM_HD auto visible(I i) const { return (i.key <= i.query) & (i.key >= first(i.query)); }
  ATOM_HD KeyRange range(std::int32_t query) const { return {first(query), query}; }

 private:
  ATOM_HD std::int32_t first(std::int32_t query) const {
    const std::int32_t of_window = window > 0 && query >= window ? query - window + 1 : 0;
    const std::int32_t of_chunk = chunk > 0 ? query - query % chunk : 0;
    return of_window > of_chunk ? of_window : of_chunk;
  }
};
static_assert(ScorePolicy<LayerMask>);

}  // namespace atom

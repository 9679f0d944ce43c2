// SPDX-License-Identifier: Apache-2.0
// LayerPolicy: causal, with a window, chunks, a soft cap and linear biases as the run says: one type for models whose
// layers differ, so that kernels are compiled once for all of them. Each layer's own is the model's to keep.
#pragma once

#include "alibi.hpp"
#include "soft_cap.hpp"

namespace atom {

struct LayerPolicy {
  std::int32_t window = 0;  // > 0: the last so many keys only, the query's own among them (sliding_window.hpp)
  std::int32_t chunk = 0;   // > 0: the keys of the query's own chunk only (chunked.hpp)
  float soft_cap = 0;       // > 0: scores stay within -soft_cap..soft_cap (soft_cap.hpp)
  Alibi alibi = {};         // then fall with the distance

  template <class I> ATOM_HD auto visible(I i) const { return (i.key <= i.query) & (i.key >= first(i.query)); }
  ATOM_HD KeyRange range(std::int32_t query) const { return {first(query), query}; }
  template <class S, class I> ATOM_HD S score(S s, I i) const {
    const S capped = soft_cap > 0 ? SoftCap{soft_cap}.score(s, i) : s;
    return alibi.heads() > 0 ? alibi.score(capped, i) : capped;
  }
  template <class S, class I> ATOM_HD S slope(S s, I i) const {
    return soft_cap > 0 ? SoftCap{soft_cap}.slope(s, i) : S(1);
  }

 private:
  ATOM_HD std::int32_t first(std::int32_t query) const {
    const std::int32_t of_window = window > 0 && query >= window ? query - window + 1 : 0;
    const std::int32_t of_chunk = chunk > 0 ? query - query % chunk : 0;
    return of_window > of_chunk ? of_window : of_chunk;
  }
};
static_assert(ScorePolicy<LayerPolicy>);

}  // namespace atom

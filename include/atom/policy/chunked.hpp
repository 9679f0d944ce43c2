// SPDX-License-Identifier: Apache-2.0
// Chunked: causal within chunks of the sequence, positions 0..chunk-1, chunk..2 chunk-1, and so on (Llama 4).
#pragma once

#include "score.hpp"

namespace atom {

struct Chunked {
  std::int32_t chunk = std::numeric_limits<std::int32_t>::max();  // the greatest value: causal without chunks
  int full_every = 0;  // > 0: of each run of so many layers the last one has no chunks (Llama 4: 4)

  template <class I> ATOM_HD auto visible(I i) const { return (i.key <= i.query) & (i.key >= first(i.query)); }
  ATOM_HD KeyRange range(std::int32_t query) const { return {first(query), query}; }
  Chunked for_layer(int layer) const {
    return full_every > 0 && (layer + 1) % full_every == 0 ? Chunked{} : Chunked{chunk, 0};
  }

 private:
  ATOM_HD std::int32_t first(std::int32_t query) const { return query - query % chunk; }
};
static_assert(ScorePolicy<Chunked>);

}  // namespace atom

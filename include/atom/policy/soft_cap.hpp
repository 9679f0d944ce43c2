// SPDX-License-Identifier: Apache-2.0
// SoftCap: keeps scores within -cap..cap by cap * tanh(s / cap) (Gemma 2). Hides nothing: all_of(SoftCap{50},
// Causal{}).
#pragma once

#include "../core/math.hpp"
#include "score.hpp"

namespace atom {

struct SoftCap {
  float cap = 50;  // > 0

  template <class I> ATOM_HD bool visible(I) const { return true; }
  template <class S, class I> ATOM_HD S score(S s, I) const { return cap * math::tanh(s / cap); }
  template <class S, class I> ATOM_HD S slope(S s, I) const {
    const S t = math::tanh(s / cap);
    return 1 - t * t;
  }
};
static_assert(ScorePolicy<SoftCap>);

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Full: every query sees every key, as in an encoder or between two sequences.
#pragma once

#include "score.hpp"

namespace atom {

struct Full {
  template <class I> ATOM_HD bool visible(I) const { return true; }
};
static_assert(ScorePolicy<Full>);

}  // namespace atom

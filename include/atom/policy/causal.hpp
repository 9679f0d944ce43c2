// SPDX-License-Identifier: Apache-2.0
// Causal: a query sees its own position and those before.
#pragma once

#include "score.hpp"

namespace atom {

struct Causal {
  template <class I> ATOM_HD auto visible(I i) const { return i.key <= i.query; }
  ATOM_HD KeyRange range(std::int32_t query) const { return {0, query}; }
};
static_assert(ScorePolicy<Causal>);

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// all_of(p, q, ...): a key is visible where every part shows it; scores pass through the parts from first to last.
//   all_of(SoftCap{50}, SlidingWindow{.window = 4096})
#pragma once

#include "score.hpp"

#include <algorithm>

namespace atom {

template <ScorePolicy P, ScorePolicy Q> struct AllOf {
  P first;
  Q second;

  ATOM_HD_QUIET
  template <class I> ATOM_HD auto visible(I i) const {
    if constexpr (!masks_keys<P, I> && !masks_keys<Q, I>)
      return first.visible(i) && second.visible(i);
    else if constexpr (!masks_keys<P, I>)
      return second.visible(i) & first.visible(i);
    else
      return first.visible(i) & second.visible(i);
  }
  ATOM_HD_QUIET
  template <class S, class I> ATOM_HD S score(S s, I i) const {
    return policy_score(second, policy_score(first, s, i), i);
  }
  ATOM_HD_QUIET
  template <class S, class I> ATOM_HD S slope(S s, I i) const {
    return policy_slope(second, policy_score(first, s, i), i) * policy_slope(first, s, i);
  }
  ATOM_HD KeyRange range(std::int32_t query) const {
    const KeyRange a = policy_range(first, query), b = policy_range(second, query);
    return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
  }
  auto for_layer(int layer) const;
};

template <ScorePolicy P> P all_of(const P& policy) { return policy; }
template <ScorePolicy P, ScorePolicy... Rest> auto all_of(const P& policy, const Rest&... rest) {
  using Others = decltype(all_of(rest...));
  return AllOf<P, Others>{policy, all_of(rest...)};
}

template <ScorePolicy P, ScorePolicy Q> auto AllOf<P, Q>::for_layer(int layer) const {
  return all_of(policy_for_layer(first, layer), policy_for_layer(second, layer));
}

}  // namespace atom

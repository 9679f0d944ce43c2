// SPDX-License-Identifier: Apache-2.0
// Contract of choosing the k largest of each row, and its one text for both backends.
//
//   void top_k(D, Index rows, const TopK&, const T* x, std::int32_t* columns)
//     columns (rows, k) of the largest elements of each row of x (rows, n), largest first; of equals the lowest column
//     first. NaN counts as the least.
//
// With groups > 1 the columns are `groups` blocks of neighbours, of which the top_groups with the largest sums of their
// two largest values are chosen from (DeepSeek-V3, arXiv 2412.19437).
#pragma once

#include "for_each.hpp"

#include <limits>

namespace atom {

struct TopK {
  Index n = 0, k = 0;  // 1 <= k <= top_groups * n / groups
  Index groups = 1, top_groups = 1;

  static constexpr Index most_groups = 64;
};

namespace detail {

template <class T> struct TopKRow {
  TopK s;
  const T* x;
  std::int32_t* columns;

  static ATOM_HD bool before(T a, T b) { return a > b || (b != b && a == a); }

  // A bit for each group.
  ATOM_HD std::uint64_t best_groups(const T* from) const {
    const Index size = s.n / s.groups;
    T score[TopK::most_groups];
    for (Index g = 0; g < s.groups; ++g) {
      T first = -std::numeric_limits<T>::infinity(), second = first;
      for (Index i = g * size; i < (g + 1) * size; ++i) {
        const T value = from[i];
        if (value > second) second = value > first ? first : value;
        if (value > first) first = value;
      }
      score[g] = size == 1 ? first : first + second;
    }
    std::uint64_t kept = 0;
    for (Index i = 0; i < s.top_groups; ++i) {
      Index best = -1;
      for (Index g = 0; g < s.groups; ++g)
        if ((kept >> g & 1U) == 0 && (best < 0 || before(score[g], score[best]))) best = g;
      kept |= std::uint64_t{1} << best;
    }
    return kept;
  }

  ATOM_HD void operator()(Index row) const {
    const T* const from = x + row * s.n;
    std::int32_t* const chosen = columns + row * s.k;
    const std::uint64_t kept = s.groups > 1 ? best_groups(from) : 1;
    const Index size = s.n / s.groups;
    Index found = 0;
    T least = 0;  // of k found
    for (Index g = 0; g < s.groups; ++g) {
      if ((kept >> g & 1U) == 0) continue;
      for (Index i = g * size; i < (g + 1) * size; ++i) {
        const T value = from[i];
        if (found == s.k && !before(value, least)) continue;
        Index at = found < s.k ? found++ : s.k - 1;
        for (; at > 0 && before(value, from[chosen[at - 1]]); --at) chosen[at] = chosen[at - 1];
        chosen[at] = static_cast<std::int32_t>(i);
        least = from[chosen[found - 1]];
      }
    }
  }
};

}  // namespace detail

template <class D, class T> void top_k(D device, Index rows, const TopK& s, const T* x, std::int32_t* columns) {
  for_each(device, rows, detail::TopKRow<T>{s, x, columns}, std::max<Index>(1, 8192 / std::max<Index>(1, s.n)));
}

}  // namespace atom

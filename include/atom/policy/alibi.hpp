// SPDX-License-Identifier: Apache-2.0
// Alibi: causal, each head's scores fall linearly with the distance (Press et al. 2022).
//   n = greatest power of two <= heads;  weight of head h < n: 2^(-8 (h + 1) / n);  of head n + r: 2^(-4 (2 r + 1) / n)
#pragma once

#include "../core/error.hpp"
#include "score.hpp"

#include <array>
#include <cmath>  // sqrt: correctly rounded everywhere, as exp2 is not

namespace atom {

class Alibi {
 public:
  static constexpr int max_heads = 128;

  Alibi() = default;  // of no heads: nothing falls
  // `heads` are the query heads of a layer. Error: fewer than 1 or more than max_heads.
  explicit Alibi(int heads) : heads_(heads) {
    check(heads >= 1 && heads <= max_heads, "alibi", "heads must be 1 to ", max_heads, ": found ", heads);
    int n = 1;
    double ratio = 1.0 / 256;  // 2^(-8 / n)
    for (; 2 * n <= heads; n *= 2) ratio = std::sqrt(ratio);
    double weight = 1;
    for (int h = 0; h < n; ++h) weights_[static_cast<std::size_t>(h)] = static_cast<float>(weight *= ratio);
    weight = std::sqrt(ratio);
    for (int h = n; h < heads; ++h, weight *= ratio) weights_[static_cast<std::size_t>(h)] = static_cast<float>(weight);
  }

  ATOM_HD int heads() const { return heads_; }
  ATOM_HD float weight(std::int32_t head) const { return weights_[static_cast<std::size_t>(head)]; }

  template <class I> ATOM_HD auto visible(I i) const { return i.key <= i.query; }
  ATOM_HD KeyRange range(std::int32_t query) const { return {0, query}; }
  template <class S, class I> ATOM_HD S score(S s, I i) const { return s - weight(i.head) * S(i.query - i.key); }

 private:
  int heads_ = 0;
  std::array<float, max_heads> weights_{};
};
static_assert(ScorePolicy<Alibi>);

}  // namespace atom

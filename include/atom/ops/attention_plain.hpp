// SPDX-License-Identifier: Apache-2.0
// attention as its definition, composed of plain operations: what the fused kernel is compared with. It holds all
// (b, h, t, s) weights and runs the policy element by element on the host: for tests and for reading.
#pragma once

#include "../policy/score.hpp"
#include "attention.hpp"
#include "elementwise.hpp"
#include "matmul.hpp"
#include "shape.hpp"
#include "softmax.hpp"

namespace atom::ops {

// As attention(), but without sinks a query that sees no key gives NaN.
template <class T, class D, ScorePolicy Policy>
Tensor<T, D> attention_plain(const Tensor<T, D>& q, const Tensor<T, D>& k, const Tensor<T, D>& v, const Policy& policy,
                             const AttentionOptions<T, D>& options = {}) {
  const Index b = q.dim(0), t = q.dim(1), h = q.dim(2), s = k.dim(1), heads = k.dim(2);
  const auto per_query_head = [&](const Tensor<T, D>& x) {  // (b, s, k, .) -> (b, h, s, .)
    const auto apart = reshape(permute(x, {0, 2, 1, 3}), {b, heads, 1, s, x.dim(3)});
    return reshape(broadcast_to(apart, {b, heads, h / heads, s, x.dim(3)}), {b, h, s, x.dim(3)});
  };
  const auto product = matmul(permute(q, {0, 2, 1, 3}), transpose(per_query_head(k)));
  const auto scaled = scale(product, detail::attention_scale(options, q.dim(3)));  // (b, h, t, s)

  // score(x) has value and slope of x * slope + (score(x) - x * slope), of which the factor and the summand are
  // constant.
  const std::vector<T> x = scaled.to_vector();
  std::vector<T> factor, summand;
  for (std::size_t at = 0; at < x.size(); ++at) {
    const auto i = static_cast<Index>(at);
    const AttnIndex<> index{static_cast<std::int32_t>(i / s % t), static_cast<std::int32_t>(i % s),
                            static_cast<std::int32_t>(i / (s * t) % h)};
    const bool seen = policy_visible(policy, index);
    factor.push_back(seen ? policy_slope(policy, x[at], index) : T(0));
    summand.push_back(seen ? policy_score(policy, x[at], index) - x[at] * factor.back()
                           : -std::numeric_limits<T>::infinity());
  }
  const auto like_scores = [&](const std::vector<T>& values) {
    return Tensor<T, D>::from(values, scaled.shape(), scaled.device());
  };
  auto scores = add(mul(scaled, like_scores(factor)), like_scores(summand));
  if (options.sinks.defined())  // (b, h, t, s + 1)
    scores = concat(scores, broadcast_to(reshape(options.sinks, {h, 1, 1}), {b, h, t, 1}), -1);
  return permute(matmul(slice(softmax(scores), -1, 0, s), per_query_head(v)), {0, 2, 1, 3});
}

}  // namespace atom::ops

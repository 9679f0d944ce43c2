// SPDX-License-Identifier: Apache-2.0
// SparseMixer-2 (Liu et al. 2023), the router of Phi-3.5-MoE: two experts, one after the other. Each choice sees the
// scores near its best one only, and its weight is a softmax over these. Training draws the expert, and its gradient is
// an estimator (Heun's third-order rule) and not the derivative of the forward pass.
#pragma once

#include "routing.hpp"

namespace atom::nn {

namespace detail {

// One row: two choices among the scores s (e). p (2, e): the softmax that each choice saw.
template <class T> struct SparseMix {
  const T* scores;
  std::int32_t* ids;  // (n, 2)
  T *weights, *p;     // (n, 2), (n, 2, e)
  Index experts;
  T near;  // how far below the best a score may lie, as a share of the larger magnitude
  bool training;
  RandomKey key;

  ATOM_HD void operator()(Index row) const {
    const T* const s = scores + row * experts;
    Index taken = -1;
    for (Index c = 0; c < 2; ++c) {
      T* const share = p + (2 * row + c) * experts;
      Index best = -1;
      for (Index e = 0; e < experts; ++e)
        if (e != taken && (best < 0 || s[e] > s[best])) best = e;
      T sum = 0;
      for (Index e = 0; e < experts; ++e) {
        const T size = s[e] < 0 ? -s[e] : s[e], most = size > s[best] ? size : s[best];
        const bool kept = e != taken && s[best] - s[e] <= near * most;
        share[e] = kept ? math::exp(s[e] - s[best]) : T(0);
        sum = sum + share[e];
      }
      for (Index e = 0; e < experts; ++e) share[e] = share[e] / sum;
      const Index chosen = training ? drawn(share, row, c) : best;
      T factor = 1;
      if (training && chosen != best && draw(row, c, experts) <= T(0.75)) factor = T(1) / T(3);
      ids[2 * row + c] = static_cast<std::int32_t>(chosen);
      weights[2 * row + c] = factor * share[chosen];
      taken = chosen;
    }
  }

 private:
  ATOM_HD T draw(Index row, Index c, Index i) const {
    return static_cast<T>(uniform(key, (2 * row + c) * (experts + 1) + i));
  }
  // The argmax of log share + Gumbel noise: of share / -log(u).
  ATOM_HD Index drawn(const T* share, Index row, Index c) const {
    Index best = 0;
    T most = -1;
    for (Index e = 0; e < experts; ++e) {
      const T u = draw(row, c, e), value = share[e] / -math::log(u > 0 ? u : T(0x1p-25));
      if (share[e] > 0 && value > most) most = value, best = e;
    }
    return best;
  }
};

// ds_j = sum over both choices of dw * p_chosen * ([j chosen] - p_j): the derivative of the evaluated weights, and the
// estimator of training, which leaves out the factor.
template <class T> struct SparseMixGradient {
  const std::int32_t* ids;
  const T *dweights, *p;
  T* dscores;
  Index experts;
  ATOM_HD void operator()(Index row) const {
    for (Index j = 0; j < experts; ++j) {
      T sum = 0;
      for (Index c = 2 * row; c < 2 * row + 2; ++c) {
        const T* const share = p + c * experts;
        const T own = ids[c] == j ? T(1) : T(0);
        sum = sum + dweights[c] * share[ids[c]] * (own - share[j]);
      }
      dscores[row * experts + j] = sum;
    }
  }
};

}  // namespace detail

struct SparseMixer {
  double jitter = 0.01;  // scores within twice this of the best, relatively, take part

  // Error: `active` is not 2; a single expert.
  template <class T, class D> Routing<T, D> operator()(const RouterInput<T, D>& in) const {
    check(in.active == 2 && in.experts() > 1, "sparse_mixer", "two of several experts are chosen: found ", in.active,
          " of ", in.experts());
    const auto logits = in.linear(in.x);
    const auto scores = contiguous(logits.buffer());
    const D device = logits.device();
    const Index n = logits.dim(0), e = in.experts();
    Buffer<std::int32_t, D> ids(device, {n, 2});
    Buffer<T, D> weights(device, {n, 2}), p(device, {n, 2, e});
    for_each(device, n,
             detail::SparseMix<T>{scores.data(), ids.mutable_data(), weights.mutable_data(), p.mutable_data(), e,
                                  static_cast<T>(2 * jitter), in.mode.training, in.mode.key});
    const auto rule = [ids, p, n, e](const Buffer<T, D>& dy) {
      Buffer<T, D> ds(dy.device(), {n, e});
      for_each(dy.device(), n, detail::SparseMixGradient<T>{ids.data(), dy.data(), p.data(), ds.mutable_data(), e});
      return ds;
    };
    return {.ids = constant(ids), .weights = record<"sparse_mixer">(weights, rule, logits)};
  }

  friend bool operator==(const SparseMixer&, const SparseMixer&) = default;
};

}  // namespace atom::nn

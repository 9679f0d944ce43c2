// SPDX-License-Identifier: Apache-2.0
// TopKRouter: the published rules of how tokens choose their experts, and the losses that keep the load even.
#pragma once

#include "../ops/activation.hpp"
#include "../ops/count_ids.hpp"
#include "../ops/elementwise.hpp"
#include "../ops/reduce.hpp"
#include "../ops/shape.hpp"
#include "../ops/softmax.hpp"
#include "../ops/top_k.hpp"
#include "sparse_mixer.hpp"

namespace atom::nn {

enum class RouterScore { softmax, sigmoid, sparse_mixer };

// ---- what keeps the load even -------------------------------------------------------------------------------------
// E / k * sum over e of (share of rows that chose e) * (mean probability of e): 1 when even (Fedus et al. 2021, as
// normalised by OLMoE). probabilities (n, e) sum to 1 in a row; ids (n, k). Of each run of `length` rows, then averaged
// (DeepSeek-AI 2024); length = n: of all rows together.
template <class T, class D>
Tensor<T, D> balance_loss(const Tensor<T, D>& probabilities, const Tensor<std::int32_t, D>& ids, Index length) {
  const Index n = probabilities.dim(0), e = probabilities.dim(1), k = ids.dim(1), runs = n == 0 ? 0 : n / length;
  const auto chosen = ops::count_ids<T>(ids, e, length);                           // (runs, e)
  const auto mean = ops::mean(ops::reshape(probabilities, {runs, length, e}), 1);  // (runs, e)
  const double scale = static_cast<double>(e) / (static_cast<double>(k) * static_cast<double>(length * runs));
  return ops::sum(chosen * mean) * static_cast<T>(scale);
}

// mean of logsumexp(logits)^2 over the rows of logits (n, e) (Zoph et al. 2022).
template <class T, class D> Tensor<T, D> router_z_loss(const Tensor<T, D>& logits) {
  const Index n = logits.dim(0);
  const auto most = ops::reshape(ops::max(logits.detach()), {n, 1});
  return ops::mean(ops::square(ops::log(ops::sum(ops::exp(logits - most), 1)) + ops::reshape(most, {n})));
}

// ---- the published rules --------------------------------------------------------------------------------------------
// s = softmax or sigmoid of the logits; the top k of s + select_bias, from the best groups only if there are groups;
// weights s of the chosen, made to sum to 1 if `normalise`, times `scale`. Softmax over all and `normalise` is the same
// as a softmax over the chosen logits. Equal scores: the lower id. sparse_mixer is a rule of its own
// (sparse_mixer.hpp), of which `jitter` is the only number.
struct TopKRouter {
  RouterScore score = RouterScore::softmax;
  bool normalise = false;
  double scale = 1;
  Index groups = 1, top_groups = 1;  // DeepSeek V3: groups by the sum of their two best scores
  double jitter = 0;                 // training: the input times uniform numbers of 1 - jitter .. 1 + jitter
  // Coefficients of losses in training, averaged over the layers with experts.
  double balance = 0;           // balance_loss of the batch
  double sequence_balance = 0;  // of each sequence, by what the bare scores choose
  double z = 0;                 // router_z_loss

  template <class T, class D> Routing<T, D> operator()(const RouterInput<T, D>& in) const {
    if (score == RouterScore::sparse_mixer) return SparseMixer{jitter}(in);
    const auto logits = in.linear(jittered(in));
    const auto scores = score == RouterScore::softmax ? ops::softmax(logits) : ops::sigmoid(logits);
    Routing<T, D> routing;
    routing.ids = choose(scores, in.select_bias, in.active);
    routing.weights = ops::gather(scores, routing.ids);
    if (normalise) routing.weights = routing.weights / (row_sums(routing.weights) + static_cast<T>(1e-20));
    if (scale != 1) routing.weights = routing.weights * static_cast<T>(scale);
    if (in.mode.training) routing.loss = loss(logits, scores, routing.ids, in);
    return routing;
  }

  friend bool operator==(const TopKRouter&, const TopKRouter&) = default;

 private:
  template <class T, class D> static Tensor<T, D> row_sums(const Tensor<T, D>& x) {
    return ops::reshape(ops::sum(x, 1), {x.dim(0), 1});
  }
  template <class T, class D> Tensor<T, D> jittered(const RouterInput<T, D>& in) const {
    if (!in.mode.training || jitter == 0) return in.x;
    return in.x * Tensor<T, D>::uniform(in.mode.key, in.x.shape(), static_cast<T>(1 - jitter),
                                        static_cast<T>(1 + jitter), in.x.device());
  }
  template <class T, class D>
  Tensor<std::int32_t, D> choose(const Tensor<T, D>& scores, const Tensor<T, D>& bias, Index active) const {
    const NoGrad no_grad;
    return ops::top_k(bias.defined() ? scores + bias : scores, active, {.groups = groups, .top_groups = top_groups});
  }
  template <class T, class D> Tensor<T, D> loss(const Tensor<T, D>& logits, const Tensor<T, D>& scores,
                                                const Tensor<std::int32_t, D>& ids, const RouterInput<T, D>& in) const {
    Tensor<T, D> total;
    const auto add = [&](const Tensor<T, D>& term, double coefficient) {
      const auto scaled = term * static_cast<T>(coefficient);
      total = total.defined() ? total + scaled : scaled;
    };
    if (balance == 0 && sequence_balance == 0 && z == 0) return total;
    const auto shares = score == RouterScore::softmax ? scores : scores / row_sums(scores);
    if (balance != 0) add(balance_loss(shares, ids, in.x.dim(0)), balance);
    if (sequence_balance != 0)
      add(balance_loss(shares, choose(scores.detach(), {}, in.active), in.length), sequence_balance);
    if (z != 0) add(router_z_loss(logits), z);
    return total;
  }
};

}  // namespace atom::nn

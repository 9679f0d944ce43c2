// SPDX-License-Identifier: Apache-2.0
// Transformer: a decoder for text, of the shape its config says. One class for GPT-2, Llama and what lies between.
#pragma once

#include "../nn/block.hpp"
#include "../nn/embedding.hpp"
#include "../nn/init.hpp"
#include "../ops/linear_cross_entropy.hpp"
#include "../policy/causal.hpp"
#include "config.hpp"

namespace atom::models {

struct LossOptions {
  nn::Mode mode{};
  Index tokens = 0;  // the loss is the sum over this number; 0: over the targets of this call that are not ignored
};

template <class T, class D = Device, ScorePolicy Policy = Causal> class Transformer {
 public:
  using Scalar = T;
  using DeviceType = D;

  TransformerConfig config;  // resolved
  Policy policy;
  nn::Embedding<T, D> embedding;                 // (v, c)
  std::optional<nn::Embedding<T, D>> positions;  // (context, c), learned positions only
  std::vector<nn::Block<T, D>> blocks;
  nn::Norm<T, D> norm;
  std::optional<nn::Linear<T, D>> head;  // (v, c); absent: the embedding's weight
  ops::RopeTable<T, D> rope;             // rotary positions only

  // Initialised from rng; every parameter is a leaf of the graph. Error `[config] ...`.
  Transformer(const TransformerConfig& sizes, const Rng& rng, D device = {}, Policy score_policy = {})
      : Transformer(sizes, device, std::move(score_policy)) {
    nn::initialise(*this, rng, {.residual_branches = 2 * config.layers});
  }
  // All zeros, to be loaded.
  [[gnu::cold]] explicit Transformer(const TransformerConfig& sizes, D device = {}, Policy score_policy = {})
      : config(resolved(sizes)),
        policy(std::move(score_policy)),
        embedding(config.vocab, config.width, device),
        norm(config.norm, config.width, config.norm_eps, device) {
    const auto& c = config;
    if (c.learned_positions)
      positions.emplace(c.context, c.width, device);
    else
      rope = ops::RopeTable<T, D>(ops::rope_frequencies(c.head_dim, c.rope_theta), c.context, RopePairing::half_split,
                                  1, device);
    for (Index i = 0; i < c.layers; ++i)
      blocks.push_back(
          {.norm1 = {c.norm, c.width, c.norm_eps, device},
           .attention = nn::Attention<T, D>({c.width, c.heads, c.kv_heads, c.head_dim, c.qkv_bias, c.o_bias}, device),
           .norm2 = {c.norm, c.width, c.norm_eps, device},
           .feed_forward = {c.width, c.feed_forward, c.activation, c.gated, c.ffn_bias, device}});
    if (!c.tie_embeddings) head.emplace(c.width, c.vocab, false, device);
    nn::require_grad(*this);
  }

  D device() const { return embedding.weight.device(); }

  // ids (b, t) -> logits (b, t, v) of the token after each. Errors: t beyond the context; an id outside the vocabulary.
  Tensor<T, D> operator()(const Tensor<TokenId, D>& ids, nn::Mode mode = {}) const {
    return logits_of(hidden(ids, mode));
  }

  // Mean cross entropy of targets (b, t) given ids (b, t); targets of -100 are ignored. Never holds all logits.
  Tensor<T, D> loss(const Tensor<TokenId, D>& ids, const Tensor<TokenId, D>& targets,
                    const LossOptions& options = {}) const {
    return ops::linear_cross_entropy(hidden(ids, options.mode), head_weight(), targets,
                                     {.normaliser = static_cast<double>(options.tokens)});
  }

  // Log-probability (b, t) of each target given the ids up to its place, in the bits of training. Not differentiated.
  Tensor<T, D> log_probabilities(const Tensor<TokenId, D>& ids, const Tensor<TokenId, D>& targets) const {
    const NoGrad no_grad;
    return ops::linear_log_probs(hidden(ids), head_weight(), targets);
  }

  // ids (b, t) -> what the head reads (b, t, c).
  Tensor<T, D> hidden(const Tensor<TokenId, D>& ids, nn::Mode mode = {}) const {
    check(ids.rank() == 2, "transformer", "ids are (batch, time): found ", ids.shape());
    check(ids.dim(1) <= config.context, "transformer", "at most ", config.context, " tokens fit the context: found ",
          ids.dim(1));
    nn::Pass<T, D> pass{.mode = mode, .dropout = config.dropout};
    return run(ids, pass);
  }

  // A cache for `batch` sequences of at most `capacity` tokens (0: the context).
  nn::KvCache<T, D> make_cache(Index batch = 1, Index capacity = 0) const {
    nn::KvCacheShape shape{.batch = batch,
                           .capacity = capacity > 0 ? capacity : config.context,
                           .kv_heads = config.kv_heads,
                           .head_dim = config.head_dim};
    check(shape.capacity <= config.context, "kv_cache", "capacity is at most the context, ", config.context, ": found ",
          shape.capacity);
    for (Index i = 0; i < config.layers; ++i)
      shape.windows.push_back(window_of(policy_for_layer(policy, static_cast<int>(i))));
    if (std::ranges::any_of(shape.windows, [](Index window) { return window > 0; })) shape.pass = key_block;
    return nn::KvCache<T, D>(shape, device());
  }

  // Reads counts[b] more tokens of each sequence, right-padded to ids (b, t), and returns logits (b, v) of the token
  // after the last one read. No graph. A sequence's bits are the same alone and in any batch, at once or token by
  // token. counts[b] may be 0: that row's logits mean nothing. Errors: the cache is full; an id outside the vocabulary.
  Tensor<T, D> next_logits(const Tensor<TokenId, D>& ids, std::span<const std::int32_t> counts,
                           nn::KvCache<T, D>& cache) const {
    const NoGrad no_grad;
    const Index b = ids.dim(0), t = ids.dim(1);
    check(std::ranges::all_of(counts, [&](Index count) { return count >= 0 && count <= t; }), "transformer",
          "counts are within the ", t, " columns of ids");
    Tensor<T, D> h;  // (b, t, c)
    for (Index start = 0; start < t; start += cache.shape().pass) {
      const Index length = std::min(cache.shape().pass, t - start);
      const auto part = read(ops::slice(ids, 1, start, length), counts, start, cache);
      h = start == 0 ? part : ops::concat(h, part, 1);
    }
    const auto limits = Tensor<std::int32_t, D>::from(counts, {b}, device());
    Buffer<TokenId, D> rows(device(), {b});
    for_each(device(), b, nn::detail::LastRows{limits.buffer().data(), rows.mutable_data(), t});
    return logits_of(ops::embedding(constant(rows), ops::reshape(h, {b * t, config.width})));
  }

  const Tensor<T, D>& head_weight() const { return head ? head->weight : embedding.weight; }  // (v, c)

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("embedding", self.embedding);
    f("positions", self.positions);
    f("blocks", self.blocks);
    f("norm", self.norm);
    f("head", self.head);
  }

 private:
  // Hidden states of one pass over the cache: columns start.. of what `counts` says is new.
  Tensor<T, D> read(const Tensor<TokenId, D>& ids, std::span<const std::int32_t> counts, Index start,
                    nn::KvCache<T, D>& cache) const {
    const Index t = ids.dim(1);
    cache.begin(counts, start, t);
    Buffer<TokenId, D> where(device(), ids.shape());
    for_each(device(), ids.size(), nn::detail::NewPositions{cache.starts(), where.mutable_data(), t, config.context});
    nn::Pass<T, D> pass{.cache = &cache, .positions = constant(where)};
    const auto h = run(ids, pass);
    cache.commit();
    return h;
  }

  static Index window_of(const auto& layer_policy) {
    constexpr std::int32_t far = 1 << 30;
    const Index first = policy_range(layer_policy, far).first;
    return first > 0 ? far - first + 1 : 0;
  }

  Tensor<T, D> logits_of(const Tensor<T, D>& h) const { return ops::linear(h, head_weight(), Tensor<T, D>()); }

  Tensor<T, D> run(const Tensor<TokenId, D>& ids, nn::Pass<T, D>& pass) const {
    if (!config.learned_positions) pass.rope = &rope;
    auto x = embedding(ids);  // (b, t, c)
    if (positions)
      x = x + (pass.cache ? (*positions)(pass.positions) : ops::slice(positions->weight, 0, 0, ids.dim(1)));
    x = pass.drop(x);
    for (std::size_t i = 0; i < blocks.size(); ++i)
      x = blocks[i](x, pass, static_cast<Index>(i), policy_for_layer(policy, static_cast<int>(i)));
    return norm(x);
  }
};

}  // namespace atom::models

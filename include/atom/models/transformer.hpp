// SPDX-License-Identifier: Apache-2.0
// Transformer: a decoder for text, of the shape its config says. One class for GPT-2, Llama, DeepSeek and what lies
// between.
#pragma once

#include "../nn/block.hpp"
#include "../nn/embedding.hpp"
#include "../nn/init.hpp"
#include "../ops/linear_cross_entropy.hpp"
#include "../ops/with_auxiliary.hpp"
#include "../policy/causal.hpp"
#include "../policy/layer_policy.hpp"
#include "config.hpp"
#include "mtp.hpp"
#include "read_by_length.hpp"
#include "rope_tables.hpp"

namespace atom::models {

struct LossOptions {
  nn::Mode mode{};
  Index tokens = 0;  // the loss is the sum over this number; 0: over the targets of this call that are not ignored
};

// What a training pass minimises; parts that a model does not have are undefined.
template <class T, class D> struct Losses {
  Tensor<T, D> cross_entropy;
  Tensor<T, D> router = {};  // what the routers ask for, averaged over the layers with experts
  Tensor<T, D> mtp = {};     // cross entropy of the multi-token prediction
};

// Policy LayerPolicy takes windows, chunks, caps and biases of scores from the config. With NoRouter a program compiles
// what GPT-2 and Llama have, and a config that asks for more is an error; FullTransformer has all parts.
template <class T, class D = Device, ScorePolicy Policy = Causal, class Router = nn::NoRouter> class Transformer {
 public:
  using Scalar = T;
  using DeviceType = D;
  using Block = nn::Block<T, D, Router>;

  TransformerConfig config;  // resolved
  Policy policy;
  Router router;
  nn::Embedding<T, D> embedding;  // (v, c)
  typename Block::template IfFull<nn::Norm<T, D>> embedding_norm;
  std::optional<nn::Embedding<T, D>> positions;  // (context, c), learned positions only
  std::vector<Block> blocks;
  nn::Norm<T, D> norm;
  std::optional<nn::Linear<T, D>> head;  // (v, c); absent: the embedding's weight
  typename Block::template IfFull<Mtp<T, D, Router>> mtp;
  RopeTables<T, D> ropes;             // rotary positions only
  nn::RoutingProbe<T, D> on_routing;  // called by every layer with experts, in training and sampling; empty: free

  // Initialised from rng; every parameter is a leaf of the graph. Error `[config] ...`.
  Transformer(const TransformerConfig& sizes, const Rng& rng, D device = {}, Policy score_policy = {})
      : Transformer(sizes, device, std::move(score_policy)) {
    initialise(rng);
  }
  // The same with a router of your own.
  Transformer(const TransformerConfig& sizes, const Rng& rng, Router own_router, D device = {},
              Policy score_policy = {}) requires Block::full : Transformer(sizes, device, std::move(score_policy)) {
    router = std::move(own_router);
    initialise(rng);
  }
  // All zeros, to be loaded.
  [[gnu::cold]] explicit Transformer(const TransformerConfig& sizes, D device = {}, Policy score_policy = {})
      : config(resolved(sizes)),
        policy(std::move(score_policy)),
        embedding(config.vocab, config.width, device),
        norm(config.norm_shape(), config.width, device),
        ropes(config, device) {
    const auto& c = config;
    if constexpr (Block::full) {
      if constexpr (std::is_same_v<Router, nn::TopKRouter>) router = c.moe.router;
      if (c.embedding_norm) embedding_norm.emplace(c.norm_shape(), c.width, device);
      if (c.mtp > 0) mtp.emplace(c, device);
    } else {
      detail::check_plain(c);
    }
    if constexpr (!std::is_same_v<Policy, LayerPolicy>)
      check(!c.alibi && c.attention_cap == 0 &&
                std::ranges::all_of(c.layer, [](const auto& l) { return l.window == 0 && l.chunk == 0; }),
            "config", "windows, chunks, caps and biases of scores need the policy LayerPolicy");
    if (c.learned_positions) positions.emplace(c.context, c.width, device);
    for (Index i = 0; i < c.layers; ++i) blocks.push_back(detail::make_block<T, D, Router>(c, i, device));
    if (!c.tie_embeddings) head.emplace(c.width, c.vocab, c.head_bias, device);
    nn::require_grad(*this);
  }

  D device() const { return embedding.device(); }

  // ids (b, t) -> logits (b, t, v) of the token after each. Where angles depend on a text's length, that is t.
  // Errors: t beyond the context; an id outside the vocabulary.
  Tensor<T, D> operator()(const Tensor<TokenId, D>& ids, nn::Mode mode = {}) const {
    return logits_of(hidden(ids, mode));
  }

  // Mean cross entropy of targets (b, t) given ids (b, t); targets of -100 are ignored. Never holds all logits. What
  // else training minimises (`losses`) is in the gradient, not in the value.
  Tensor<T, D> loss(const Tensor<TokenId, D>& ids, const Tensor<TokenId, D>& targets,
                    const LossOptions& options = {}) const {
    const auto parts = losses(ids, targets, options);
    if constexpr (Block::full) {
      const auto total = ops::with_auxiliary(parts.cross_entropy, parts.router);
      if (!parts.mtp.defined()) return total;
      return ops::with_auxiliary(total, parts.mtp * static_cast<T>(config.mtp_weight));
    } else {
      return parts.cross_entropy;
    }
  }

  // The parts of the loss. Those of routers and of multi-token prediction: in training only; over `options.tokens`,
  // routers' losses count by this call's share of them.
  Losses<T, D> losses(const Tensor<TokenId, D>& ids, const Tensor<TokenId, D>& targets,
                      const LossOptions& options = {}) const {
    check_ids_shape(ids);
    nn::Pass<T, D> pass{.mode = options.mode, .dropout = config.dropout};
    const ops::CrossEntropyOptions normalised{.normaliser = static_cast<double>(options.tokens)};
    const auto h = run(ids, pass);
    Losses<T, D> parts{.cross_entropy = ops::linear_cross_entropy(scaled(h), loss_head(), targets, normalised)};
    if constexpr (Block::full)
      if (options.mode.training) {
        if (const Index t = ids.dim(1); mtp && t > 1) {
          const auto guess = (*mtp)(h, embedded(ids), pass, config.layers, layer_policy(config.layers - 1), router);
          parts.mtp =
              ops::linear_cross_entropy(scaled(guess), loss_head(), ops::slice(targets, 1, 1, t - 1), normalised);
        }
        const double share =
            options.tokens > 0 ? static_cast<double>(ids.size()) / static_cast<double>(options.tokens) : 1;
        if (pass.losses.defined()) parts.router = pass.losses * static_cast<T>(share / sparse_layers());
      }
    return parts;
  }

  // Log-probability (b, t) of each target given the ids up to its place, in the bits of training. Not differentiated.
  Tensor<T, D> log_probabilities(const Tensor<TokenId, D>& ids, const Tensor<TokenId, D>& targets) const {
    const NoGrad no_grad;
    return ops::linear_log_probs(scaled(hidden(ids)), loss_head(), targets);
  }

  // ids (b, t) -> what the head reads (b, t, c).
  Tensor<T, D> hidden(const Tensor<TokenId, D>& ids, nn::Mode mode = {}) const {
    check_ids_shape(ids);
    nn::Pass<T, D> pass{.mode = mode, .dropout = config.dropout};
    return run(ids, pass);
  }

  // A cache for `batch` sequences of at most `capacity` tokens (0: the context), kept as `type` says.
  nn::KvCache<T, D> make_cache(Index batch = 1, Index capacity = 0, CacheType type = CacheType::exact) const {
    nn::KvCacheShape shape{.batch = batch,
                           .capacity = capacity > 0 ? capacity : config.context,
                           .kv_heads = config.kv_heads,
                           .head_dim = config.head_dim,
                           .type = type};
    if (config.latent.kv_rank > 0) {  // one head: the latent, which is key and value, and the rotated part of the key
      shape.kv_heads = 1;
      shape.head_dim = config.latent.kv_rank + config.latent.rope_dim;
      shape.value_dim = config.latent.kv_rank;
    }
    check(shape.capacity <= config.context, "kv_cache", "capacity is at most the context, ", config.context, ": found ",
          shape.capacity);
    for (Index i = 0; i < config.layers; ++i) shape.windows.push_back(nn::looks_back(layer_policy(i), shape.capacity));
    if (std::ranges::any_of(shape.windows, [](Index window) { return window > 0; })) shape.pass = key_block;
    return nn::KvCache<T, D>(shape, device());
  }

  // Reads counts[b] more tokens of each sequence, right-padded to ids (b, t), and returns logits (b, v) of the token
  // after the last one read. No graph. A sequence's bits are the same alone and in any batch, at once or token by
  // token. counts[b] may be 0: that row's logits mean nothing. Errors: the cache is full; an id outside the vocabulary.
  Tensor<T, D> next_logits(const Tensor<TokenId, D>& ids, std::span<const std::int32_t> counts,
                           nn::KvCache<T, D>& cache) const {
    const NoGrad no_grad;
    check(std::ranges::all_of(counts, [&](Index count) { return count >= 0 && count <= ids.dim(1); }), "transformer",
          "counts are within the ", ids.dim(1), " columns of ids");
    if constexpr (Block::full)
      if (ropes.by_length()) return detail::read_by_length(*this, ids, counts, cache);
    return read_on(ids, counts, cache);
  }

  // The same for texts that end in one regime of the angles, of which `length` is a length.
  Tensor<T, D> read_on(const Tensor<TokenId, D>& ids, std::span<const std::int32_t> counts, nn::KvCache<T, D>& cache,
                       Index length = 0) const {
    const Index b = ids.dim(0), t = ids.dim(1);
    Tensor<T, D> h;  // (b, t, c)
    for (Index start = 0; start < t; start += cache.shape().pass) {
      const Index columns = std::min(cache.shape().pass, t - start);
      const auto part = read(ops::slice(ids, 1, start, columns), counts, start, cache, length);
      h = start == 0 ? part : ops::concat(h, part, 1);
    }
    const auto limits = Tensor<std::int32_t, D>::from(counts, {b}, device());
    Buffer<TokenId, D> rows(device(), {b});
    for_each(device(), b, nn::detail::LastRows{limits.buffer().data(), rows.mutable_data(), t});
    return logits_of(ops::embedding(constant(rows), ops::reshape(h, {b * t, config.width})));
  }

  // (v, c), as one tensor: made anew where it is stored or has an adapter.
  Tensor<T, D> head_weight() const { return head ? head->dense() : embedding.dense(); }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("embedding", self.embedding);
    f("embedding_norm", self.embedding_norm);
    f("positions", self.positions);
    f("blocks", self.blocks);
    f("norm", self.norm);
    f("head", self.head);
    f("mtp", self.mtp);
  }

 private:
  // Hidden states of one pass over the cache: columns start.. of what `counts` says is new.
  Tensor<T, D> read(const Tensor<TokenId, D>& ids, std::span<const std::int32_t> counts, Index start,
                    nn::KvCache<T, D>& cache, Index length) const {
    const Index t = ids.dim(1);
    cache.begin(counts, start, t);
    Buffer<TokenId, D> where(device(), ids.shape());
    for_each(device(), ids.size(), nn::detail::NewPositions{cache.starts(), where.mutable_data(), t, config.context});
    nn::Pass<T, D> pass{.cache = &cache, .positions = constant(where)};
    const auto h = run(ids, pass, length);
    cache.commit();
    return h;
  }

  void initialise(const Rng& rng) { nn::initialise(*this, rng, {.residual_branches = 2 * config.layers}); }

  void check_ids_shape(const Tensor<TokenId, D>& ids) const {
    check(ids.rank() == 2, "transformer", "ids are (batch, time): found ", ids.shape());
    check(ids.dim(1) <= config.context, "transformer", "at most ", config.context, " tokens fit the context: found ",
          ids.dim(1));
  }

  double sparse_layers() const {
    return static_cast<double>(std::ranges::count_if(config.layer, &LayerConfig::sparse) + (mtp ? 1 : 0));
  }

  auto layer_policy(Index i) const {
    if constexpr (std::is_same_v<Policy, LayerPolicy>)
      return detail::policy_of(config, i);
    else
      return policy_for_layer(policy, static_cast<int>(i));
  }

  // What the head reads of a hidden state.
  Tensor<T, D> scaled(const Tensor<T, D>& h) const {
    if constexpr (Block::full)
      if (config.logit_scale != 1) return h * static_cast<T>(config.logit_scale);
    return h;
  }
  auto loss_head() const {
    if constexpr (Block::full)
      return ops::Head<T, D>{head_weight(), head ? head->bias : Tensor<T, D>(), config.logit_cap};
    else
      return head_weight();
  }
  Tensor<T, D> logits_of(const Tensor<T, D>& h) const {
    const auto x = scaled(h);
    const auto logits = head ? (*head)(x) : ops::linear(x, embedding.matrix(), Tensor<T, D>());
    if constexpr (Block::full)
      if (config.logit_cap > 0) return ops::soft_cap(logits, static_cast<T>(config.logit_cap));
    return logits;
  }
  Tensor<T, D> embedded(const Tensor<TokenId, D>& ids) const {
    const auto x = embedding(ids);
    if constexpr (Block::full) {
      if (config.embedding_scale != 1) return x * static_cast<T>(config.embedding_scale);
      if (embedding_norm) return (*embedding_norm)(x);
    }
    return x;
  }

  // `length`: of the texts, where the angles depend on it; 0: that of ids.
  Tensor<T, D> run(const Tensor<TokenId, D>& ids, nn::Pass<T, D>& pass, Index length = 0) const {
    const auto usual = ropes.usual(length > 0 ? length : ids.dim(1));
    pass.probe = &on_routing;
    auto x = embedded(ids);  // (b, t, c)
    if (positions)
      x = x + (pass.cache ? (*positions)(pass.positions) : ops::slice(positions->dense(), 0, 0, ids.dim(1)));
    x = pass.drop(x);
    for (Index i = 0; i < config.layers; ++i) {
      const LayerConfig layer = detail::layer_of(config, i);
      pass.rope = !layer.rotates ? ops::RopeTable<T, D>() : layer.local_rope ? ropes.local() : usual;
      x = blocks[static_cast<std::size_t>(i)](x, pass, i, layer_policy(i), router);
    }
    return norm(x);
  }
};

// With every part that a config can ask for.
template <class T, class D = Device, class Router = nn::TopKRouter> using FullTransformer =
    Transformer<T, D, LayerPolicy, Router>;

#if ATOM_EXTERN_MODELS
extern template class Transformer<float>;
extern template class Transformer<float, Device, LayerPolicy, nn::TopKRouter>;
extern template class Transformer<double>;
extern template class Transformer<double, Device, LayerPolicy, nn::TopKRouter>;
#endif

}  // namespace atom::models

// SPDX-License-Identifier: Apache-2.0
// TransformerConfig: what distinguishes one decoder from another. Zero means "the usual", filled in by `resolved`.
#pragma once

#include "../core/error.hpp"
#include "../nn/block.hpp"
#include "../nn/router.hpp"
#include "../ops/activation.hpp"
#include "../ops/rope_scaling.hpp"

namespace atom::models {

// Multi-head latent attention (DeepSeek-AI 2024). kv_rank 0: ordinary attention.
struct LatentConfig {
  Index q_rank = 0;  // 0: queries are not compressed
  Index kv_rank = 0, nope_dim = 0, rope_dim = 0, value_dim = 0;

  friend bool operator==(const LatentConfig&, const LatentConfig&) = default;
};

// Experts in place of feed-forward layers. experts 0: none.
struct MoeConfig {
  Index experts = 0;
  Index active = 2;          // of them for each token
  Index expert_width = 0;    // 0: feed_forward
  Index shared_width = 0;    // of the expert that reads every token; 0: none
  bool shared_gate = false;  // its output times sigmoid(w x)
  bool router_bias = false, expert_bias = false;
  bool select_bias = false;  // a bias of the choice alone, which optim::update_balance moves
  bool scale_input = false;  // weights multiply what experts read (Llama 4), not what they say
  bool clamped = false;      // gpt-oss' activation
  double clamp_alpha = 1.702, clamp_limit = 7;
  Index first_dense = 0, every = 1;  // layers first_dense + every - 1, + every, ... have experts
  nn::TopKRouter router = {};

  friend bool operator==(const MoeConfig&, const MoeConfig&) = default;
};

// What may differ from layer to layer.
struct LayerConfig {
  Index window = 0, chunk = 0;  // keys seen: the last `window`, those of the query's chunk; 0: all
  bool rotates = true;          // else without positions (NoPE)
  bool local_rope = false;      // turns by local_rope_theta
  bool temperature = false;     // queries grow with their position (Llama 4)
  bool qk_norm = true;          // where the model has one
  bool sparse = false;          // experts

  friend bool operator==(const LayerConfig&, const LayerConfig&) = default;
};

struct TransformerConfig {
  Index vocab = 0;
  Index context = 1024;  // longest sequence
  Index layers = 2;
  Index heads = 4;
  Index kv_heads = 0;  // 0: heads
  Index width = 64;
  Index head_dim = 0;      // 0: width / heads
  Index feed_forward = 0;  // 0: 4 width, or 8/3 width rounded up to 32 when gated

  nn::NormKind norm = nn::NormKind::rms;
  double norm_eps = 1e-5;
  bool norm_weight = true;  // false: norms have no parameters (OLMo 1)
  double norm_offset = 0;   // of the weights of rms norms (Gemma: 1)
  bool pre_norm = true;     // of what a branch reads
  bool post_norm = false;   // of what a branch says
  nn::Residual residual = nn::Residual::sequential;
  double embedding_scale = 1;
  bool embedding_norm = false;
  double branch_scale = 1;                // of what each branch adds
  double logit_scale = 1, logit_cap = 0;  // the scale comes first; cap 0: none
  bool learned_positions = false;         // else rotary,
  bool alibi = false;                     // or neither, and scores that fall with the distance
  double rope_theta = 10000;
  double local_rope_theta = 10000;  // of layers with local_rope, without scaling
  RopePairing rope_pairing = RopePairing::half_split;
  Index rotary_dim = 0;  // of each head; 0: all of it (latent: rope_dim)
  ops::RopeScaling rope_scaling = {};
  nn::QkNorm qk_norm = nn::QkNorm::none;
  bool qk_norm_weight = true, qk_norm_after_rope = false;
  bool sinks = false;          // a logit for each head that takes probability and gives nothing (gpt-oss)
  double attention_scale = 0;  // of q.k; 0: 1 / sqrt(head_dim)
  double attention_cap = 0;    // scores stay within -cap..cap; 0: none
  double clip_qkv = 0;         // of queries, keys and values; 0: none
  // On layers with `temperature`: queries times 1 + beta ln(1 + floor((position + offset) / floor)).
  double temperature_beta = 0.1, temperature_floor = 8192, temperature_offset = 1;
  LatentConfig latent = {};
  Activation activation = Activation::silu;
  bool gated = true;
  bool qkv_bias = false, o_bias = false, ffn_bias = false;
  bool tie_embeddings = true;
  bool head_bias = false;
  double dropout = 0;  // in training: of the embeddings and of what each branch adds
  MoeConfig moe = {};
  // Multi-token prediction (DeepSeek-AI 2024): blocks that guess a further token in training. 0 or 1.
  Index mtp = 0;
  double mtp_weight = 0.3;              // of their loss
  std::vector<LayerConfig> layer = {};  // one for each layer; empty: alike, with experts as `moe` says

  // Radford et al. 2019.
  static TransformerConfig gpt2(Index vocab, Index layers, Index heads, Index width, Index context = 1024) {
    return {.vocab = vocab,
            .context = context,
            .layers = layers,
            .heads = heads,
            .width = width,
            .norm = nn::NormKind::layer,
            .learned_positions = true,
            .activation = Activation::gelu_tanh,
            .gated = false,
            .qkv_bias = true,
            .o_bias = true,
            .ffn_bias = true};
  }
  // Touvron et al. 2023.
  static TransformerConfig llama(Index vocab, Index layers, Index heads, Index width, Index context = 2048) {
    return {
        .vocab = vocab, .context = context, .layers = layers, .heads = heads, .width = width, .tie_embeddings = false};
  }

  bool rotary() const { return !learned_positions && !alibi; }
  nn::NormShape norm_shape() const { return {norm, norm_eps, norm_weight, norm_offset}; }

  friend bool operator==(const TransformerConfig&, const TransformerConfig&) = default;
};

// What sizes may be: far beyond any model, and so small that sums and products of two do not overflow.
inline constexpr Index max_layers = 10'000, max_experts = 1 << 16, max_size = 1 << 30;

namespace detail {

inline void check_size(const char* name, Index value, Index least = 1, Index most = max_size) {
  check(value >= least && value <= most, "config", name, " is in ", least, "..", most, ": found ", value);
}

// Makes `layer` describe every layer. Error: more than max_layers, or none.
inline std::vector<LayerConfig>& each_layer(TransformerConfig& c) {
  check_size("layers", c.layers, 1, max_layers);
  c.layer.resize(static_cast<std::size_t>(c.layers));
  return c.layer;
}

inline void check_sizes(const TransformerConfig& c) {
  check_size("layers", c.layers, 1, max_layers);
  check_size("vocab", c.vocab);
  check_size("context", c.context);
  check_size("heads", c.heads);
  check_size("width", c.width);
  check_size("kv_heads", c.kv_heads, 0);
  check_size("head_dim", c.head_dim, 0);
  check_size("feed_forward", c.feed_forward, 0);
  const auto& a = c.latent;
  check_size("latent.kv_rank", a.kv_rank, 0);
  if (a.kv_rank > 0) {
    check_size("latent.q_rank", a.q_rank, 0);
    check_size("latent.nope_dim", a.nope_dim);
    check_size("latent.rope_dim", a.rope_dim);
    check_size("latent.value_dim", a.value_dim);
  }
  const auto& m = c.moe;
  check_size("moe.experts", m.experts, 0, max_experts);
  if (m.experts > 0) {
    check_size("moe.active", m.active, 1, m.experts);
    check_size("moe.expert_width", m.expert_width, 0);
    check_size("moe.shared_width", m.shared_width, 0);
    check_size("moe.first_dense", m.first_dense, 0);
    check_size("moe.every", m.every);
  }
}

inline void resolve_experts(TransformerConfig& c) {
  auto& m = c.moe;
  if (m.expert_width == 0) m.expert_width = c.feed_forward;
  check(!m.shared_gate || m.shared_width > 0, "config", "moe.shared_gate needs a shared_width");
}
}  // namespace detail

// The configuration with every 0 that means "the usual" filled in.
// Errors `[config] ...`: sizes that are not positive, beyond any model, or do not divide.
inline TransformerConfig resolved(TransformerConfig c) {
  detail::check_sizes(c);
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  check(c.heads % c.kv_heads == 0, "config", "kv_heads divides heads: found ", c.kv_heads, " and ", c.heads);
  if (c.head_dim == 0) {
    check(c.width % c.heads == 0, "config", "heads divides width: found ", c.heads, " and ", c.width);
    c.head_dim = c.width / c.heads;
  }
  detail::check_size("heads times head_dim", c.heads * c.head_dim);
  if (c.rotary_dim == 0) c.rotary_dim = c.latent.kv_rank > 0 ? c.latent.rope_dim : c.head_dim;
  check(!c.rotary() || c.rotary_dim % 2 == 0, "config", "rotary positions need an even head_dim: found ", c.rotary_dim);
  detail::check_size("rotary_dim", c.rotary_dim, 0, c.latent.kv_rank > 0 ? c.latent.rope_dim : c.head_dim);
  check(!(c.learned_positions && c.alibi), "config", "positions are learned or linear biases, not both");
  if (c.feed_forward == 0) c.feed_forward = c.gated ? (c.width * 8 / 3 + 31) / 32 * 32 : 4 * c.width;
  detail::check_size("feed_forward", c.feed_forward);
  check(c.norm_eps > 0, "config", "norm_eps is positive: found ", c.norm_eps);
  check(c.rope_theta > 0 && c.local_rope_theta > 0, "config", "rope_theta is positive: found ", c.rope_theta, " and ",
        c.local_rope_theta);
  check(c.logit_cap >= 0 && c.attention_cap >= 0 && c.clip_qkv >= 0, "config", "caps are not negative: found ",
        c.logit_cap, ", ", c.attention_cap, " and ", c.clip_qkv);
  check(c.residual == nn::Residual::sequential || (c.pre_norm && !c.post_norm), "config",
        "parallel branches have a norm before them and none behind");
  check(!(c.head_bias && c.tie_embeddings), "config", "a tied head has no bias");
  check(c.dropout >= 0 && c.dropout < 1, "config", "dropout is in [0, 1): found ", c.dropout);
  check(c.latent.kv_rank == 0 || c.rotary(), "config", "latent attention has rotary positions");
  if (c.moe.experts > 0) detail::resolve_experts(c);
  check(c.mtp == 0 || c.mtp == 1, "config", "mtp is 0 or 1: found ", c.mtp);
  if (c.layer.empty() && c.moe.experts > 0) {
    detail::each_layer(c);
    for (Index i = c.moe.first_dense; i < c.layers; ++i)
      c.layer[static_cast<std::size_t>(i)].sparse = (i - c.moe.first_dense + 1) % c.moe.every == 0;
  }
  check(c.layer.empty() || std::ssize(c.layer) == c.layers, "config", "`layer` describes every layer: found ",
        c.layer.size(), ", expected ", c.layers);
  for (const auto& l : c.layer) {
    detail::check_size("window", l.window, 0);
    detail::check_size("chunk", l.chunk, 0);
    check(l.window == 0 || l.chunk == 0, "config", "a layer has a window or a chunk: found ", l.window, " and ",
          l.chunk);
    check(!l.sparse || c.moe.experts > 0, "config", "a sparse layer needs moe.experts");
  }
  return c;
}

}  // namespace atom::models

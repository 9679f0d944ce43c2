// SPDX-License-Identifier: Apache-2.0
// TransformerConfig: what distinguishes one decoder from another. Zero means "the usual", filled in by `resolved`.
#pragma once

#include "../core/error.hpp"
#include "../nn/norm.hpp"
#include "../ops/activation.hpp"

namespace atom::models {

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
  bool learned_positions = false;  // else rotary
  double rope_theta = 10000;
  Activation activation = Activation::silu;
  bool gated = true;
  bool qkv_bias = false, o_bias = false, ffn_bias = false;
  bool tie_embeddings = true;
  double dropout = 0;  // in training: of the embeddings and of what each branch adds

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

  friend bool operator==(const TransformerConfig&, const TransformerConfig&) = default;
};

// The configuration with every 0 that means "the usual" filled in.
// Errors `[config] ...`: sizes that are not positive or do not divide.
inline TransformerConfig resolved(TransformerConfig c) {
  const auto positive = [](const char* name, Index value) {
    check(value > 0, "config", name, " is positive: found ", value);
  };
  positive("vocab", c.vocab);
  positive("context", c.context);
  positive("layers", c.layers);
  positive("heads", c.heads);
  positive("width", c.width);
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  positive("kv_heads", c.kv_heads);
  check(c.heads % c.kv_heads == 0, "config", "kv_heads divides heads: found ", c.kv_heads, " and ", c.heads);
  if (c.head_dim == 0) {
    check(c.width % c.heads == 0, "config", "heads divides width: found ", c.heads, " and ", c.width);
    c.head_dim = c.width / c.heads;
  }
  positive("head_dim", c.head_dim);
  check(c.learned_positions || c.head_dim % 2 == 0, "config", "rotary positions need an even head_dim: found ",
        c.head_dim);
  if (c.feed_forward == 0) c.feed_forward = c.gated ? (c.width * 8 / 3 + 31) / 32 * 32 : 4 * c.width;
  positive("feed_forward", c.feed_forward);
  check(c.norm_eps > 0, "config", "norm_eps is positive: found ", c.norm_eps);
  check(c.rope_theta > 0, "config", "rope_theta is positive: found ", c.rope_theta);
  check(c.dropout >= 0 && c.dropout < 1, "config", "dropout is in [0, 1): found ", c.dropout);
  return c;
}

}  // namespace atom::models

// SPDX-License-Identifier: Apache-2.0
// make_block: layer i of a resolved config, all zeros.
#pragma once

#include "../nn/block.hpp"
#include "../policy/layer_policy.hpp"
#include "config.hpp"

namespace atom::models::detail {

inline LayerConfig layer_of(const TransformerConfig& c, Index i) {
  return i < std::ssize(c.layer) ? c.layer[static_cast<std::size_t>(i)] : LayerConfig{};
}

inline LayerPolicy policy_of(const TransformerConfig& c, Index i) {
  const LayerConfig layer = layer_of(c, i);
  return {.window = static_cast<std::int32_t>(layer.window),
          .chunk = static_cast<std::int32_t>(layer.chunk),
          .soft_cap = static_cast<float>(c.attention_cap),
          .alibi = c.alibi ? Alibi(static_cast<int>(c.heads)) : Alibi()};
}

inline nn::AttentionShape attention_shape(const TransformerConfig& c, const LayerConfig& layer) {
  return {.width = c.width,
          .heads = c.heads,
          .kv_heads = c.kv_heads,
          .head_dim = c.head_dim,
          .qkv_bias = c.qkv_bias,
          .o_bias = c.o_bias,
          .scale = c.attention_scale,
          .sinks = c.sinks,
          .clip = c.clip_qkv,
          .qk_norm = layer.qk_norm ? c.qk_norm : nn::QkNorm::none,
          .qk_norm_shape = {.eps = c.norm_eps, .weight = c.qk_norm_weight, .offset = c.norm_offset},
          .qk_norm_after_rope = c.qk_norm_after_rope,
          .temperature = {.beta = layer.temperature ? c.temperature_beta : 0,
                          .floor_scale = c.temperature_floor,
                          .offset = c.temperature_offset}};
}

inline nn::LatentShape latent_shape(const TransformerConfig& c) {
  return {.width = c.width,
          .heads = c.heads,
          .q_rank = c.latent.q_rank,
          .kv_rank = c.latent.kv_rank,
          .nope_dim = c.latent.nope_dim,
          .rope_dim = c.latent.rope_dim,
          .value_dim = c.latent.value_dim,
          .bias = c.qkv_bias && c.o_bias,
          .scale = c.attention_scale};
}

inline nn::ExpertsShape experts_shape(const TransformerConfig& c) {
  const MoeConfig& m = c.moe;
  return {.width = c.width,
          .hidden = m.expert_width,
          .experts = m.experts,
          .active = m.active,
          .activation = c.activation,
          .clamped = m.clamped,
          .clamp_alpha = m.clamp_alpha,
          .clamp_limit = m.clamp_limit,
          .bias = m.expert_bias,
          .router_bias = m.router_bias,
          .select_bias = m.select_bias,
          .scale_input = m.scale_input,
          .shared_hidden = m.shared_width,
          .shared_gate = m.shared_gate};
}

// Of a program that was compiled with the parts of GPT-2 and Llama alone.
inline void check_plain(const TransformerConfig& c) {
  check(c.moe.experts == 0 && c.latent.kv_rank == 0 && c.mtp == 0, "config",
        "experts, latent attention and multi-token prediction need a FullTransformer");
  check(c.pre_norm && !c.post_norm && c.residual == nn::Residual::sequential && c.branch_scale == 1, "config",
        "other forms of residual layers need a FullTransformer");
  check(c.embedding_scale == 1 && !c.embedding_norm && c.logit_scale == 1 && c.logit_cap == 0 && !c.head_bias, "config",
        "scales, caps, biases and norms of embeddings and logits need a FullTransformer");
}

template <class T, class D, class Router>
[[gnu::cold]] nn::Block<T, D, Router> make_block(const TransformerConfig& c, Index i, D device) {
  const LayerConfig layer = layer_of(c, i);
  nn::Block<T, D, Router> block{.residual = c.residual, .pre_norm = c.pre_norm, .branch_scale = c.branch_scale};
  if (c.pre_norm) block.norm1 = {c.norm_shape(), c.width, device};
  if (c.pre_norm && c.residual != nn::Residual::parallel_one_norm) block.norm2 = {c.norm_shape(), c.width, device};
  if constexpr (block.full) {
    if (c.latent.kv_rank > 0) block.latent.emplace(latent_shape(c), device);
    if (layer.sparse) block.experts.emplace(experts_shape(c), device);
    if (c.post_norm) block.post_norm1.emplace(c.norm_shape(), c.width, device);
    if (c.post_norm) block.post_norm2.emplace(c.norm_shape(), c.width, device);
  }
  if (!block.latent) block.attention = nn::Attention<T, D, block.full>(attention_shape(c, layer), device);
  if (!block.experts) block.feed_forward = {c.width, c.feed_forward, c.activation, c.gated, c.ffn_bias, device};
  return block;
}

}  // namespace atom::models::detail

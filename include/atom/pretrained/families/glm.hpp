// SPDX-License-Identifier: Apache-2.0
// GLM-4 (both layouts), GLM-4.5 to 4.7.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline models::TransformerConfig glm_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 2, .head_dim = 128, .eps = 1.5625e-7, .rope = {.partial = 0.5}});
  c.rope_pairing = RopePairing::interleaved;
  c.qkv_bias = k.get_or("attention_bias", true);
  return c;
}
inline io::Json glm_json(const models::TransformerConfig& c) {
  auto json = decoder_json(c);
  set_partial(json, c);
  return json.set("attention_bias", c.qkv_bias);
}
inline models::TransformerConfig glm4_config(const Keys& k) {
  auto c = glm_config(k);
  c.post_norm = true;
  return c;
}

inline models::TransformerConfig glm4_moe_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 8, .eps = 1e-5, .rope = {.partial = 0.5}});
  c.qkv_bias = k.get_or("attention_bias", false);
  if (k.get_or("use_qk_norm", false)) c.qk_norm = nn::QkNorm::per_head;
  c.mtp = k.get_or<Index>("num_nextn_predict_layers", 0);
  const Index width = k.get_or<Index>("moe_intermediate_size", 1408);
  c.moe = {.experts = k.get_or<Index>("n_routed_experts", 128),
           .active = k.get_or<Index>("num_experts_per_tok", 8),
           .expert_width = width,
           .shared_width = width * k.get_or<Index>("n_shared_experts", 1),
           .select_bias = true,
           .first_dense = k.get_or<Index>("first_k_dense_replace", 1),
           .router = {.score = nn::RouterScore::sigmoid,
                      .normalise = k.get_or("norm_topk_prob", true),
                      .scale = k.get_or("routed_scaling_factor", 1.0),
                      .groups = k.get_or<Index>("n_group", 1),
                      .top_groups = k.get_or<Index>("topk_group", 1)}};
  set_sparse(c, [&](Index i) { return i >= c.moe.first_dense; });
  return c;
}
inline io::Json glm4_moe_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  if (m.experts == 0 || m.shared_width == 0) return {};
  return glm_json(c)
      .set("use_qk_norm", c.qk_norm == nn::QkNorm::per_head)
      .set("n_routed_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("moe_intermediate_size", m.expert_width)
      .set("n_shared_experts", m.shared_width / m.expert_width)
      .set("first_k_dense_replace", dense_layers(c))
      .set("norm_topk_prob", m.router.normalise)
      .set("routed_scaling_factor", m.router.scale)
      .set("n_group", m.router.groups)
      .set("topk_group", m.router.top_groups)
      .set("num_nextn_predict_layers", c.mtp);
}

}  // namespace detail

inline Family glm_family() {
  return {"glm",
          "GlmForCausalLM",
          detail::glm_config,
          detail::glm_json,
          {.gate = "mlp.gate_up_proj", .fused_gate_up = true}};
}
inline Family glm4_family() {
  return {"glm4",
          "Glm4ForCausalLM",
          detail::glm4_config,
          detail::glm_json,
          {.post_norm1 = "post_self_attn_layernorm",
           .post_norm2 = "post_mlp_layernorm",
           .gate = "mlp.gate_up_proj",
           .fused_gate_up = true}};
}
inline Family glm4_moe_family() {
  return {"glm4_moe", "Glm4MoeForCausalLM", detail::glm4_moe_config, detail::glm4_moe_json};
}

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// Phi 1 to 4 and Phi-3.5-MoE.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline models::TransformerConfig phi_config(const Keys& k) {
  k.expect("qk_layernorm", false);
  auto c =
      decoder_config(k, {.eps = 1e-5, .eps_key = "layer_norm_eps", .activation = "gelu_new", .rope = {.partial = 0.5}});
  c.norm = nn::NormKind::layer;
  c.residual = nn::Residual::parallel_one_norm;
  c.gated = false;
  c.qkv_bias = c.o_bias = c.ffn_bias = c.head_bias = true;
  c.dropout = k.get_or("resid_pdrop", 0.0);
  return c;
}

inline io::Json phi_json(const models::TransformerConfig& c) {
  auto json = decoder_json(c, "layer_norm_eps");
  set_partial(json, c);
  if (c.activation == Activation::gelu_tanh) json.set("hidden_act", "gelu_new");
  return json.set("resid_pdrop", c.dropout).set("qk_layernorm", false);
}

inline models::TransformerConfig phi3_config(const Keys& k) {
  auto c = decoder_config(k, {.eps = 1e-5});
  c.dropout = k.get_or("resid_pdrop", 0.0);
  if (const auto window = k.optional<Index>("sliding_window"))
    set_layers(c, k, *window, 0, [](Index) { return sliding_if(true); });
  return c;
}

inline io::Json phi3_json(const models::TransformerConfig& c) {
  auto json = decoder_json(c);
  set_partial(json, c);
  return json.set("resid_pdrop", c.dropout).set("sliding_window", window_json(c));
}

inline models::TransformerConfig phimoe_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 8, .eps = 1e-5, .rope = {.theta = 1e6}});
  c.norm = nn::NormKind::layer;
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.head_bias = k.get_or("lm_head_bias", false);
  if (const auto window = k.optional<Index>("sliding_window"))
    set_layers(c, k, *window, 0, [](Index) { return sliding_if(true); });
  k.expect("input_jitter_noise", 0.0);
  c.moe = {.experts = k.get_or<Index>("num_local_experts", 16),
           .active = k.get_or<Index>("num_experts_per_tok", 2),
           .router = {.score = nn::RouterScore::sparse_mixer, .jitter = k.get_or("router_jitter_noise", 0.01)}};
  set_sparse(c, [](Index) { return true; });
  return c;
}
inline io::Json phimoe_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  auto json = decoder_json(c);
  if (const auto& s = c.rope_scaling; s.short_magnitude != 0 || s.long_magnitude != 0) {
    auto scaling = json.at("rope_scaling");
    json.set("rope_scaling", scaling.set("short_mscale", s.short_magnitude).set("long_mscale", s.long_magnitude));
  }
  return json.set("intermediate_size", m.expert_width)
      .set("attention_bias", c.qkv_bias)
      .set("lm_head_bias", c.head_bias)
      .set("sliding_window", window_json(c))
      .set("num_local_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("router_jitter_noise", m.router.jitter);
}

}  // namespace detail

inline Family phi_family() {
  return {"phi",
          "PhiForCausalLM",
          detail::phi_config,
          detail::phi_json,
          {.norm = "final_layernorm", .o = "self_attn.dense", .up = "mlp.fc1", .down = "mlp.fc2"}};
}
inline Family phi3_family() {
  return {"phi3",
          "Phi3ForCausalLM",
          detail::phi3_config,
          detail::phi3_json,
          {.q = "self_attn.qkv_proj", .fused = FusedQkv::blocks, .gate = "mlp.gate_up_proj", .fused_gate_up = true}};
}
inline Family phimoe_family() {
  return {
      "phimoe",
      "PhimoeForCausalLM",
      detail::phimoe_config,
      detail::phimoe_json,
      {.router = "block_sparse_moe.gate", .experts = "block_sparse_moe.experts.", .expert_parts = {"w1", "w3", "w2"}}};
}

}  // namespace atom::pretrained

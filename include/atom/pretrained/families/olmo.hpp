// SPDX-License-Identifier: Apache-2.0
// OLMo 1, 2 and 3, and OLMoE.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline models::TransformerConfig olmo_config(const Keys& k) {
  auto c = decoder_config(k);
  c.norm = nn::NormKind::layer;
  c.norm_eps = 1e-5;  // no key
  c.norm_weight = false;
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.clip_qkv = k.optional<double>("clip_qkv").value_or(0);
  return c;
}

inline io::Json olmo_json(const models::TransformerConfig& c) {
  return decoder_json(c)
      .set("attention_bias", c.qkv_bias)
      .set("clip_qkv", c.clip_qkv > 0 ? io::Json(c.clip_qkv) : io::Json());
}

inline models::TransformerConfig olmo2_block(const Keys& k, double theta) {
  auto c = decoder_config(k, {.eps = 1e-5, .rope = {.theta = theta}});
  c.pre_norm = false;
  c.post_norm = true;
  c.qk_norm = nn::QkNorm::whole;
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  return c;
}
inline models::TransformerConfig olmo2_config(const Keys& k) { return olmo2_block(k, 1e4); }

inline io::Json olmo2_json(const models::TransformerConfig& c) {
  return decoder_json(c).set("attention_bias", c.qkv_bias);
}

inline models::TransformerConfig olmo3_config(const Keys& k) {
  constexpr double theta = 5e5;
  auto c = olmo2_block(k, theta);
  set_layers(c, k, k.optional<Index>("sliding_window", 4096).value_or(0), 0,
             [](Index i) { return sliding_if((i + 1) % 4 != 0); });
  // `rope_theta` and `rope_scaling` are those of the other layers.
  c.local_rope_theta =
      k.contains("rope_parameters") ? rope_keys(k, {.theta = theta}, "sliding_attention").theta : theta;
  for (auto& layer : c.layer) layer.local_rope = layer.window > 0;
  return c;
}

inline io::Json olmo3_json(const models::TransformerConfig& c) {
  auto json = without(olmo2_json(c), "rope_scaling");
  set_layer_types(json, c);
  return json.set("rope_parameters",
                  io::Json::object({{"full_attention", rope_parameters(c, c.rope_theta)},
                                    {"sliding_attention", rope_parameters(c, c.local_rope_theta, false)}}));
}

inline models::TransformerConfig olmoe_config(const Keys& k) {
  auto c = decoder_config(k, {.eps = 1e-5});
  c.qk_norm = nn::QkNorm::whole;
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.clip_qkv = k.optional<double>("clip_qkv").value_or(0);
  c.moe = {
      .experts = k.get_or<Index>("num_experts", 64),
      .active = k.get_or<Index>("num_experts_per_tok", 8),
      .router = {.normalise = k.get_or("norm_topk_prob", false), .balance = k.get_or("router_aux_loss_coef", 0.01)}};
  set_sparse(c, [](Index) { return true; });
  return c;
}
inline io::Json olmoe_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  return olmo_json(c)
      .set("intermediate_size", m.expert_width)
      .set("num_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("norm_topk_prob", m.router.normalise)
      .set("router_aux_loss_coef", m.router.balance);
}

inline Layout olmo2_layout() {
  return {.post_norm1 = "post_attention_layernorm", .post_norm2 = "post_feedforward_layernorm"};
}

}  // namespace detail

inline Family olmo_family() { return {"olmo", "OlmoForCausalLM", detail::olmo_config, detail::olmo_json}; }
inline Family olmo2_family() {
  return {"olmo2", "Olmo2ForCausalLM", detail::olmo2_config, detail::olmo2_json, detail::olmo2_layout()};
}
inline Family olmo3_family() {
  return {"olmo3", "Olmo3ForCausalLM", detail::olmo3_config, detail::olmo3_json, detail::olmo2_layout()};
}
inline Family olmoe_family() { return {"olmoe", "OlmoeForCausalLM", detail::olmoe_config, detail::olmoe_json}; }

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// OLMo 1, 2 and 3, and OLMoE.
#pragma once

#include "../family.hpp"

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

inline models::TransformerConfig olmo2_block(const Keys& k, double theta) {
  auto c = decoder_config(k, {.eps = 1e-5, .rope = {.theta = theta}});
  c.pre_norm = false;
  c.post_norm = true;
  c.qk_norm = nn::QkNorm::whole;
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  return c;
}
inline models::TransformerConfig olmo2_config(const Keys& k) { return olmo2_block(k, 1e4); }

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

inline Layout olmo2_layout() {
  return {.post_norm1 = "post_attention_layernorm", .post_norm2 = "post_feedforward_layernorm"};
}

}  // namespace detail

inline Family olmo_family() { return {"olmo", "OlmoForCausalLM", detail::olmo_config}; }
inline Family olmo2_family() { return {"olmo2", "Olmo2ForCausalLM", detail::olmo2_config, detail::olmo2_layout()}; }
inline Family olmo3_family() { return {"olmo3", "Olmo3ForCausalLM", detail::olmo3_config, detail::olmo2_layout()}; }
inline Family olmoe_family() { return {"olmoe", "OlmoeForCausalLM", detail::olmoe_config}; }

}  // namespace atom::pretrained

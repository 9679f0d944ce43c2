// SPDX-License-Identifier: Apache-2.0
// Hunyuan, dense and with experts.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline models::TransformerConfig hunyuan_config(const Keys& k) {
  k.expect("use_cla", false);
  auto c = decoder_config(k, {.eps = 1e-5});
  if (c.head_dim == 0) {
    c.head_dim = k.optional<Index>("attention_head_dim").value_or(0);
    set_rope(c, rope_keys(k));
  }
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  if (k.get_or("use_qk_norm", true)) c.qk_norm = nn::QkNorm::per_head;
  c.qk_norm_after_rope = true;
  return c;
}

inline io::Json hunyuan_json(const models::TransformerConfig& c) {
  auto json = decoder_json(c);
  if (const auto& s = c.rope_scaling; s.kind == ops::RopeScaling::Kind::ntk_alpha)
    json.set("rope_scaling", io::Json::object({{"rope_type", "dynamic"}, {"alpha", s.alpha}, {"factor", s.factor}}));
  return json.set("attention_head_dim", c.head_dim)
      .set("attention_bias", c.qkv_bias)
      .set("use_qk_norm", c.qk_norm == nn::QkNorm::per_head)
      .set("use_cla", false);
}

inline models::TransformerConfig hunyuan_moe_config(const Keys& k) {
  auto c = hunyuan_config(k);
  k.expect("norm_topk_prob", true);
  const bool shared = k.get_or("use_mixed_mlp_moe", true);
  c.moe = {.experts = k.number<Index>("num_experts", 1),
           .active = k.number<Index>("moe_topk", 1),
           .expert_width = k.number<Index>("moe_intermediate_size", c.feed_forward),
           .shared_width = shared ? c.feed_forward * k.number<Index>("num_shared_expert", 1) : 0,
           .router = {.normalise = true}};
  set_sparse(c, [](Index) { return true; });
  return c;
}
inline io::Json hunyuan_moe_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  return hunyuan_json(c)
      .set("num_experts", m.experts)
      .set("moe_topk", m.active)
      .set("moe_intermediate_size", m.expert_width)
      .set("use_mixed_mlp_moe", m.shared_width > 0)
      .set("num_shared_expert", m.shared_width / c.feed_forward);
}

inline Layout hunyuan_layout() {
  return {.q_norm = "self_attn.query_layernorm",
          .k_norm = "self_attn.key_layernorm",
          .router = "mlp.gate.wg",
          .shared = "mlp.shared_mlp."};
}

}  // namespace detail

inline Family hunyuan_family() {
  return {"hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", detail::hunyuan_config, detail::hunyuan_json,
          detail::hunyuan_layout()};
}
inline Family hunyuan_moe_family() {
  return {"hunyuan_v1_moe", "HunYuanMoEV1ForCausalLM", detail::hunyuan_moe_config, detail::hunyuan_moe_json,
          detail::hunyuan_layout()};
}

}  // namespace atom::pretrained

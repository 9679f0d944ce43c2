// SPDX-License-Identifier: Apache-2.0
// DeepSeek V3 and what shares its form (R1, Kimi K2, Moonlight).
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained::detail {

// 1 / sqrt(head width), and yarn's magnitude twice, as the model's authors apply it.
inline double deepseek_scale(const models::TransformerConfig& c) {
  const double root = std::sqrt(static_cast<double>(c.latent.nope_dim + c.latent.rope_dim));
  const auto& s = c.rope_scaling;
  if (s.kind != ops::RopeScaling::Kind::yarn || s.mscale_all_dim == 0) return 0;
  const double magnitude = ops::yarn_magnitude(s.factor, s.mscale_all_dim);
  return magnitude * magnitude / root;
}

inline io::Json deepseek_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  const auto& a = c.latent;
  const bool sparse = m.experts > 0;
  if (sparse && m.shared_width == 0) return {};
  return without(decoder_json(c), "head_dim")
      .set("num_key_value_heads", c.heads)
      .set("rope_interleave", c.rope_pairing == RopePairing::interleaved)
      .set("attention_bias", false)
      .set("q_lora_rank", a.q_rank > 0 ? io::Json(a.q_rank) : io::Json())
      .set("kv_lora_rank", a.kv_rank)
      .set("qk_nope_head_dim", a.nope_dim)
      .set("qk_rope_head_dim", a.rope_dim)
      .set("v_head_dim", a.value_dim)
      .set("n_routed_experts", sparse ? m.experts : 1)
      .set("num_experts_per_tok", sparse ? m.active : 1)
      .set("n_shared_experts", sparse ? m.shared_width / m.expert_width : 1)
      .set("moe_intermediate_size", sparse ? m.expert_width : c.feed_forward)
      .set("first_k_dense_replace", dense_layers(c))
      .set("moe_layer_freq", 1)
      .set("n_group", m.router.groups)
      .set("topk_group", m.router.top_groups)
      .set("norm_topk_prob", m.router.normalise)
      .set("routed_scaling_factor", m.router.scale)
      .set("scoring_func", "sigmoid")
      .set("topk_method", "noaux_tc")
      .set("aux_loss_alpha", m.router.sequence_balance)
      .set("num_nextn_predict_layers", c.mtp);
}

inline models::TransformerConfig deepseek_config(const Keys& k) {
  auto c = decoder_config(k);
  k.expect("attention_bias", false);
  k.expect("moe_layer_freq", 1);
  c.kv_heads = c.heads;  // the key has no effect
  c.head_dim = 0;
  c.rotary_dim = 0;
  c.rope_pairing = k.get_or("rope_interleave", true) ? RopePairing::interleaved : RopePairing::half_split;
  c.latent = {.q_rank = k.optional<Index>("q_lora_rank", 1536).value_or(0),
              .kv_rank = k.get_or<Index>("kv_lora_rank", 512),
              .nope_dim = k.get_or<Index>("qk_nope_head_dim", 128),
              .rope_dim = k.get_or<Index>("qk_rope_head_dim", 64),
              .value_dim = k.get_or<Index>("v_head_dim", 128)};
  c.attention_scale = deepseek_scale(c);
  c.mtp = k.get_or<Index>("num_nextn_predict_layers", 0);
  const Index first_dense = k.get_or<Index>("first_k_dense_replace", 3);
  auto& m = c.moe;
  if (first_dense < c.layers || c.mtp > 0) {
    m.experts = k.get_or<Index>("n_routed_experts", 256);
    m.active = k.get_or<Index>("num_experts_per_tok", 8);
    m.expert_width = k.get_or<Index>("moe_intermediate_size", 2048);
    m.shared_width = m.expert_width * k.get_or<Index>("n_shared_experts", 1);
    m.select_bias = true;
    m.first_dense = first_dense;
    m.router = {.score = nn::RouterScore::sigmoid,
                .normalise = k.get_or("norm_topk_prob", true),
                .scale = k.get_or("routed_scaling_factor", 2.5),
                .groups = k.get_or<Index>("n_group", 8),
                .top_groups = k.get_or<Index>("topk_group", 4),
                .sequence_balance = k.get_or("aux_loss_alpha", 0.0)};
  }
  return c;
}

}  // namespace atom::pretrained::detail

namespace atom::pretrained {

inline Family deepseek_family() {
  return {"deepseek_v3", "DeepseekV3ForCausalLM", detail::deepseek_config, detail::deepseek_json};
}
inline Family kimi_k2_family() {
  return {"kimi_k2", "DeepseekV3ForCausalLM", detail::deepseek_config, detail::deepseek_json};
}

}  // namespace atom::pretrained

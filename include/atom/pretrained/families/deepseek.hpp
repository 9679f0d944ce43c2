// SPDX-License-Identifier: Apache-2.0
// DeepSeek V3 and what shares its form (R1, Kimi K2, Moonlight).
#pragma once

#include "../family.hpp"

namespace atom::pretrained::detail {

inline bool is_deepseek(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  auto usual = models::TransformerConfig{.vocab = c.vocab,
                                         .context = c.context,
                                         .layers = c.layers,
                                         .heads = c.heads,
                                         .kv_heads = c.kv_heads,
                                         .width = c.width,
                                         .head_dim = c.head_dim,
                                         .feed_forward = c.feed_forward,
                                         .norm_eps = c.norm_eps,
                                         .rope_theta = c.rope_theta,
                                         .rope_pairing = RopePairing::interleaved,
                                         .rotary_dim = c.latent.rope_dim,
                                         .rope_scaling = c.rope_scaling,
                                         .attention_scale = c.attention_scale,
                                         .latent = c.latent,
                                         .tie_embeddings = c.tie_embeddings,
                                         .dropout = c.dropout,
                                         .moe = m,
                                         .mtp = c.mtp,
                                         .mtp_weight = c.mtp_weight};
  const bool usual_experts =
      m.experts == 0 || (m.router.score == nn::RouterScore::sigmoid && m.select_bias && !m.router_bias &&
                         !m.expert_bias && !m.scale_input && !m.clamped && !m.shared_gate && m.every == 1 &&
                         m.shared_width > 0 && m.shared_width % m.expert_width == 0);
  using Kind = ops::RopeScaling::Kind;
  const bool usual_scaling = c.rope_scaling.kind == Kind::none || c.rope_scaling.kind == Kind::yarn;
  return c.latent.kv_rank > 0 && usual_experts && usual_scaling && c == models::resolved(usual);
}

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
  auto json = io::Json::object({{"architectures", std::vector<std::string>{"DeepseekV3ForCausalLM"}},
                                {"model_type", "deepseek_v3"},
                                {"vocab_size", c.vocab},
                                {"max_position_embeddings", c.context},
                                {"hidden_size", c.width},
                                {"intermediate_size", c.feed_forward},
                                {"num_hidden_layers", c.layers},
                                {"num_attention_heads", c.heads},
                                {"num_key_value_heads", c.heads},
                                {"hidden_act", "silu"},
                                {"rms_norm_eps", c.norm_eps},
                                {"rope_theta", c.rope_theta},
                                {"rope_interleave", true},
                                {"attention_bias", false},
                                {"attention_dropout", 0.0},
                                {"q_lora_rank", c.latent.q_rank > 0 ? io::Json(c.latent.q_rank) : io::Json()},
                                {"kv_lora_rank", c.latent.kv_rank},
                                {"qk_nope_head_dim", c.latent.nope_dim},
                                {"qk_rope_head_dim", c.latent.rope_dim},
                                {"v_head_dim", c.latent.value_dim},
                                {"n_routed_experts", std::max<Index>(m.experts, 1)},
                                {"num_experts_per_tok", m.experts > 0 ? m.active : 1},
                                {"n_shared_experts", m.experts > 0 ? m.shared_width / m.expert_width : 1},
                                {"moe_intermediate_size", m.experts > 0 ? m.expert_width : c.feed_forward},
                                {"first_k_dense_replace", m.experts > 0 ? m.first_dense : c.layers},
                                {"moe_layer_freq", 1},
                                {"n_group", m.router.groups},
                                {"topk_group", m.router.top_groups},
                                {"norm_topk_prob", m.router.normalise},
                                {"routed_scaling_factor", m.router.scale},
                                {"scoring_func", "sigmoid"},
                                {"topk_method", "noaux_tc"},
                                {"aux_loss_alpha", m.router.sequence_balance},
                                {"num_nextn_predict_layers", c.mtp},
                                {"tie_word_embeddings", c.tie_embeddings},
                                {"dropout", c.dropout}});
  if (const auto& s = c.rope_scaling; s.kind == ops::RopeScaling::Kind::yarn)
    json.set("rope_scaling", io::Json::object({{"type", "yarn"},
                                               {"factor", s.factor},
                                               {"original_max_position_embeddings", s.original_context},
                                               {"beta_fast", s.beta_fast},
                                               {"beta_slow", s.beta_slow},
                                               {"mscale", s.mscale},
                                               {"mscale_all_dim", s.mscale_all_dim}}));
  // What training needs and the published form does not say.
  json.set("atom", io::Json::object({{"mtp_weight", c.mtp_weight},
                                     {"balance", m.router.balance},
                                     {"z", m.router.z},
                                     {"jitter", m.router.jitter}}));
  return json;
}

inline models::TransformerConfig deepseek_config(const Keys& k) {
  auto c = decoder_config(k);
  k.expect("attention_bias", false);
  k.expect("moe_layer_freq", 1);
  c.kv_heads = c.heads;  // the key has no effect
  c.head_dim = 0;
  c.rotary_dim = 0;
  c.rope_pairing = k.get_or("rope_interleave", true) ? RopePairing::interleaved : RopePairing::half_split;
  c.dropout = k.get_or("dropout", 0.0);
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
  if (const io::Json* own = k.find("atom")) {
    c.mtp_weight = own->get_or("mtp_weight", c.mtp_weight);
    m.router.balance = own->get_or("balance", 0.0);
    m.router.z = own->get_or("z", 0.0);
    m.router.jitter = own->get_or("jitter", 0.0);
  }
  return c;
}

}  // namespace atom::pretrained::detail

namespace atom::pretrained {

inline Family deepseek_family() { return {"deepseek_v3", "DeepseekV3ForCausalLM", detail::deepseek_config}; }
inline Family kimi_k2_family() { return {"kimi_k2", "DeepseekV3ForCausalLM", detail::deepseek_config}; }

}  // namespace atom::pretrained

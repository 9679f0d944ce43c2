// SPDX-License-Identifier: Apache-2.0
// DeepSeek V3 and what shares its form (R1, Kimi K2, Moonlight): config.json and tensor names.
#pragma once

#include "atom_config.hpp"
#include "published_tensor.hpp"

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

inline models::TransformerConfig deepseek_config(const io::Json& j) {
  models::TransformerConfig c;
  c.vocab = j.get<Index>("vocab_size");
  c.context = j.get_or<Index>("max_position_embeddings", 4096);
  c.width = j.get<Index>("hidden_size");
  c.feed_forward = j.get<Index>("intermediate_size");
  c.layers = j.get<Index>("num_hidden_layers");
  c.heads = j.get<Index>("num_attention_heads");
  c.norm_eps = j.get_or("rms_norm_eps", 1e-6);
  c.rope_theta = j.get_or("rope_theta", 10000.0);
  c.rope_pairing = j.get_or("rope_interleave", true) ? RopePairing::interleaved : RopePairing::half_split;
  c.dropout = j.get_or("dropout", 0.0);
  c.tie_embeddings = j.get_or("tie_word_embeddings", false);
  c.latent = {.q_rank = j.contains("q_lora_rank") ? j.get_optional<Index>("q_lora_rank").value_or(0) : 1536,
              .kv_rank = j.get_or<Index>("kv_lora_rank", 512),
              .nope_dim = j.get_or<Index>("qk_nope_head_dim", 128),
              .rope_dim = j.get_or<Index>("qk_rope_head_dim", 64),
              .value_dim = j.get_or<Index>("v_head_dim", 128)};
  if (const io::Json* scaling = j.find("rope_scaling"); scaling && !scaling->is_null()) {
    const auto kind =
        scaling->contains("type") ? scaling->get<std::string>("type") : scaling->get<std::string>("rope_type");
    check(kind == "yarn", "config.json", "rope_scaling of deepseek_v3 is yarn: found ", io::in_quotes(kind));
    c.rope_scaling = {.kind = ops::RopeScaling::Kind::yarn,
                      .factor = scaling->get<double>("factor"),
                      .original_context = scaling->get_or<Index>("original_max_position_embeddings", c.context),
                      .beta_fast = scaling->get_or("beta_fast", 32.0),
                      .beta_slow = scaling->get_or("beta_slow", 1.0),
                      .mscale = scaling->get_or("mscale", 0.0),
                      .mscale_all_dim = scaling->get_or("mscale_all_dim", 0.0)};
    c.attention_scale = deepseek_scale(c);
  }
  c.mtp = j.get_or<Index>("num_nextn_predict_layers", 0);
  const Index first_dense = j.get_or<Index>("first_k_dense_replace", 3);
  auto& m = c.moe;
  if (first_dense < c.layers || c.mtp > 0) {
    m.experts = j.get_or<Index>("n_routed_experts", 256);
    m.active = j.get_or<Index>("num_experts_per_tok", 8);
    m.expert_width = j.get_or<Index>("moe_intermediate_size", 2048);
    m.shared_width = m.expert_width * j.get_or<Index>("n_shared_experts", 1);
    m.select_bias = true;
    m.first_dense = first_dense;
    m.router = {.score = nn::RouterScore::sigmoid,
                .normalise = j.get_or("norm_topk_prob", true),
                .scale = j.get_or("routed_scaling_factor", 2.5),
                .groups = j.get_or<Index>("n_group", 8),
                .top_groups = j.get_or<Index>("topk_group", 4),
                .sequence_balance = j.get_or("aux_loss_alpha", 0.0)};
  }
  if (const io::Json* own = j.find("atom")) {
    c.mtp_weight = own->get_or("mtp_weight", c.mtp_weight);
    m.router.balance = own->get_or("balance", 0.0);
    m.router.z = own->get_or("z", 0.0);
    m.router.jitter = own->get_or("jitter", 0.0);
  }
  return c;
}

inline void deepseek_layer(std::vector<PublishedTensor>& list, const models::TransformerConfig& c,
                           const std::string& name, const std::string& part, bool sparse) {
  const auto copy = [&](const std::string& published, const std::string& ours) {
    list.push_back({name + published + ".weight", {part + ours + ".weight"}});
  };
  const auto feed_forward = [&](const std::string& published, const std::string& ours) {
    for (const char* which : {"gate", "up", "down"}) copy(published + which + "_proj", ours + which);
  };
  copy(".input_layernorm", ".norm1");
  if (c.latent.q_rank > 0) {
    copy(".self_attn.q_a_proj", ".latent.q_a");
    copy(".self_attn.q_a_layernorm", ".latent.q_a_norm");
    copy(".self_attn.q_b_proj", ".latent.q_b");
  } else {
    copy(".self_attn.q_proj", ".latent.q");
  }
  copy(".self_attn.kv_a_proj_with_mqa", ".latent.kv_a");
  copy(".self_attn.kv_a_layernorm", ".latent.kv_a_norm");
  copy(".self_attn.kv_b_proj", ".latent.kv_b");
  copy(".self_attn.o_proj", ".latent.o");
  copy(".post_attention_layernorm", ".norm2");
  if (!sparse) return feed_forward(".mlp.", ".feed_forward.");
  copy(".mlp.gate", ".experts.router");
  list.push_back({name + ".mlp.gate.e_score_correction_bias", {part + ".experts.select_bias"}});
  for (Index e = 0; e < c.moe.experts; ++e)
    for (const std::string which : {"gate", "up", "down"})
      list.push_back({.name = to_text(name, ".mlp.experts.", e, ".", which, "_proj.weight"),
                      .parts = {part + ".experts." + which},
                      .index = e});
  feed_forward(".mlp.shared_experts.", ".experts.shared.");
}

inline std::vector<PublishedTensor> deepseek(const models::TransformerConfig& c) {
  std::vector<PublishedTensor> list{{"model.embed_tokens.weight", {"embedding.weight"}}};
  const auto sparse = [&](Index i) { return !c.layer.empty() && c.layer[static_cast<std::size_t>(i)].sparse; };
  for (Index i = 0; i < c.layers; ++i)
    deepseek_layer(list, c, to_text("model.layers.", i), to_text("blocks.", i), sparse(i));
  list.push_back({"model.norm.weight", {"norm.weight"}});
  const std::string head = c.tie_embeddings ? "embedding.weight" : "head.weight";
  if (!c.tie_embeddings) list.push_back({"lm_head.weight", {head}});
  if (c.mtp > 0) {
    const std::string name = to_text("model.layers.", c.layers);
    list.push_back({name + ".enorm.weight", {"mtp.token_norm.weight"}});
    list.push_back({name + ".hnorm.weight", {"mtp.state_norm.weight"}});
    list.push_back({name + ".eh_proj.weight", {"mtp.join.weight"}});
    list.push_back({name + ".shared_head.norm.weight", {"mtp.norm.weight"}});
    // Published twice.
    list.push_back({name + ".embed_tokens.weight", {"embedding.weight"}});
    list.push_back({name + ".shared_head.head.weight", {head}});
    deepseek_layer(list, c, name, "mtp.block", sparse(c.layers - 1));
  }
  return list;
}

}  // namespace atom::pretrained::detail

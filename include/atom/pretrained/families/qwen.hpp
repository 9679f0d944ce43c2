// SPDX-License-Identifier: Apache-2.0
// Qwen 1.5, 2, 2.5 and 3, and their mixtures of experts.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

// `sliding_window` means something only with `use_sliding_window`, and not to the same layers in each class.
template <class Slides> void set_qwen_windows(models::TransformerConfig& c, const Keys& k, Slides slides) {
  const bool on = k.get_or("use_sliding_window", false);
  const Index window = k.optional<Index>("sliding_window", 4096).value_or(0);
  const Index most = k.get_or<Index>("max_window_layers", 28);
  set_layers(c, k, on ? window : 0, 0, [&](Index i) { return sliding_if(on && slides(i, most)); });
}

inline io::Json qwen_json(const models::TransformerConfig& c) {
  const auto sliding = layers_that(c, [](const auto& layer) { return layer.window > 0; });
  auto json = decoder_json(c);
  if (!sliding.empty()) set_layer_types(json, c);
  return json.set("use_sliding_window", !sliding.empty())
      .set("max_window_layers", sliding.empty() ? c.layers : sliding[0]);
}

// Layers of experts: every so many, but for a list of exceptions.
inline void set_qwen_experts(models::TransformerConfig& c, const Keys& k, const models::MoeConfig& moe) {
  c.moe = moe;
  const Index step = k.get_or<Index>("decoder_sparse_step", 1);
  check(step > 0, "config.json", "\"decoder_sparse_step\": found ", step, ", expected at least 1");
  const auto dense =
      k.contains("mlp_only_layers") ? k.get<std::vector<Index>>("mlp_only_layers") : std::vector<Index>();
  set_sparse(c, [&](Index i) { return (i + 1) % step == 0 && std::ranges::find(dense, i) == dense.end(); });
}

inline io::Json& set_qwen_experts(io::Json& json, const models::TransformerConfig& c) {
  const auto& m = c.moe;
  return json.set("num_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("moe_intermediate_size", m.expert_width)
      .set("norm_topk_prob", m.router.normalise)
      .set("router_aux_loss_coef", m.router.balance)
      .set("decoder_sparse_step", 1)
      .set("mlp_only_layers", layers_that(c, [](const auto& layer) { return !layer.sparse; }));
}

inline models::TransformerConfig qwen2_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 32});
  c.qkv_bias = true;
  set_qwen_windows(c, k, [](Index i, Index most) { return i >= most; });
  return c;
}

inline models::TransformerConfig qwen2_moe_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 16});
  c.qkv_bias = k.get_or("qkv_bias", true);
  set_qwen_windows(c, k, [](Index i, Index most) { return i % 2 == 0 && i < most; });
  set_qwen_experts(
      c, k,
      {.experts = k.first_of<Index>({"num_experts", "num_local_experts"}, 60),
       .active = k.get_or<Index>("num_experts_per_tok", 4),
       .expert_width = k.get_or<Index>("moe_intermediate_size", 1408),
       .shared_width = k.get_or<Index>("shared_expert_intermediate_size", 5632),
       .shared_gate = true,
       .router = {.normalise = k.get_or("norm_topk_prob", false), .balance = k.get_or("router_aux_loss_coef", 0.001)}});
  return c;
}

inline io::Json qwen2_moe_json(const models::TransformerConfig& c) {
  if (c.moe.experts == 0) return {};
  auto json = qwen_json(c);
  return set_qwen_experts(json, c)
      .set("qkv_bias", c.qkv_bias)
      .set("shared_expert_intermediate_size", c.moe.shared_width);
}

inline models::TransformerConfig qwen3_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 32, .head_dim = 128});
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.qk_norm = nn::QkNorm::per_head;
  set_qwen_windows(c, k, [](Index i, Index most) { return i >= most; });
  return c;
}

inline io::Json qwen3_json(const models::TransformerConfig& c) {
  return qwen_json(c).set("attention_bias", c.qkv_bias);
}

inline models::TransformerConfig qwen3_moe_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 4});
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.qk_norm = nn::QkNorm::per_head;
  set_qwen_windows(c, k, [](Index, Index) { return true; });
  set_qwen_experts(
      c, k,
      {.experts = k.first_of<Index>({"num_experts", "num_local_experts"}, 128),
       .active = k.get_or<Index>("num_experts_per_tok", 8),
       .expert_width = k.get_or<Index>("moe_intermediate_size", 768),
       .router = {.normalise = k.get_or("norm_topk_prob", false), .balance = k.get_or("router_aux_loss_coef", 0.001)}});
  return c;
}

inline io::Json qwen3_moe_json(const models::TransformerConfig& c) {
  if (c.moe.experts == 0) return {};
  auto json = qwen3_json(c);
  return set_qwen_experts(json, c);
}

}  // namespace detail

inline Family qwen2_family() { return {"qwen2", "Qwen2ForCausalLM", detail::qwen2_config, detail::qwen_json}; }
inline Family qwen2_moe_family() {
  return {"qwen2_moe",
          "Qwen2MoeForCausalLM",
          detail::qwen2_moe_config,
          detail::qwen2_moe_json,
          {.shared = "mlp.shared_expert.", .shared_gate = "mlp.shared_expert_gate"}};
}
inline Family qwen3_family() { return {"qwen3", "Qwen3ForCausalLM", detail::qwen3_config, detail::qwen3_json}; }
inline Family qwen3_moe_family() {
  return {"qwen3_moe", "Qwen3MoeForCausalLM", detail::qwen3_moe_config, detail::qwen3_moe_json};
}

}  // namespace atom::pretrained

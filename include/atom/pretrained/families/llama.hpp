// SPDX-License-Identifier: Apache-2.0
// Llama 1 to 3, and what differs from it by few keys: Mistral, Ministral, Mixtral, Granite, SmolLM3.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline void set_llama_biases(models::TransformerConfig& c, const Keys& k) {
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.ffn_bias = k.get_or("mlp_bias", false);
}

inline models::TransformerConfig llama_config(const Keys& k) {
  auto c = decoder_config(k);
  set_llama_biases(c, k);
  return c;
}
inline bool is_of_phi(const models::TransformerConfig& c) {
  return c.rope_scaling.kind == ops::RopeScaling::Kind::longrope;
}
inline io::Json llama_json(const models::TransformerConfig& c) {
  if (is_of_phi(c)) return {};
  return decoder_json(c).set("attention_bias", c.qkv_bias).set("mlp_bias", c.ffn_bias);
}

inline models::TransformerConfig mistral_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 8});
  if (const auto window = k.optional<Index>("sliding_window", 4096))
    set_layers(c, k, *window, 0, [](Index) { return sliding_if(true); });
  return c;
}

inline io::Json mistral_json(const models::TransformerConfig& c) {
  if (is_of_phi(c)) return {};
  return decoder_json(c).set("sliding_window", window_json(c));
}
inline io::Json ministral_json(const models::TransformerConfig& c) {
  auto json = mistral_json(c);
  set_layer_types(json, c);
  return json;
}

inline models::TransformerConfig ministral3_config(const Keys& k) {
  const ops::RopeScaling yarn{
      .kind = ops::RopeScaling::Kind::yarn, .factor = 16, .original_context = 16384, .mscale = 1, .mscale_all_dim = 1};
  auto c = decoder_config(k, {.kv_heads = 8, .head_dim = 128, .eps = 1e-5, .rope = {1e6, 1, yarn}});
  if (!k.contains("rope_parameters")) c.rope_theta = 1e6;  // a rope_theta of its own is not read
  if (const auto window = k.optional<Index>("sliding_window"))
    set_layers(c, k, *window, 0, [](Index) { return sliding_if(true); });
  const io::Json* const parameters = k.find("rope_parameters");
  c.temperature_beta = parameters && parameters->is_object() ? parameters->get_or("llama_4_scaling_beta", 0.1) : 0.1;
  c.temperature_floor = static_cast<double>(c.rope_scaling.original_context);
  c.temperature_offset = 0;
  for (auto& layer : models::detail::each_layer(c)) layer.temperature = true;
  return c;
}

inline io::Json ministral3_json(const models::TransformerConfig& c) {
  auto json = mistral_json(c);
  return json.set("rope_parameters", rope_parameters(c, c.rope_theta).set("llama_4_scaling_beta", c.temperature_beta));
}

inline models::TransformerConfig mixtral_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 8, .rope = {.theta = 1e6}});
  if (const auto window = k.optional<Index>("sliding_window"))
    set_layers(c, k, *window, 0, [](Index) { return sliding_if(true); });
  c.moe = {.experts = k.get_or<Index>("num_local_experts", 8),
           .active = k.get_or<Index>("num_experts_per_tok", 2),
           .router = {.normalise = true,
                      .jitter = k.get_or("router_jitter_noise", 0.0),
                      .balance = k.get_or("router_aux_loss_coef", 0.001)}};
  set_sparse(c, [](Index) { return true; });
  return c;
}

inline io::Json mixtral_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  return mistral_json(c)
      .set("intermediate_size", m.expert_width)
      .set("num_local_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("router_jitter_noise", m.router.jitter)
      .set("router_aux_loss_coef", m.router.balance);
}

inline models::TransformerConfig granite_config(const Keys& k) {
  auto c = decoder_config(k);
  set_llama_biases(c, k);
  c.embedding_scale = k.get_or("embedding_multiplier", 1.0);
  c.attention_scale = k.get_or("attention_multiplier", 1.0);
  c.branch_scale = k.get_or("residual_multiplier", 1.0);
  c.logit_scale = 1 / k.get_or("logits_scaling", 1.0);
  return c;
}

inline io::Json granite_json(const models::TransformerConfig& c) {
  return llama_json(c)
      .set("embedding_multiplier", c.embedding_scale)
      .set("attention_multiplier", head_scale(c))
      .set("residual_multiplier", c.branch_scale)
      .set("logits_scaling", whole_number(1 / c.logit_scale));
}

inline models::TransformerConfig smollm3_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 4, .tied = true, .rope = {.theta = 2e6}});
  set_llama_biases(c, k);
  std::vector<int> rotates;  // despite its name: 1 where a layer does rotate
  if (const auto* list = k.find("no_rope_layers"); list && !list->is_null())
    rotates = k.get<std::vector<int>>("no_rope_layers");
  const Index interval = k.get_or<Index>("no_rope_layer_interval", 4);
  check(interval > 0 && (rotates.empty() || std::ssize(rotates) == c.layers), "config.json",
        "\"no_rope_layers\": found ", rotates.size(), ", expected one for each of ", c.layers, " layers");
  const auto turns = [&](Index i) {
    return rotates.empty() ? (i + 1) % interval != 0 : rotates[static_cast<std::size_t>(i)] != 0;
  };
  const auto window = k.optional<Index>("sliding_window");
  const bool slides = k.get_or("use_sliding_window", false) && window;
  set_layers(c, k, slides ? *window : 0, 0, [&](Index i) { return sliding_if(slides && !turns(i)); });
  for (Index i = 0; i < c.layers; ++i) c.layer[static_cast<std::size_t>(i)].rotates = turns(i);
  return c;
}
inline io::Json smollm3_json(const models::TransformerConfig& c) {
  auto json = llama_json(c);
  set_layer_types(json, c);
  return json.set("use_sliding_window", !window_json(c).is_null()).set("no_rope_layers", rotating_layers(c));
}

}  // namespace detail

inline Family llama_family() { return {"llama", "LlamaForCausalLM", detail::llama_config, detail::llama_json}; }
inline Family mistral_family() {
  return {"mistral", "MistralForCausalLM", detail::mistral_config, detail::mistral_json};
}
inline Family ministral_family() {
  return {"ministral", "MinistralForCausalLM", detail::mistral_config, detail::ministral_json};
}
inline Family ministral3_family() {
  return {"ministral3", "Ministral3ForCausalLM", detail::ministral3_config, detail::ministral3_json};
}
inline Family mixtral_family() {
  return {
      "mixtral",
      "MixtralForCausalLM",
      detail::mixtral_config,
      detail::mixtral_json,
      {.router = "block_sparse_moe.gate", .experts = "block_sparse_moe.experts.", .expert_parts = {"w1", "w3", "w2"}}};
}
inline Family granite_family() {
  return {"granite", "GraniteForCausalLM", detail::granite_config, detail::granite_json};
}
inline Family smollm3_family() {
  return {"smollm3", "SmolLM3ForCausalLM", detail::smollm3_config, detail::smollm3_json};
}

}  // namespace atom::pretrained

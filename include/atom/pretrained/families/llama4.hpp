// SPDX-License-Identifier: Apache-2.0
// Llama 4, the language model: chunked layers that turn, whole ones that do not, experts that read a scaled input.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline models::TransformerConfig llama4_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 8, .head_dim = 128, .eps = 1e-5, .rope = {.theta = 500000}});
  c.rope_pairing = RopePairing::interleaved;
  const Index width = c.feed_forward, step = k.get_or<Index>("interleave_moe_layer_step", 1);
  check(step > 0, "config.json", "\"interleave_moe_layer_step\": found ", step, ", expected at least 1");
  c.feed_forward = k.get_or<Index>("intermediate_size_mlp", 16384);
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  if (k.get_or("use_qk_norm", true)) c.qk_norm = nn::QkNorm::per_head;
  c.qk_norm_weight = false;
  c.qk_norm_after_rope = true;
  c.temperature_beta = k.get_or("attn_scale", 0.1);
  c.temperature_floor = k.get_or("floor_scale", 8192.0);
  const io::Json* const tuning = k.find("attn_temperature_tuning");  // a number in early files
  const bool tempered = tuning == nullptr || (tuning->is_bool() ? tuning->as<bool>() : tuning->as<int>() != 0);
  c.moe = {.experts = k.get_or<Index>("num_local_experts", 16),
           .active = k.get_or<Index>("num_experts_per_tok", 1),
           .expert_width = width,
           .shared_width = width,
           .scale_input = true,
           .router = {.score = nn::RouterScore::sigmoid, .balance = k.get_or("router_aux_loss_coef", 0.001)}};
  std::vector<int> rotates;  // despite its name: 1 where a layer does rotate
  if (const auto* list = k.find("no_rope_layers"); list && list->is_array() && !list->elements().empty())
    rotates = k.get<std::vector<int>>("no_rope_layers");
  const Index interval = k.get_or<Index>("no_rope_layer_interval", 4);
  check(interval > 0 && (rotates.empty() || std::ssize(rotates) == c.layers), "config.json",
        "\"no_rope_layers\": found ", rotates.size(), ", expected one for each of ", c.layers, " layers");
  std::vector<Index> sparse;
  if (const auto* list = k.find("moe_layers"); list && !list->is_null())
    sparse = k.get<std::vector<Index>>("moe_layers");
  const bool by_step = sparse.empty();
  const auto turns = [&](Index i) {
    return rotates.empty() ? (i + 1) % interval != 0 : rotates[static_cast<std::size_t>(i)] != 0;
  };
  set_layers(c, k, 0, k.optional<Index>("attention_chunk_size", 8192).value_or(0),
             [&](Index i) { return turns(i) ? "chunked_attention" : "full_attention"; });
  for (Index i = 0; i < c.layers; ++i) {
    auto& layer = c.layer[static_cast<std::size_t>(i)];
    layer.rotates = layer.qk_norm = turns(i);
    layer.temperature = !turns(i) && tempered;
    layer.sparse = by_step ? (i + 1) % step == 0 : std::ranges::find(sparse, i) != sparse.end();
  }
  return c;
}

inline io::Json llama4_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  auto json = decoder_json(c);
  set_layer_types(json, c);
  const auto chunks = layers_that(c, [](const auto& layer) { return layer.chunk > 0; });
  const auto tempered = layers_that(c, [](const auto& layer) { return layer.temperature; });
  if (!chunks.empty()) json.set("attention_chunk_size", c.layer[static_cast<std::size_t>(chunks[0])].chunk);
  return json.set("intermediate_size", m.expert_width)
      .set("intermediate_size_mlp", c.feed_forward)
      .set("attention_bias", c.qkv_bias)
      .set("use_qk_norm", c.qk_norm == nn::QkNorm::per_head)
      .set("attn_temperature_tuning", !tempered.empty())
      .set("attn_scale", c.temperature_beta)
      .set("floor_scale", whole_number(c.temperature_floor))
      .set("num_local_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("router_aux_loss_coef", m.router.balance)
      .set("moe_layers", layers_that(c, [](const auto& layer) { return layer.sparse; }))
      .set("no_rope_layers", rotating_layers(c));
}

inline Layout llama4_layout() {
  return {.gate = "feed_forward.gate_proj",
          .up = "feed_forward.up_proj",
          .down = "feed_forward.down_proj",
          .router = "feed_forward.router",
          .experts = "feed_forward.experts.",
          .expert_parts = {"gate_up_proj", "", "down_proj"},
          .stacked = StackedExperts::halves,
          .shared = "feed_forward.shared_expert."};
}

}  // namespace detail

inline Family llama4_family() {
  return {"llama4_text", "Llama4ForCausalLM", detail::llama4_config, detail::llama4_json, detail::llama4_layout()};
}

}  // namespace atom::pretrained

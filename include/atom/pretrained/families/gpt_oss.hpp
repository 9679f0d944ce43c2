// SPDX-License-Identifier: Apache-2.0
// gpt-oss: attention sinks, biases, clamped experts.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline models::TransformerConfig gpt_oss_config(const Keys& k) {
  const ops::RopeScaling yarn{
      .kind = ops::RopeScaling::Kind::yarn, .factor = 32, .original_context = 4096, .truncate = false};
  auto c = decoder_config(k, {.kv_heads = 8, .head_dim = 64, .eps = 1e-5, .rope = {150000, 1, yarn}});
  c.activation = Activation::silu;  // the clamped one, whatever is said
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", true);
  c.sinks = true;
  set_layers(c, k, k.optional<Index>("sliding_window", 128).value_or(0), 0,
             [](Index i) { return sliding_if(i % 2 == 0); });
  c.moe = {.experts = k.get_or<Index>("num_local_experts", 128),
           .active = k.first_of<Index>({"num_experts_per_tok", "experts_per_token"}, 4),
           .router_bias = true,
           .expert_bias = true,
           .clamped = true,
           .clamp_alpha = k.get_or("swiglu_alpha", 1.702),
           .clamp_limit = k.get_or("swiglu_limit", 7.0),
           .router = {.normalise = true}};
  set_sparse(c, [](Index) { return true; });
  return c;
}
inline io::Json gpt_oss_json(const models::TransformerConfig& c) {
  const auto& m = c.moe;
  auto json = decoder_json(c);
  if (!json.contains("rope_scaling")) json.set("rope_scaling", io::Json::object({{"rope_type", "default"}}));
  set_layer_types(json, c);
  return json.set("intermediate_size", m.expert_width)
      .set("attention_bias", c.qkv_bias)
      .set("num_local_experts", m.experts)
      .set("num_experts_per_tok", m.active)
      .set("swiglu_alpha", m.clamp_alpha)
      .set("swiglu_limit", m.clamp_limit);
}

}  // namespace detail

inline Family gpt_oss_family() {
  return {"gpt_oss",
          "GptOssForCausalLM",
          detail::gpt_oss_config,
          detail::gpt_oss_json,
          {.router = "mlp.router",
           .expert_parts = {"gate_up_proj", "", "down_proj"},
           .stacked = StackedExperts::interleaved}};
}

}  // namespace atom::pretrained

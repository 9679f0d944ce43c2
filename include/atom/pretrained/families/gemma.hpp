// SPDX-License-Identifier: Apache-2.0
// Gemma 1, 2 and 3, the language models.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

// The activation is the tanh form whatever `hidden_act` says.
inline void set_gemma_block(models::TransformerConfig& c, const Keys& k) {
  k.expect("use_bidirectional_attention", false);
  c.activation = activation_from(k.optional<std::string>("hidden_activation").value_or("gelu_pytorch_tanh"));
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", false);
  c.norm_offset = 1;
  c.embedding_scale = static_cast<double>(std::sqrt(static_cast<float>(c.width)));
}
inline void set_gemma_scores(models::TransformerConfig& c, const Keys& k, std::optional<double> cap,
                             std::optional<double> logit_cap) {
  c.post_norm = true;
  c.attention_scale = 1 / std::sqrt(k.get_or("query_pre_attn_scalar", 256.0));
  c.attention_cap = k.optional<double>("attn_logit_softcapping", cap).value_or(0);
  c.logit_cap = k.optional<double>("final_logit_softcapping", logit_cap).value_or(0);
}

inline models::TransformerConfig gemma_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 16, .head_dim = 256, .tied = true, .activation = "gelu_pytorch_tanh"});
  set_gemma_block(c, k);
  return c;
}

inline io::Json gemma_json(const models::TransformerConfig& c) {
  return decoder_json(c).set("hidden_activation", activation_name(c.activation)).set("attention_bias", c.qkv_bias);
}

inline models::TransformerConfig gemma2_config(const Keys& k) {
  auto c = decoder_config(k, {.kv_heads = 4, .head_dim = 256, .tied = true, .activation = "gelu_pytorch_tanh"});
  set_gemma_block(c, k);
  set_gemma_scores(c, k, 50, 30);
  set_layers(c, k, k.optional<Index>("sliding_window", 4096).value_or(0), 0,
             [](Index i) { return sliding_if(i % 2 == 0); });
  return c;
}

inline io::Json gemma2_json(const models::TransformerConfig& c) {
  const auto cap = [](double value) { return value > 0 ? io::Json(value) : io::Json(); };
  const double scale = head_scale(c);
  auto json = gemma_json(c);
  set_layer_types(json, c);
  return json.set("query_pre_attn_scalar", whole_number(1 / (scale * scale)))
      .set("attn_logit_softcapping", cap(c.attention_cap))
      .set("final_logit_softcapping", cap(c.logit_cap));
}

// The text configurations of the larger models say little: every size has a value of its own.
inline models::TransformerConfig gemma3_config(const Keys& k) {
  models::TransformerConfig c;
  c.vocab = k.get_or<Index>("vocab_size", 262208);
  c.context = k.get_or<Index>("max_position_embeddings", 131072);
  c.layers = k.get_or<Index>("num_hidden_layers", 26);
  c.heads = k.get_or<Index>("num_attention_heads", 8);
  c.kv_heads = k.get_or<Index>("num_key_value_heads", 4);
  c.width = k.get_or<Index>("hidden_size", 2304);
  c.head_dim = k.get_or<Index>("head_dim", 256);
  c.feed_forward = k.get_or<Index>("intermediate_size", 9216);
  c.norm_eps = k.get_or("rms_norm_eps", 1e-6);
  c.tie_embeddings = k.get_or("tie_word_embeddings", true);
  set_rope(c, rope_keys(k, {.theta = 1e6}));
  c.local_rope_theta = rope_keys(k, {.theta = 1e4}, "sliding_attention").theta;
  if (!k.contains("rope_parameters")) c.local_rope_theta = k.get_or("rope_local_base_freq", 1e4);
  set_gemma_block(c, k);
  set_gemma_scores(c, k, {}, {});
  c.qk_norm = nn::QkNorm::per_head;
  const Index pattern = k.get_or<Index>("sliding_window_pattern", k.get_or<Index>("_sliding_window_pattern", 6));
  check(pattern > 0, "config.json", "\"sliding_window_pattern\": found ", pattern, ", expected at least 1");
  set_layers(c, k, k.optional<Index>("sliding_window", 4096).value_or(0), 0,
             [&](Index i) { return sliding_if((i + 1) % pattern != 0); });
  for (auto& layer : c.layer) layer.local_rope = layer.window > 0;
  return c;
}
inline io::Json gemma3_json(const models::TransformerConfig& c) {
  return gemma2_json(c).set("rope_local_base_freq", c.local_rope_theta);
}

inline Layout gemma2_layout() {
  return {.post_norm1 = "post_attention_layernorm",
          .norm2 = "pre_feedforward_layernorm",
          .post_norm2 = "post_feedforward_layernorm"};
}

}  // namespace detail

inline Family gemma_family() { return {"gemma", "GemmaForCausalLM", detail::gemma_config, detail::gemma_json}; }
inline Family gemma2_family() {
  return {"gemma2", "Gemma2ForCausalLM", detail::gemma2_config, detail::gemma2_json, detail::gemma2_layout()};
}
inline Family gemma3_family() {
  return {"gemma3_text", "Gemma3ForCausalLM", detail::gemma3_config, detail::gemma3_json, detail::gemma2_layout()};
}

}  // namespace atom::pretrained

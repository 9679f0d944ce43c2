// SPDX-License-Identifier: Apache-2.0
// GPT-2, BLOOM and GPT-NeoX (Pythia): layer norms, biases everywhere, a feed-forward layer without a gate.
#pragma once

#include "../decoder_json.hpp"

namespace atom::pretrained {

namespace detail {

inline void set_gpt_block(models::TransformerConfig& c) {
  c.norm = nn::NormKind::layer;
  c.gated = false;
  c.qkv_bias = c.o_bias = c.ffn_bias = true;
}

inline models::TransformerConfig gpt2_config(const Keys& k) {
  k.expect("scale_attn_weights", true);
  k.expect("scale_attn_by_inverse_layer_idx", false);
  k.expect("add_cross_attention", false);
  models::TransformerConfig c;
  set_gpt_block(c);
  c.vocab = k.get<Index>("vocab_size");
  c.context = k.get_or<Index>("n_positions", 1024);
  c.layers = k.get<Index>("n_layer");
  c.heads = k.get<Index>("n_head");
  c.width = k.get<Index>("n_embd");
  c.feed_forward = k.optional<Index>("n_inner").value_or(0);
  c.activation = activation_from(k.get_or<std::string>("activation_function", "gelu_new"));
  c.norm_eps = k.get_or("layer_norm_epsilon", 1e-5);
  c.dropout = k.get_or("resid_pdrop", 0.1);
  c.tie_embeddings = k.get_or("tie_word_embeddings", true);
  c.learned_positions = true;
  return c;
}

inline io::Json gpt2_json(const models::TransformerConfig& c) {
  const bool usual = c.activation == Activation::gelu_tanh;
  return io::Json::object({{"vocab_size", c.vocab},
                           {"n_positions", c.context},
                           {"n_ctx", c.context},
                           {"n_embd", c.width},
                           {"n_layer", c.layers},
                           {"n_head", c.heads},
                           {"n_inner", c.feed_forward},
                           {"activation_function", usual ? "gelu_new" : activation_name(c.activation)},
                           {"layer_norm_epsilon", c.norm_eps},
                           {"embd_pdrop", c.dropout},
                           {"resid_pdrop", c.dropout},
                           {"attn_pdrop", 0.0},
                           {"tie_word_embeddings", c.tie_embeddings}});
}

inline models::TransformerConfig bloom_config(const Keys& k) {
  k.expect("apply_residual_connection_post_layernorm", false);
  models::TransformerConfig c;
  set_gpt_block(c);
  c.vocab = k.get<Index>("vocab_size");
  c.context = k.get_or<Index>("seq_length", 2048);  // of the training; linear biases have no end
  c.layers = k.get<Index>("n_layer");
  c.heads = k.first_of<Index>({"n_head", "num_attention_heads"}, 8);
  c.width = k.first_of<Index>({"hidden_size", "n_embed"}, 64);
  c.activation = Activation::gelu_tanh;
  c.norm_eps = k.get_or("layer_norm_epsilon", 1e-5);
  c.dropout = k.get_or("hidden_dropout", 0.0);
  c.tie_embeddings = k.get_or("tie_word_embeddings", true);
  c.alibi = true;
  c.embedding_norm = true;
  return c;
}

inline io::Json bloom_json(const models::TransformerConfig& c) {
  return io::Json::object({{"vocab_size", c.vocab},
                           {"seq_length", c.context},
                           {"n_layer", c.layers},
                           {"n_head", c.heads},
                           {"hidden_size", c.width},
                           {"layer_norm_epsilon", c.norm_eps},
                           {"hidden_dropout", c.dropout},
                           {"attention_dropout", 0.0},
                           {"tie_word_embeddings", c.tie_embeddings},
                           {"pad_token_id", nullptr}});
}

inline models::TransformerConfig gpt_neox_config(const Keys& k) {
  models::TransformerConfig c;
  set_gpt_block(c);
  c.vocab = k.get<Index>("vocab_size");
  c.context = k.get_or<Index>("max_position_embeddings", 2048);
  c.layers = k.get<Index>("num_hidden_layers");
  c.heads = k.get<Index>("num_attention_heads");
  c.width = k.get<Index>("hidden_size");
  c.feed_forward = k.get<Index>("intermediate_size");
  c.activation = activation_from(k.get_or<std::string>("hidden_act", "gelu"));
  c.norm_eps = k.get_or("layer_norm_eps", 1e-5);
  c.dropout = k.get_or("hidden_dropout", 0.0);
  c.tie_embeddings = k.get_or("tie_word_embeddings", false);
  c.qkv_bias = c.o_bias = k.get_or("attention_bias", true);
  if (k.get_or("use_parallel_residual", true)) c.residual = nn::Residual::parallel;
  auto rope = rope_keys(k, {.theta = k.get_or("rotary_emb_base", 10000.0), .partial = k.get_or("rotary_pct", 0.25)});
  if (!k.contains("rope_parameters")) rope.theta = k.get_or("rotary_emb_base", 10000.0);  // rope_theta is not read
  set_rope(c, rope);
  return c;
}

inline io::Json gpt_neox_json(const models::TransformerConfig& c) {
  return decoder_json(c, "layer_norm_eps")
      .set("rotary_emb_base", c.rope_theta)
      .set("rotary_pct", partial_rotary(c))
      .set("attention_bias", c.qkv_bias)
      .set("hidden_dropout", c.dropout)
      .set("use_parallel_residual", c.residual == nn::Residual::parallel);
}

inline Layout gpt2_layout() {
  return {.root = "transformer.",
          .embedding = "wte",
          .positions = "wpe",
          .norm = "ln_f",
          .layers = "h.",
          .norm1 = "ln_1",
          .norm2 = "ln_2",
          .q = "attn.c_attn",
          .o = "attn.c_proj",
          .fused = FusedQkv::blocks,
          .up = "mlp.c_fc",
          .down = "mlp.c_proj",
          .transposed = true};
}
inline Layout bloom_layout() {
  return {.root = "transformer.",
          .embedding = "word_embeddings",
          .embedding_norm = "word_embeddings_layernorm",
          .norm = "ln_f",
          .layers = "h.",
          .q = "self_attention.query_key_value",
          .o = "self_attention.dense",
          .fused = FusedQkv::per_head,
          .up = "mlp.dense_h_to_4h",
          .down = "mlp.dense_4h_to_h"};
}
inline Layout gpt_neox_layout() {
  return {.root = "gpt_neox.",
          .embedding = "embed_in",
          .norm = "final_layer_norm",
          .head = "embed_out",
          .q = "attention.query_key_value",
          .o = "attention.dense",
          .fused = FusedQkv::per_head,
          .up = "mlp.dense_h_to_4h",
          .down = "mlp.dense_4h_to_h"};
}

}  // namespace detail

inline Family gpt2_family() {
  return {"gpt2", "GPT2LMHeadModel", detail::gpt2_config, detail::gpt2_json, detail::gpt2_layout()};
}
inline Family bloom_family() {
  return {"bloom", "BloomForCausalLM", detail::bloom_config, detail::bloom_json, detail::bloom_layout()};
}
inline Family gpt_neox_family() {
  return {"gpt_neox", "GPTNeoXForCausalLM", detail::gpt_neox_config, detail::gpt_neox_json, detail::gpt_neox_layout()};
}

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// config_json: the config.json of a model of our own, in the form of the family that it fits.
#pragma once

#include "families.hpp"

namespace atom::pretrained {

namespace detail {
// Whether nothing is set that GPT-2 and Llama do not have.
inline bool is_plain(const models::TransformerConfig& c) {
  auto usual = models::TransformerConfig{.vocab = c.vocab,
                                         .context = c.context,
                                         .layers = c.layers,
                                         .heads = c.heads,
                                         .kv_heads = c.kv_heads,
                                         .width = c.width,
                                         .head_dim = c.head_dim,
                                         .feed_forward = c.feed_forward,
                                         .norm = c.norm,
                                         .norm_eps = c.norm_eps,
                                         .learned_positions = c.learned_positions,
                                         .rope_theta = c.rope_theta,
                                         .rotary_dim = c.head_dim,
                                         .activation = c.activation,
                                         .gated = c.gated,
                                         .qkv_bias = c.qkv_bias,
                                         .o_bias = c.o_bias,
                                         .ffn_bias = c.ffn_bias,
                                         .tie_embeddings = c.tie_embeddings,
                                         .dropout = c.dropout};
  const bool alike = std::all_of(c.layer.begin(), c.layer.end(),
                                 [](const models::LayerConfig& layer) { return layer == models::LayerConfig(); });
  if (alike) usual.layer = c.layer;
  return usual == c;
}
}  // namespace detail

// The model_type of the family whose form a config has; "atom" where none fits: our own, for our own programs.
inline std::string model_type_of(const models::TransformerConfig& config) {
  const auto c = models::resolved(config);
  if (detail::is_deepseek(c)) return "deepseek_v3";
  if (!detail::is_plain(c)) return "atom";
  const bool usual_heads = c.head_dim * c.heads == c.width;
  if (c.norm == nn::NormKind::layer && c.learned_positions && !c.gated && c.activation == Activation::gelu_tanh &&
      c.qkv_bias && c.o_bias && c.ffn_bias && c.tie_embeddings && c.kv_heads == c.heads && usual_heads)
    return "gpt2";
  if (c.norm == nn::NormKind::rms && !c.learned_positions && c.gated && c.activation == Activation::silu &&
      c.qkv_bias == c.o_bias)
    return "llama";
  return "atom";
}

namespace detail {

inline io::Json gpt2_json(const models::TransformerConfig& c) {
  return io::Json::object({{"architectures", std::vector<std::string>{"GPT2LMHeadModel"}},
                           {"model_type", "gpt2"},
                           {"vocab_size", c.vocab},
                           {"n_positions", c.context},
                           {"n_ctx", c.context},
                           {"n_embd", c.width},
                           {"n_layer", c.layers},
                           {"n_head", c.heads},
                           {"n_inner", c.feed_forward},
                           {"activation_function", "gelu_new"},
                           {"layer_norm_epsilon", c.norm_eps},
                           {"embd_pdrop", c.dropout},
                           {"resid_pdrop", c.dropout},
                           {"attn_pdrop", 0.0},
                           {"tie_word_embeddings", true}});
}

inline io::Json llama_json(const models::TransformerConfig& c) {
  return io::Json::object({{"architectures", std::vector<std::string>{"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"vocab_size", c.vocab},
                           {"max_position_embeddings", c.context},
                           {"hidden_size", c.width},
                           {"intermediate_size", c.feed_forward},
                           {"num_hidden_layers", c.layers},
                           {"num_attention_heads", c.heads},
                           {"num_key_value_heads", c.kv_heads},
                           {"head_dim", c.head_dim},
                           {"hidden_act", "silu"},
                           {"rms_norm_eps", c.norm_eps},
                           {"rope_theta", c.rope_theta},
                           {"attention_bias", c.qkv_bias},
                           {"mlp_bias", c.ffn_bias},
                           {"attention_dropout", 0.0},
                           {"dropout", c.dropout},
                           {"tie_word_embeddings", c.tie_embeddings}});
}

}  // namespace detail

// config.json in the form of model_type_of(config).
inline io::Json config_json(const models::TransformerConfig& config) {
  const auto c = models::resolved(config);
  const auto type = model_type_of(c);
  if (type == "gpt2") return detail::gpt2_json(c);
  if (type == "llama") return detail::llama_json(c);
  if (type == "deepseek_v3") return detail::deepseek_json(c);
  return detail::atom_json(c);
}

}  // namespace atom::pretrained

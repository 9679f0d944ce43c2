// SPDX-License-Identifier: Apache-2.0
// config.json of a Hugging Face folder, for the families of names.hpp: written from a config, and read back.
#pragma once

#include "../io/json_value.hpp"
#include "names.hpp"

namespace atom::pretrained {

namespace detail {

inline Activation activation_from(std::string_view name) {
  if (name == "gelu_new") return Activation::gelu_tanh;
  for (std::size_t i = 0; i < std::size(activation_names); ++i)
    if (name == activation_names[i]) return static_cast<Activation>(i);
  fail("config.json", "unknown activation ", io::in_quotes(name));
}

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

inline models::TransformerConfig gpt2_config(const io::Json& j) {
  auto c = models::TransformerConfig::gpt2(j.get<Index>("vocab_size"), j.get<Index>("n_layer"), j.get<Index>("n_head"),
                                           j.get<Index>("n_embd"), j.get_or<Index>("n_positions", 1024));
  c.feed_forward = j.get_optional<Index>("n_inner").value_or(0);
  c.activation = activation_from(j.get_or<std::string>("activation_function", "gelu_new"));
  c.norm_eps = j.get_or("layer_norm_epsilon", 1e-5);
  c.dropout = j.get_or("resid_pdrop", 0.1);
  return c;
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

inline models::TransformerConfig llama_config(const io::Json& j) {
  models::TransformerConfig c;
  c.vocab = j.get<Index>("vocab_size");
  c.context = j.get_or<Index>("max_position_embeddings", 2048);
  c.width = j.get<Index>("hidden_size");
  c.feed_forward = j.get<Index>("intermediate_size");
  c.layers = j.get<Index>("num_hidden_layers");
  c.heads = j.get<Index>("num_attention_heads");
  c.kv_heads = j.get_or<Index>("num_key_value_heads", c.heads);
  c.head_dim = j.get_optional<Index>("head_dim").value_or(0);
  c.activation = activation_from(j.get_or<std::string>("hidden_act", "silu"));
  c.norm_eps = j.get_or("rms_norm_eps", 1e-6);
  c.rope_theta = j.get_or("rope_theta", 10000.0);
  c.qkv_bias = c.o_bias = j.get_or("attention_bias", false);
  c.ffn_bias = j.get_or("mlp_bias", false);
  c.dropout = j.get_or("dropout", 0.0);
  c.tie_embeddings = j.get_or("tie_word_embeddings", false);
  const io::Json* scaling = j.find("rope_scaling");
  check(scaling == nullptr || scaling->is_null(), "config.json", "rope_scaling is not supported");
  return c;
}

}  // namespace detail

// config.json of the family that fits.
inline io::Json config_json(const models::TransformerConfig& config) {
  const auto c = models::resolved(config);
  switch (family_of(c)) {
    case Family::gpt2: return detail::gpt2_json(c);
    case Family::llama: return detail::llama_json(c);
    case Family::deepseek_v3: return detail::deepseek_json(c);
    case Family::atom: break;
  }
  return detail::atom_json(c);
}

// Errors: an unknown model_type, naming the known ones; a missing or mistyped member; an impossible size.
inline models::TransformerConfig config_from(const io::Json& json) {
  const auto type = json.get<std::string>("model_type");
  if (type == "gpt2") return models::resolved(detail::gpt2_config(json));
  if (type == "llama") return models::resolved(detail::llama_config(json));
  if (type == "deepseek_v3") return models::resolved(detail::deepseek_config(json));
  if (type == "atom") return models::resolved(detail::atom_config(json));
  fail("config.json", "unknown model_type ", io::in_quotes(type), ", expected gpt2, llama, deepseek_v3 or atom");
}

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// Family: how the models of one `model_type` say their configuration and name their tensors.
#pragma once

#include "keys.hpp"
#include "layout.hpp"

namespace atom::pretrained {

struct Family {
  std::string model_type;
  std::string architecture;  // as published, in `architectures`
  models::TransformerConfig (*config)(const Keys&);
  // The inverse, but for model_type and architectures. Of a model of another family it says something, or is null, or
  // fails: whether it says the model is found out by reading it.
  io::Json (*json)(const models::TransformerConfig&);
  Layout layout = {};
};

namespace detail {

inline constexpr std::string_view activation_names[] = {"linear", "relu", "gelu", "gelu_pytorch_tanh", "silu"};

// gelu is the exact one; its other names are those of the tanh form.
inline Activation activation_from(std::string_view name) {
  if (name == "gelu_new" || name == "gelu_fast") return Activation::gelu_tanh;
  if (name == "swish") return Activation::silu;
  for (std::size_t i = 0; i < std::size(activation_names); ++i)
    if (name == activation_names[i]) return static_cast<Activation>(i);
  fail("config.json", "unknown activation ", io::in_quotes(name));
}

// What an absent key means.
struct DecoderDefaults {
  std::optional<Index> kv_heads = {};  // as many as heads
  Index head_dim = 0;                  // width / heads
  double eps = 1e-6;
  const char* eps_key = "rms_norm_eps";
  bool tied = false;
  const char* activation = "silu";
  RopeKeys rope = {};
};

inline void set_rope(models::TransformerConfig& c, const RopeKeys& rope) {
  c.rope_theta = rope.theta;
  c.rope_scaling = rope.scaling;
  const Index d = c.head_dim > 0 ? c.head_dim : c.width / std::max<Index>(c.heads, 1);
  check(rope.partial > 0 && rope.partial <= 1, "config.json", "\"partial_rotary_factor\" is in (0, 1]: found ",
        rope.partial);
  if (rope.partial != 1) c.rotary_dim = static_cast<Index>(static_cast<double>(d) * rope.partial);
  // A text may grow past the published number of positions where the angles stretch with it.
  if (rope.scaling.kind == ops::RopeScaling::Kind::dynamic) {
    check(rope.scaling.factor <= 1e6, "config.json", "\"rope_scaling\": a factor beyond 1e6: ", rope.scaling.factor);
    c.context = static_cast<Index>(static_cast<double>(c.context) * std::max(rope.scaling.factor, 1.0));
  }
}

// What most families say in the same words.
inline models::TransformerConfig decoder_config(const Keys& k, const DecoderDefaults& usual = {}) {
  models::TransformerConfig c;
  c.vocab = k.get<Index>("vocab_size");
  c.context = k.get_or<Index>("max_position_embeddings", 2048);
  c.layers = k.get<Index>("num_hidden_layers");
  c.heads = k.get<Index>("num_attention_heads");
  c.kv_heads = k.optional<Index>("num_key_value_heads", usual.kv_heads ? usual.kv_heads : c.heads).value_or(c.heads);
  c.width = k.get<Index>("hidden_size");
  c.head_dim = k.optional<Index>("head_dim", usual.head_dim).value_or(0);
  c.feed_forward = k.get<Index>("intermediate_size");
  c.activation = activation_from(k.get_or<std::string>("hidden_act", usual.activation));
  c.norm_eps = k.get_or(usual.eps_key, usual.eps);
  c.tie_embeddings = k.get_or("tie_word_embeddings", usual.tied);
  set_rope(c, rope_keys(k, usual.rope));
  return c;
}

// Gives each layer its mask: as `layer_types` says or, where it is absent, as kind(i) does.
template <class Kind>
void set_layers(models::TransformerConfig& c, const Keys& k, Index window, Index chunk, Kind kind) {
  std::vector<std::string> types;
  if (const auto* list = k.find("layer_types"); list && !list->is_null())
    types = k.get<std::vector<std::string>>("layer_types");
  check(types.empty() || std::ssize(types) == c.layers, "config.json", "\"layer_types\": found ", types.size(),
        ", expected one for each of ", c.layers, " layers");
  models::detail::each_layer(c);
  for (Index i = 0; i < c.layers; ++i) {
    const std::string type = types.empty() ? kind(i) : types[static_cast<std::size_t>(i)];
    auto& layer = c.layer[static_cast<std::size_t>(i)];
    if (type == "sliding_attention")
      layer.window = window;
    else if (type == "chunked_attention")
      layer.chunk = chunk;
    else
      check(type == "full_attention", "config.json", "\"layer_types\": ", io::in_quotes(type),
            " is not supported, expected full_attention, sliding_attention or chunked_attention");
  }
}
inline const char* sliding_if(bool slides) { return slides ? "sliding_attention" : "full_attention"; }

// Marks the layers that have experts.
template <class Sparse> void set_sparse(models::TransformerConfig& c, Sparse sparse) {
  models::detail::each_layer(c);
  for (Index i = 0; i < c.layers; ++i) c.layer[static_cast<std::size_t>(i)].sparse = sparse(i);
}

}  // namespace detail

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// How a family publishes the tensors of a Transformer: names, and which of our parameters one published tensor holds.
#pragma once

#include "deepseek.hpp"

namespace atom::pretrained {

// The family whose published form a config has; `atom` where none fits: our own names, for our own programs.
enum class Family : std::uint8_t { gpt2, llama, deepseek_v3, atom };

constexpr std::string_view name_of(Family family) {
  constexpr std::string_view names[] = {"gpt2", "llama", "deepseek_v3", "atom"};
  return names[static_cast<std::size_t>(family)];
}

namespace detail {
// Whether nothing is set that GPT-2 and Llama do not have.
inline bool is_plain(const models::TransformerConfig& c) {
  auto plain = c;
  const models::TransformerConfig usual;
  plain.rope_pairing = usual.rope_pairing;
  plain.rope_scaling = usual.rope_scaling;
  plain.qk_norm = usual.qk_norm;
  plain.sinks = usual.sinks;
  plain.attention_scale = usual.attention_scale;
  plain.latent = usual.latent;
  plain.moe = usual.moe;
  plain.mtp = usual.mtp;
  plain.layer = usual.layer;
  plain.rotary_dim = c.head_dim;
  return plain == c;
}
}  // namespace detail

inline Family family_of(const models::TransformerConfig& config) {
  const auto c = models::resolved(config);
  if (detail::is_deepseek(c)) return Family::deepseek_v3;
  if (!detail::is_plain(c)) return Family::atom;
  const bool usual_heads = c.head_dim * c.heads == c.width;
  if (c.norm == nn::NormKind::layer && c.learned_positions && !c.gated && c.activation == Activation::gelu_tanh &&
      c.qkv_bias && c.o_bias && c.ffn_bias && c.tie_embeddings && c.kv_heads == c.heads && usual_heads)
    return Family::gpt2;
  if (c.norm == nn::NormKind::rms && !c.learned_positions && c.gated && c.activation == Activation::silu &&
      c.qkv_bias == c.o_bias)
    return Family::llama;
  return Family::atom;
}

namespace detail {

inline void add_norm(std::vector<PublishedTensor>& list, const std::string& name, const std::string& part, bool bias) {
  list.push_back({name + ".weight", {part + ".weight"}});
  if (bias) list.push_back({name + ".bias", {part + ".bias"}});
}

inline std::vector<PublishedTensor> gpt2(const models::TransformerConfig& c) {
  std::vector<PublishedTensor> list{{"transformer.wte.weight", {"embedding.weight"}},
                                    {"transformer.wpe.weight", {"positions.weight"}}};
  for (Index i = 0; i < c.layers; ++i) {
    const std::string name = to_text("transformer.h.", i), part = to_text("blocks.", i);
    const auto linear = [&](const std::string& published, const std::vector<std::string>& parts) {
      for (const bool weight : {true, false}) {
        PublishedTensor tensor{name + published + (weight ? ".weight" : ".bias"), {}, weight};  // Conv1D is (in, out)
        for (const auto& p : parts) tensor.parts.push_back(part + p + (weight ? ".weight" : ".bias"));
        list.push_back(tensor);
      }
    };
    add_norm(list, name + ".ln_1", part + ".norm1", true);
    linear(".attn.c_attn", {".attention.q", ".attention.k", ".attention.v"});
    linear(".attn.c_proj", {".attention.o"});
    add_norm(list, name + ".ln_2", part + ".norm2", true);
    linear(".mlp.c_fc", {".feed_forward.up"});
    linear(".mlp.c_proj", {".feed_forward.down"});
  }
  add_norm(list, "transformer.ln_f", "norm", true);
  return list;
}

inline std::vector<PublishedTensor> llama(const models::TransformerConfig& c) {
  std::vector<PublishedTensor> list{{"model.embed_tokens.weight", {"embedding.weight"}}};
  for (Index i = 0; i < c.layers; ++i) {
    const std::string name = to_text("model.layers.", i), part = to_text("blocks.", i);
    const auto linear = [&](const std::string& published, const std::string& ours, bool bias) {
      list.push_back({name + published + ".weight", {part + ours + ".weight"}});
      if (bias) list.push_back({name + published + ".bias", {part + ours + ".bias"}});
    };
    add_norm(list, name + ".input_layernorm", part + ".norm1", false);
    linear(".self_attn.q_proj", ".attention.q", c.qkv_bias);
    linear(".self_attn.k_proj", ".attention.k", c.qkv_bias);
    linear(".self_attn.v_proj", ".attention.v", c.qkv_bias);
    linear(".self_attn.o_proj", ".attention.o", c.o_bias);
    add_norm(list, name + ".post_attention_layernorm", part + ".norm2", false);
    linear(".mlp.gate_proj", ".feed_forward.gate", c.ffn_bias);
    linear(".mlp.up_proj", ".feed_forward.up", c.ffn_bias);
    linear(".mlp.down_proj", ".feed_forward.down", c.ffn_bias);
  }
  add_norm(list, "model.norm", "norm", false);
  if (!c.tie_embeddings) list.push_back({"lm_head.weight", {"head.weight"}});
  return list;
}

}  // namespace detail

// Every tensor of the published file. For Family::atom the list is empty: each parameter under its own name.
inline std::vector<PublishedTensor> published_tensors(Family family, const models::TransformerConfig& config) {
  switch (family) {
    case Family::gpt2: return detail::gpt2(config);
    case Family::llama: return detail::llama(config);
    case Family::deepseek_v3: return detail::deepseek(config);
    case Family::atom: break;
  }
  return {};
}

}  // namespace atom::pretrained

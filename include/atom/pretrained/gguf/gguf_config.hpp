// SPDX-License-Identifier: Apache-2.0
// What the architectures of GGUF files have in common: sizes, rotary positions, windows and experts as their keys and
// tensors say them.
#pragma once

#include "../../models/config.hpp"
#include "gguf_keys.hpp"

namespace atom::pretrained::detail {

// How a file stretches the angles: by factors that are tensors, or as `rope.scaling.type` says.
inline ops::RopeScaling gguf_scaling(const GgufKeys& k, Index context, Index rotated) {
  using Kind = ops::RopeScaling::Kind;
  ops::RopeScaling s;
  const double factor = k.real_or("rope.scaling.factor", k.real_or("rope.scale_linear", 1));
  const double of_all = k.real_or("rope.scaling.attn_factor", 1);
  const auto type = k.get_or<std::string>("rope.scaling.type", "linear");
  check(type == "none" || type == "linear" || type == "yarn" || type == "longrope", k.file(), "key ",
        io::in_quotes(k.full("rope.scaling.type")), ": found ", io::in_quotes(type),
        ", expected none, linear, yarn or longrope");
  s.factor = factor > 0 ? factor : 1;
  s.original_context = k.number_or("rope.scaling.original_context_length", context);
  if (k.has("rope_factors_long.weight")) {
    s.kind = Kind::longrope;
    s.long_factors = k.values("rope_factors_long.weight", rotated);
    s.short_factors = k.values("rope_factors_short.weight", rotated);
    s.magnitude = of_all;
    s.factor = static_cast<double>(context) / static_cast<double>(std::max<Index>(s.original_context, 1));
    return s;
  }
  if (k.has("rope_freqs.weight")) {
    check(s.factor == 1, k.file(), "rope_freqs.weight and a factor of ", s.factor, " together are not supported");
    return {.kind = Kind::factors, .short_factors = k.values("rope_freqs.weight", rotated)};
  }
  if (type == "none" || (type == "linear" && s.factor == 1) || type == "longrope") return {};
  if (type == "linear") return {.kind = Kind::linear, .factor = s.factor};
  s.kind = Kind::yarn;
  s.beta_fast = k.real_or("rope.scaling.yarn_beta_fast", 32);
  s.beta_slow = k.real_or("rope.scaling.yarn_beta_slow", 1);
  s.magnitude = k.real_or("rope.scaling.yarn_attn_factor", 0);
  if (of_all != 1) s.magnitude = of_all * (s.magnitude != 0 ? s.magnitude : ops::yarn_magnitude(s.factor));
  return s;
}

// The decoder of Llama, as far as the keys and tensors of all architectures say what it is.
inline models::TransformerConfig gguf_decoder(const GgufKeys& k, nn::NormKind norm = nn::NormKind::rms) {
  models::TransformerConfig c;
  const io::GgufTensor* const embedding = k.tensor("token_embd.weight");
  check(embedding && embedding->shape.rank() == 2, k.file(), "there is no matrix \"token_embd.weight\"");
  c.vocab = embedding->shape[0];
  c.context = k.number("context_length");
  const Index unused = k.number_or("nextn_predict_layers", 0);  // they guess further tokens
  c.layers = k.number("block_count") - unused;
  c.width = k.number("embedding_length");
  c.heads = k.number("attention.head_count");
  c.kv_heads = k.number_or("attention.head_count_kv", c.heads);
  c.head_dim = k.number_or("attention.key_length", 0);
  c.feed_forward = k.number_or("feed_forward_length", 0);
  c.norm = norm;
  c.norm_eps = k.real(norm == nn::NormKind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon");
  c.rope_theta = k.real_or("rope.freq_base", 10000);
  c.rotary_dim = k.number_or("rope.dimension_count", 0);
  // A layer has several tensors, whatever it is made of.
  check(c.layers > 0 && c.layers <= static_cast<Index>(k.tensor_count()), k.file(), "key ",
        io::in_quotes(k.full("block_count")), ": found ", c.layers, " layers, expected 1 to ", k.tensor_count());
  check(c.heads > 0, k.file(), "key ", io::in_quotes(k.full("attention.head_count")), ": found 0");
  const Index head_dim = c.head_dim > 0 ? c.head_dim : c.width / c.heads;
  const Index values = k.number_or("attention.value_length", head_dim);
  check(values == head_dim || k.contains("attention.kv_lora_rank"), k.file(), "values of ", values,
        " elements a head are not supported, expected ", head_dim, " as queries have");
  c.rope_scaling = gguf_scaling(k, c.context, c.rotary_dim > 0 ? c.rotary_dim : head_dim);
  c.tie_embeddings = !k.has("output.weight");
  c.head_bias = k.has("output.bias");
  c.qkv_bias = k.has(0, "attn_q.bias") || k.has(0, "attn_qkv.bias");
  c.o_bias = k.has(0, "attn_output.bias");
  c.ffn_bias = k.has(0, "ffn_down.bias");
  check(k.get_or("attention.causal", true), k.file(), "attention that looks ahead is not supported");
  c.clip_qkv = k.real_or("attention.clamp_kqv", 0);
  c.layer.resize(static_cast<std::size_t>(c.layers));
  return c;
}

// Windows as `attention.sliding_window_pattern` says, a list or the period after which a layer sees everything.
inline void set_gguf_windows(models::TransformerConfig& c, const GgufKeys& k, Index window, Index period) {
  constexpr std::string_view key = "attention.sliding_window_pattern";
  const io::GgufValue* const pattern = k.metadata().find(k.full(key));
  std::vector<bool> slides;
  if (pattern && pattern->is_array()) {
    slides = k.get<std::vector<bool>>(key);
    check(std::ssize(slides) >= c.layers, k.file(), "key ", io::in_quotes(k.full(key)), ": found ", slides.size(),
          ", expected one for each of ", c.layers, " layers");
  } else {
    period = k.number_or(key, period);
    for (Index i = 0; i < c.layers; ++i) slides.push_back(period <= 0 || i % period < period - 1);
  }
  for (std::size_t i = 0; i < c.layer.size(); ++i)
    if (slides[i]) c.layer[i].window = window;
}

// Layers with windows turn by a table of their own, without scaling.
inline void set_gguf_local_rope(models::TransformerConfig& c, double theta) {
  c.local_rope_theta = theta;
  for (auto& layer : c.layer) layer.local_rope = layer.window > 0;
}

// Experts on every layer but the first `dense`.
inline void set_gguf_experts(models::TransformerConfig& c, const GgufKeys& k, const nn::TopKRouter& router,
                             Index dense = 0) {
  auto& m = c.moe;
  check(dense <= c.layers, k.file(), "key ", io::in_quotes(k.full("leading_dense_block_count")), ": found ", dense,
        " of ", c.layers, " layers");
  m.experts = k.number("expert_count");
  m.active = k.number("expert_used_count");
  m.expert_width = k.number_or("expert_feed_forward_length", c.feed_forward);
  if (c.feed_forward == 0) c.feed_forward = m.expert_width;
  m.router = router;
  if (k.contains("expert_weights_scale")) m.router.scale = k.real("expert_weights_scale");
  if (m.router.scale == 0) m.router.scale = 1;
  m.router.groups = k.number_or("expert_group_count", 1);
  m.router.top_groups = k.number_or("expert_group_used_count", 1);
  if (m.router.groups <= 1) m.router.groups = m.router.top_groups = 1;
  m.select_bias = k.has(dense, "exp_probs_b.bias");
  for (std::size_t i = static_cast<std::size_t>(dense); i < c.layer.size(); ++i) c.layer[i].sparse = true;
}

// What `expert_gating_func` says. Error: neither softmax nor sigmoid.
inline nn::RouterScore gguf_score(const GgufKeys& k, nn::RouterScore usual) {
  const auto id = k.number_or("expert_gating_func", 0);
  check(id >= 0 && id <= 2, k.file(), "key ", io::in_quotes(k.full("expert_gating_func")), ": found ", id,
        ", expected 1 (softmax) or 2 (sigmoid)");
  return id == 0 ? usual : id == 1 ? nn::RouterScore::softmax : nn::RouterScore::sigmoid;
}

}  // namespace atom::pretrained::detail

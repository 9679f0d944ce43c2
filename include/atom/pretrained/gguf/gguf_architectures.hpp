// SPDX-License-Identifier: Apache-2.0
// The architectures of GGUF files that can be read: how each says its configuration, and the names of its tensors.
// Rules that are in no key are llama.cpp's.
#pragma once

#include "../families/deepseek.hpp"
#include "gguf_config.hpp"

namespace atom::pretrained {

struct GgufArchitecture {
  std::string name;
  models::TransformerConfig (*config)(const GgufKeys&);
  Layout layout;
};

namespace detail {

inline models::TransformerConfig gguf_gpt2(const GgufKeys& k) {
  auto c = gguf_decoder(k, nn::NormKind::layer);
  c.learned_positions = true;
  c.activation = Activation::gelu_tanh;
  c.gated = false;
  return c;
}

// Neighbours turn together in the files of these: the rows of queries and keys stand in that order.
inline models::TransformerConfig gguf_llama(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  const Index head_dim = c.head_dim > 0 ? c.head_dim : c.width / c.heads;
  check(c.rotary_dim == 0 || c.rotary_dim == head_dim, k.file(), "found ", c.rotary_dim, " rotated elements of ",
        head_dim, ", expected all of them");
  c.rope_pairing = RopePairing::interleaved;
  if (k.number_or("expert_count", 0) > 0) set_gguf_experts(c, k, {.normalise = true});
  return c;
}
inline models::TransformerConfig gguf_granite(const GgufKeys& k) {
  auto c = gguf_llama(k);
  c.embedding_scale = k.real_or("embedding_scale", 1);
  c.attention_scale = k.real_or("attention.scale", 0);
  c.branch_scale = k.real_or("residual_scale", 1);
  c.logit_scale = 1 / k.real("logit_scale");
  for (auto& layer : c.layer) layer.rotates = k.get_or("rope.scaling.finetuned", true);
  return c;
}
inline models::TransformerConfig gguf_smollm3(const GgufKeys& k) {
  auto c = gguf_llama(k);
  for (std::size_t i = 3; i < c.layer.size(); i += 4) c.layer[i].rotates = false;
  return c;
}

inline models::TransformerConfig gguf_qwen2(const GgufKeys& k) { return gguf_decoder(k); }
inline models::TransformerConfig gguf_qwen2moe(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  set_gguf_experts(c, k, {.normalise = false});
  c.moe.shared_width = k.number_or("expert_shared_feed_forward_length", c.feed_forward);
  c.moe.shared_gate = true;
  return c;
}
inline models::TransformerConfig gguf_qwen3(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.qk_norm = nn::QkNorm::per_head;
  return c;
}
inline models::TransformerConfig gguf_qwen3moe(const GgufKeys& k) {
  auto c = gguf_qwen3(k);
  set_gguf_experts(c, k, {.normalise = true});
  return c;
}

// Norms stand in the files with the 1 that is added to them.
inline models::TransformerConfig gguf_gemma(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.activation = Activation::gelu_tanh;
  c.embedding_scale = static_cast<double>(std::sqrt(static_cast<float>(c.width)));
  return c;
}
// The largest of Gemma 2 and 3 divides by the width that its heads would usually have.
inline models::TransformerConfig gguf_gemma_with_windows(const GgufKeys& k, Index layers_of_largest) {
  auto c = gguf_gemma(k);
  c.post_norm = true;
  if (c.layers == layers_of_largest) c.attention_scale = 1 / std::sqrt(static_cast<double>(c.width / c.heads));
  return c;
}
inline models::TransformerConfig gguf_gemma2(const GgufKeys& k) {
  auto c = gguf_gemma_with_windows(k, 46);
  c.attention_cap = k.real_or("attn_logit_softcapping", 50);
  c.logit_cap = k.real_or("final_logit_softcapping", 30);
  set_gguf_windows(c, k, k.number_or("attention.sliding_window", 4096), 2);
  return c;
}
inline models::TransformerConfig gguf_gemma3(const GgufKeys& k) {
  auto c = gguf_gemma_with_windows(k, 62);
  c.qk_norm = nn::QkNorm::per_head;
  c.logit_cap = k.real_or("final_logit_softcapping", 0);
  if (const auto window = k.number_or("attention.sliding_window", 0); window > 0) {
    set_gguf_windows(c, k, window, 6);
    set_gguf_local_rope(c, k.real_or("rope.freq_base_swa", 10000));
  }
  return c;
}

inline models::TransformerConfig gguf_phi2(const GgufKeys& k) {
  auto c = gguf_decoder(k, nn::NormKind::layer);
  c.residual = nn::Residual::parallel_one_norm;
  c.activation = Activation::gelu_tanh;
  c.gated = false;
  return c;
}
inline models::TransformerConfig gguf_phi3(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  if (const auto window = k.number_or("attention.sliding_window", 0); window > 0) set_gguf_windows(c, k, window, 0);
  return c;
}

// OLMo 2, and with windows OLMo 3.
inline models::TransformerConfig gguf_olmo2(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.pre_norm = false;
  c.post_norm = true;
  c.qk_norm = nn::QkNorm::whole;
  if (const auto window = k.number_or("attention.sliding_window", 0); window > 0) {
    set_gguf_windows(c, k, window, 4);
    set_gguf_local_rope(c, k.real_or("rope.freq_base_swa", c.rope_theta));
  }
  return c;
}
inline models::TransformerConfig gguf_olmoe(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.qk_norm = nn::QkNorm::whole;
  set_gguf_experts(c, k, {.normalise = false});
  return c;
}

inline models::TransformerConfig gguf_deepseek2(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.rope_pairing = RopePairing::interleaved;
  const Index rope = k.number("rope.dimension_count");
  c.latent = {.q_rank = k.number_or("attention.q_lora_rank", 0),
              .kv_rank = k.number("attention.kv_lora_rank"),
              .nope_dim = k.number_or("attention.key_length_mla", c.head_dim) - rope,
              .rope_dim = rope,
              .value_dim = k.number_or("attention.value_length_mla", k.number("attention.value_length"))};
  c.kv_heads = c.heads;
  c.head_dim = 0;
  if (auto& s = c.rope_scaling; s.kind == ops::RopeScaling::Kind::yarn) {
    s.mscale = s.mscale_all_dim = GgufKeys::decimal(k.get_or("rope.scaling.yarn_log_multiplier", 0.F) / 0.1F);
    c.attention_scale = deepseek_scale(c);
  }
  if (const auto dense = k.number_or("leading_dense_block_count", 0); dense < c.layers) {
    const nn::TopKRouter router{.score = gguf_score(k, nn::RouterScore::softmax),
                                .normalise = k.get_or("expert_weights_norm", false)};
    set_gguf_experts(c, k, router, dense);
    c.moe.shared_width = c.moe.expert_width * k.number("expert_shared_count");
  }
  return c;
}

inline models::TransformerConfig gguf_gpt_oss(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.sinks = true;
  c.rope_scaling.truncate = false;  // llama.cpp rounds, the model's authors do not
  set_gguf_windows(c, k, k.number("attention.sliding_window"), 2);
  set_gguf_experts(c, k, {.normalise = true});
  c.moe.router_bias = c.moe.expert_bias = c.moe.clamped = true;
  return c;
}

inline models::TransformerConfig gguf_glm4(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  c.rope_pairing = RopePairing::interleaved;
  c.post_norm = true;
  return c;
}
inline models::TransformerConfig gguf_glm4moe(const GgufKeys& k) {
  auto c = gguf_decoder(k);
  if (k.has(0, "attn_q_norm.weight")) c.qk_norm = nn::QkNorm::per_head;
  const nn::TopKRouter router{.score = gguf_score(k, nn::RouterScore::sigmoid),
                              .normalise = k.get_or("expert_weights_norm", false)};
  set_gguf_experts(c, k, router, k.number_or("leading_dense_block_count", 0));
  c.moe.shared_width = c.moe.expert_width * k.number("expert_shared_count");
  return c;
}

// Names without `.weight`, as in Layout. What an architecture does not have is not asked for.
inline Layout gguf_layout() {
  return {.root = {},
          .embedding = "token_embd",
          .embedding_norm = "token_embd_norm",
          .positions = "position_embd",
          .norm = "output_norm",
          .head = "output",
          .layers = "blk.",
          .norm1 = "attn_norm",
          .post_norm1 = "post_attention_norm",
          .norm2 = "ffn_norm",
          .post_norm2 = "post_ffw_norm",
          .q = "attn_q",
          .k = "attn_k",
          .v = "attn_v",
          .o = "attn_output",
          .q_norm = "attn_q_norm",
          .k_norm = "attn_k_norm",
          .sinks = "attn_sinks.weight",
          .gate = "ffn_gate",
          .up = "ffn_up",
          .down = "ffn_down",
          .router = "ffn_gate_inp",
          .select_bias = "exp_probs_b.bias",
          .experts = "ffn_",
          .expert_parts = {"gate_exps", "up_exps", "down_exps"},
          .stacked = StackedExperts::separate,
          .shared = "ffn_",
          .shared_gate = "ffn_gate_inp_shexp",
          .shared_parts = {"gate_shexp", "up_shexp", "down_shexp"},
          .q_a = "attn_q_a",
          .q_a_norm = "attn_q_a_norm",
          .q_b = "attn_q_b",
          .kv_a = "attn_kv_a_mqa",
          .kv_a_norm = "attn_kv_a_norm",
          .kv_b = "attn_kv_b",
          .k_b = "attn_k_b",
          .v_b = "attn_v_b"};
}
// post_attention_norm is what the feed-forward layer reads through.
inline Layout gguf_layout_without_ffn_norm() {
  auto layout = gguf_layout();
  layout.norm2 = "post_attention_norm";
  return layout;
}
// ffn_up is gate and up, the gate first.
inline Layout gguf_layout_with_fused_ffn() {
  auto layout = gguf_layout();
  layout.gate = "ffn_up";
  layout.fused_gate_up = true;
  return layout;
}
inline Layout gguf_layout_with_fused_qkv(Layout layout) {
  layout.q = "attn_qkv";
  layout.fused = FusedQkv::blocks;
  return layout;
}

}  // namespace detail

inline const std::vector<GgufArchitecture>& gguf_architectures() {
  using namespace detail;
  static const std::vector<GgufArchitecture> all = {
      {"gpt2", gguf_gpt2, gguf_layout_with_fused_qkv(gguf_layout())},
      {"qwen2", gguf_qwen2, gguf_layout()},
      {"llama", gguf_llama, gguf_layout()},
      {"qwen2moe", gguf_qwen2moe, gguf_layout()},
      {"qwen3", gguf_qwen3, gguf_layout()},
      {"qwen3moe", gguf_qwen3moe, gguf_layout()},
      {"gemma", gguf_gemma, gguf_layout()},
      {"gemma2", gguf_gemma2, gguf_layout()},
      {"gemma3", gguf_gemma3, gguf_layout()},
      {"phi2", gguf_phi2, gguf_layout()},
      {"phi3", gguf_phi3, gguf_layout_with_fused_qkv(gguf_layout_with_fused_ffn())},
      {"olmo2", gguf_olmo2, gguf_layout()},
      {"olmoe", gguf_olmoe, gguf_layout()},
      {"deepseek2", gguf_deepseek2, gguf_layout()},
      {"gpt-oss", gguf_gpt_oss, gguf_layout_without_ffn_norm()},
      {"glm4", gguf_glm4, gguf_layout_with_fused_ffn()},
      {"glm4moe", gguf_glm4moe, gguf_layout_without_ffn_norm()},
      {"granite", gguf_granite, gguf_layout()},
      {"smollm3", gguf_smollm3, gguf_layout()}};
  return all;
}

// Error: an architecture that is not among them, naming them.
inline const GgufArchitecture& gguf_architecture(std::string_view name, std::string_view file) {
  const auto& all = gguf_architectures();
  const auto found = std::ranges::find(all, name, &GgufArchitecture::name);
  if (found != all.end()) return *found;
  std::string known;
  for (const auto& architecture : all) known += (known.empty() ? "" : ", ") + architecture.name;
  fail(file, "unknown architecture ", io::in_quotes(name), ", expected one of ", known);
}

}  // namespace atom::pretrained

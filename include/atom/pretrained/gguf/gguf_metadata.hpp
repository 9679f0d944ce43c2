// SPDX-License-Identifier: Apache-2.0
// A config as the keys of a GGUF file, and what belongs to it as tensors. One set of keys serves all architectures:
// each reads those that it knows.
#pragma once

#include "gguf_architectures.hpp"

namespace atom::pretrained::detail {

// A small tensor that is part of the config.
struct GgufNumbers {
  std::string name;
  std::vector<float> values;
};

class GgufConfigWriter {
 public:
  // The config is resolved.
  GgufConfigWriter(const models::TransformerConfig& config, std::string architecture)
      : c_(config), name_(std::move(architecture)) {}

  io::GgufMetadata keys() {
    metadata_.set("general.architecture", name_);
    sizes();
    if (c_.rotary()) rotary();
    if (c_.latent.kv_rank > 0) latent();
    if (c_.moe.experts > 0 || name_ == "deepseek2") experts();
    windows();
    if (c_.attention_cap > 0) real("attn_logit_softcapping", c_.attention_cap);
    if (c_.logit_cap > 0) real("final_logit_softcapping", c_.logit_cap);
    if (name_ == "granite") {
      real("embedding_scale", c_.embedding_scale);
      real("residual_scale", c_.branch_scale);
      real("logit_scale", 1 / c_.logit_scale);
      if (c_.attention_scale != 0) real("attention.scale", c_.attention_scale);
    }
    return std::move(metadata_);
  }

  // Factors of the angles, where the architecture's own rule reads such.
  std::vector<GgufNumbers> numbers() const {
    using Kind = ops::RopeScaling::Kind;
    const auto& s = c_.rope_scaling;
    const bool any = name_ == "llama" || name_ == "granite";
    if (s.kind == Kind::longrope && (any || name_ == "phi3"))
      return {{"rope_factors_long.weight", floats(s.long_factors)},
              {"rope_factors_short.weight", floats(s.short_factors)}};
    if (!any || (s.kind != Kind::llama3 && s.kind != Kind::factors && s.kind != Kind::ntk_alpha)) return {};
    ops::RopeSpec spec{c_.rope_theta, c_.rotary_dim, c_.rope_pairing, s};
    auto stretched = ops::rope_angles(spec).frequencies;
    spec.scaling = {};
    const auto plain = ops::rope_angles(spec).frequencies;
    for (std::size_t n = 0; n < plain.size(); ++n) stretched[n] = plain[n] / stretched[n];
    return {{"rope_freqs.weight", floats(stretched)}};
  }

 private:
  void number(std::string_view key, Index value) {
    check(value >= 0 && value <= std::numeric_limits<std::uint32_t>::max(), "save_gguf", key, ": found ", value,
          ", expected a number of 32 bits");
    metadata_.set(to_text(name_, ".", key), static_cast<std::uint32_t>(value));
  }
  void real(std::string_view key, double value) { metadata_.set(to_text(name_, ".", key), static_cast<float>(value)); }
  template <class T> void other(std::string_view key, const T& value) {
    metadata_.set(to_text(name_, ".", key), io::GgufValue(value));
  }
  static std::vector<float> floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

  bool all_sparse() const { return std::ranges::all_of(c_.layer, &models::LayerConfig::sparse) && !c_.layer.empty(); }

  void sizes() {
    number("vocab_size", c_.vocab);
    number("context_length", c_.context);
    number("block_count", c_.layers);
    number("embedding_length", c_.width);
    const bool of_experts = all_sparse() && (name_ == "llama" || name_ == "granite" || name_ == "olmoe");
    number("feed_forward_length", of_experts ? c_.moe.expert_width : c_.feed_forward);
    number("attention.head_count", c_.heads);
    if (c_.latent.kv_rank == 0) {
      number("attention.head_count_kv", c_.kv_heads);
      number("attention.key_length", c_.head_dim);
      number("attention.value_length", c_.head_dim);
    }
    real(c_.norm == nn::NormKind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
         c_.norm_eps);
  }

  void rotary() {
    using Kind = ops::RopeScaling::Kind;
    real("rope.freq_base", c_.rope_theta);
    number("rope.dimension_count", c_.rotary_dim);
    if (std::ranges::any_of(c_.layer, &models::LayerConfig::local_rope))
      real("rope.freq_base_swa", c_.local_rope_theta);
    const auto& s = c_.rope_scaling;
    if (s.kind == Kind::linear || s.kind == Kind::yarn) {
      other("rope.scaling.type", std::string(s.kind == Kind::linear ? "linear" : "yarn"));
      real("rope.scaling.factor", s.factor);
    }
    if (s.kind == Kind::longrope) {
      const auto angles = ops::rope_angles({c_.rope_theta, c_.rotary_dim, c_.rope_pairing, s});
      if (name_ != "phi3") other("rope.scaling.type", std::string("longrope"));
      real("rope.scaling.attn_factor", angles.magnitude);
    }
    if (s.kind == Kind::longrope || s.kind == Kind::yarn)
      number("rope.scaling.original_context_length", s.original_context);
    if (s.kind != Kind::yarn) return;
    real("rope.scaling.yarn_beta_fast", s.beta_fast);
    real("rope.scaling.yarn_beta_slow", s.beta_slow);
    if (s.magnitude != 0) real("rope.scaling.yarn_attn_factor", s.magnitude);
    if (name_ == "deepseek2" && s.mscale_all_dim != 0)
      other("rope.scaling.yarn_log_multiplier", 0.1F * static_cast<float>(s.mscale_all_dim));
  }

  // As heads of one key that all share, which is how these files count them.
  void latent() {
    const auto& a = c_.latent;
    number("attention.head_count_kv", 1);
    number("attention.key_length", a.kv_rank + a.rope_dim);
    number("attention.value_length", a.kv_rank);
    number("attention.key_length_mla", a.nope_dim + a.rope_dim);
    number("attention.value_length_mla", a.value_dim);
    number("attention.kv_lora_rank", a.kv_rank);
    if (a.q_rank > 0) number("attention.q_lora_rank", a.q_rank);
  }

  void experts() {
    const auto& m = c_.moe;
    const bool none = m.experts == 0;
    const auto first = std::ranges::find(c_.layer, true, &models::LayerConfig::sparse);
    number("leading_dense_block_count", none ? c_.layers : first - c_.layer.begin());
    number("expert_feed_forward_length", none ? c_.feed_forward : m.expert_width);
    number("expert_shared_count", none ? 0 : m.shared_width / m.expert_width);
    if (none) return;
    number("expert_count", m.experts);
    number("expert_used_count", m.active);
    if (m.shared_width > 0) number("expert_shared_feed_forward_length", m.shared_width);
    number("expert_gating_func", m.router.score == nn::RouterScore::sigmoid ? 2 : 1);
    other("expert_weights_norm", m.router.normalise);
    if (m.router.scale != 1 || name_ == "deepseek2") real("expert_weights_scale", m.router.scale);
    if (m.router.groups > 1) {
      number("expert_group_count", m.router.groups);
      number("expert_group_used_count", m.router.top_groups);
    }
  }

  void windows() {
    Index window = 0;
    std::vector<bool> slides;
    for (const auto& layer : c_.layer) {
      window = std::max(window, layer.window);
      slides.push_back(layer.window > 0);
    }
    if (window == 0) return;
    number("attention.sliding_window", window);
    other("attention.sliding_window_pattern", slides);
  }

  const models::TransformerConfig& c_;
  std::string name_;
  io::GgufMetadata metadata_;
};

}  // namespace atom::pretrained::detail

// SPDX-License-Identifier: Apache-2.0
// Layout: the names that a family gives to the tensors of a decoder, and published_tensors, which says for each tensor
// of the file what part of a Transformer it is.
#pragma once

#include "../models/config.hpp"
#include "published_tensor.hpp"

#include <array>
#include <charconv>

namespace atom::pretrained {

// How one matrix holds queries, keys and values: one below the other, or by head (head, {q, k, v}, d).
enum class FusedQkv { none, blocks, per_head };
// How the matrices of all experts are held: each expert's by themselves; a stack for the gates, the ups and the downs;
// or one stack for both gate and up, the gate's half first, or one row of each in turn. The latter are (in, out).
enum class StackedExperts { none, separate, halves, interleaved };

// Names stand without `.weight`; those of a layer follow `layers` and its number. Empty: the family has no such tensor.
// What is said here is that of Llama.
struct Layout {
  std::string root = "model.";  // before every name but the head's
  std::string embedding = "embed_tokens", embedding_norm = {}, positions = {}, norm = "norm", head = "lm_head";
  std::string layers = "layers.";
  std::string norm1 = "input_layernorm", post_norm1 = {}, norm2 = "post_attention_layernorm", post_norm2 = {};
  std::string q = "self_attn.q_proj", k = "self_attn.k_proj", v = "self_attn.v_proj", o = "self_attn.o_proj";
  FusedQkv fused = FusedQkv::none;  // of the matrix called q
  std::string q_norm = "self_attn.q_norm", k_norm = "self_attn.k_norm", sinks = "self_attn.sinks";
  std::string gate = "mlp.gate_proj", up = "mlp.up_proj", down = "mlp.down_proj";
  bool fused_gate_up = false;  // the matrix called gate holds both
  bool transposed = false;     // linear layers are (in, out)
  std::string router = "mlp.gate", select_bias = "mlp.gate.e_score_correction_bias";
  std::string experts = "mlp.experts.";
  std::array<std::string, 3> expert_parts = {"gate_proj", "up_proj", "down_proj"};  // stacked: {gate and up, -, down}
  StackedExperts stacked = StackedExperts::none;
  std::string shared = "mlp.shared_experts.", shared_gate = {};
  std::array<std::string, 3> shared_parts = {"gate_proj", "up_proj", "down_proj"};
  std::string q_a = "self_attn.q_a_proj", q_a_norm = "self_attn.q_a_layernorm", q_b = "self_attn.q_b_proj";
  std::string kv_a = "self_attn.kv_a_proj_with_mqa", kv_a_norm = "self_attn.kv_a_layernorm";
  std::string kv_b = "self_attn.kv_b_proj";
  std::string k_b = {}, v_b = {};  // kv_b's rows by head: a stack of transposed key parts, and one of value parts
  bool interleaved_heads = false;  // of q and k, rows 2i and 2i + 1 of a head are the model's i and d / 2 + i
};

namespace detail {

// Collects the tensors of a layer, or those around the layers.
class PublishedNames {
 public:
  PublishedNames(const Layout& layout, const models::TransformerConfig& config) : l_(layout), c_(config) {}

  std::vector<PublishedTensor> all() {
    at(l_.root, "");
    linear(l_.embedding, "embedding", false, false);
    if (c_.embedding_norm) norm(l_.embedding_norm, "embedding_norm");
    if (c_.learned_positions) linear(l_.positions, "positions", false, false);
    for (Index i = 0; i < c_.layers; ++i) {
      at(to_text(l_.root, l_.layers, i, "."), to_text("blocks.", i, "."));
      layer(i);
    }
    at(l_.root, "");
    norm(l_.norm, "norm");
    head();
    if (c_.mtp > 0) mtp();
    return std::move(list_);
  }

 private:
  void at(const std::string& published, const std::string& ours) {
    from_ = published;
    to_ = ours;
  }
  void add(const std::string& name, std::vector<PublishedPart> parts, bool transposed = false) {
    for (auto& part : parts) part.parameter = to_ + part.parameter;
    list_.push_back({from_ + name, std::move(parts), transposed});
  }
  void linear(const std::string& name, const std::string& ours, bool bias, bool transposed) {
    if (name.empty()) return;
    add(name + ".weight", {{ours + ".weight"}}, transposed);
    if (bias) add(name + ".bias", {{ours + ".bias"}});
  }
  void linear(const std::string& name, const std::string& ours, bool bias = false) {
    linear(name, ours, bias, l_.transposed);
  }
  void norm(const std::string& name, const std::string& ours) {
    if (!name.empty() && c_.norm_weight) linear(name, ours, c_.norm == nn::NormKind::layer, false);
  }
  // Several of our matrices with the same inputs, one below the other.
  void fused(const std::string& name, const std::vector<std::pair<std::string, Index>>& ours, bool bias) {
    for (const bool weight : {true, false}) {
      if (!weight && !bias) continue;
      std::vector<PublishedPart> parts;
      Index row = 0;
      for (const auto& [part, rows] : ours) {
        parts.push_back({part + (weight ? ".weight" : ".bias"), {.start = row}});
        row += rows;
      }
      add(name + (weight ? ".weight" : ".bias"), parts, weight && l_.transposed);
    }
  }

  void layer(Index i) {
    const auto& layer = i < std::ssize(c_.layer) ? c_.layer[static_cast<std::size_t>(i)] : models::LayerConfig{};
    if (c_.pre_norm) norm(l_.norm1, "norm1");
    if (c_.latent.kv_rank > 0)
      latent();
    else
      attention(layer);
    if (c_.post_norm) norm(l_.post_norm1, "post_norm1");
    if (c_.pre_norm && c_.residual != nn::Residual::parallel_one_norm) norm(l_.norm2, "norm2");
    if (layer.sparse)
      experts();
    else
      feed_forward();
    if (c_.post_norm) norm(l_.post_norm2, "post_norm2");
  }

  void attention(const models::LayerConfig& layer) {
    const Index d = c_.head_dim, queries = c_.heads * d, keys = c_.kv_heads * d;
    if (l_.fused == FusedQkv::blocks) {
      fused(l_.q, {{"attention.q", queries}, {"attention.k", keys}, {"attention.v", keys}}, c_.qkv_bias);
    } else if (l_.fused == FusedQkv::per_head) {
      for (const bool weight : {true, false}) {
        const std::string suffix = weight ? ".weight" : ".bias";
        if (weight || c_.qkv_bias)
          add(l_.q + suffix, {{"attention.q" + suffix, {.start = 0, .run = d, .step = 3 * d}},
                              {"attention.k" + suffix, {.start = d, .run = d, .step = 3 * d}},
                              {"attention.v" + suffix, {.start = 2 * d, .run = d, .step = 3 * d}}});
      }
    } else {
      heads(l_.q, "attention.q", c_.heads);
      heads(l_.k, "attention.k", c_.kv_heads);
      linear(l_.v, "attention.v", c_.qkv_bias);
    }
    linear(l_.o, "attention.o", c_.o_bias);
    if (layer.qk_norm && c_.qk_norm != nn::QkNorm::none && c_.qk_norm_weight) {
      add(l_.q_norm + ".weight", {{"attention.q_norm.weight"}});
      add(l_.k_norm + ".weight", {{"attention.k_norm.weight"}});
    }
    if (c_.sinks) add(l_.sinks, {{"attention.sinks"}});
  }

  // Of queries or keys.
  void heads(const std::string& name, const std::string& ours, Index count) {
    linear(name, ours, c_.qkv_bias);
    if (!l_.interleaved_heads) return;
    const Index half = c_.head_dim / 2;
    for (auto tensor = list_.end() - (c_.qkv_bias ? 2 : 1); tensor != list_.end(); ++tensor) {
      PublishedPart part = tensor->parts[0];
      part.runs = count;
      part.count = half;
      tensor->parts.clear();
      for (const Index i : {0, 1}) {
        part.rows = {.start = i, .run = 1, .step = 2};
        part.first = i * half;
        tensor->parts.push_back(part);
      }
    }
  }

  void latent() {
    const auto& a = c_.latent;
    const bool bias = c_.qkv_bias && c_.o_bias;
    if (a.q_rank > 0) {
      linear(l_.q_a, "latent.q_a", bias);
      linear(l_.q_a_norm, "latent.q_a_norm");
      linear(l_.q_b, "latent.q_b");
    } else {
      linear(l_.q, "latent.q");
    }
    linear(l_.kv_a, "latent.kv_a", bias);
    linear(l_.kv_a_norm, "latent.kv_a_norm");
    if (l_.k_b.empty()) {
      linear(l_.kv_b, "latent.kv_b");
    } else {
      const auto by_head = [&](const std::string& name, Index first, Index rows, bool transposed) {
        add(name + ".weight", {{.parameter = "latent.kv_b.weight", .runs = c_.heads, .first = first, .count = rows}},
            transposed);
        list_.back().by_run = true;
      };
      by_head(l_.k_b, 0, a.nope_dim, true);
      by_head(l_.v_b, a.nope_dim, a.value_dim, false);
    }
    linear(l_.o, "latent.o", bias);
  }

  void feed_forward() {
    const bool both = c_.gated && l_.fused_gate_up;
    if (both)
      fused(l_.gate, {{"feed_forward.gate", c_.feed_forward}, {"feed_forward.up", c_.feed_forward}}, c_.ffn_bias);
    else if (c_.gated)
      linear(l_.gate, "feed_forward.gate", c_.ffn_bias);
    if (!both) linear(l_.up, "feed_forward.up", c_.ffn_bias);
    linear(l_.down, "feed_forward.down", c_.ffn_bias);
  }

  void experts() {
    const auto& m = c_.moe;
    linear(l_.router, "experts.router", m.router_bias);
    if (m.select_bias) add(l_.select_bias, {{"experts.select_bias"}});
    if (l_.stacked == StackedExperts::none) {
      separate_experts();
    } else if (l_.stacked == StackedExperts::separate) {
      separate_stacks();
    } else {
      stacked_experts("", "", true);
      if (m.expert_bias) stacked_experts("_bias", "_bias", false);
    }
    for (std::size_t i = 0; m.shared_width > 0 && i < our_parts.size(); ++i)
      linear(l_.shared + l_.shared_parts[i], to_text("experts.shared.", our_parts[i]));
    if (m.shared_gate) linear(l_.shared_gate, "experts.shared_gate");
  }
  void separate_experts() {
    for (Index e = 0; e < c_.moe.experts; ++e)
      for (std::size_t i = 0; i < our_parts.size(); ++i)
        add(to_text(l_.experts, e, ".", l_.expert_parts[i], ".weight"),
            {{.parameter = to_text("experts.", our_parts[i]), .expert = e}});
  }
  void separate_stacks() {
    for (std::size_t i = 0; i < our_parts.size(); ++i) {
      const std::string name = l_.experts + l_.expert_parts[i], ours = to_text("experts.", our_parts[i]);
      add(name + ".weight", {{ours}});
      if (c_.moe.expert_bias) add(name + ".bias", {{ours + "_bias"}});
    }
  }
  void stacked_experts(const std::string& suffix, const std::string& our_suffix, bool transposed) {
    const bool interleaved = l_.stacked == StackedExperts::interleaved;
    const Index hidden = c_.moe.expert_width;
    const auto rows = [&](Index i) {
      return interleaved ? PublishedRows{.start = i, .run = 1, .step = 2} : PublishedRows{.start = i * hidden};
    };
    add(l_.experts + l_.expert_parts[0] + suffix,
        {{"experts.gate" + our_suffix, rows(0)}, {"experts.up" + our_suffix, rows(1)}}, transposed);
    add(l_.experts + l_.expert_parts[2] + suffix, {{"experts.down" + our_suffix}}, transposed);
  }

  void head() {
    list_.push_back({.name = l_.head + ".weight",
                     .parts = {{c_.tie_embeddings ? "embedding.weight" : "head.weight"}},
                     .duplicate = c_.tie_embeddings});
    if (c_.head_bias) list_.push_back({l_.head + ".bias", {{"head.bias"}}});
  }

  // DeepSeek's: one more layer, and copies of embedding and head.
  void mtp() {
    at(to_text(l_.root, l_.layers, c_.layers, "."), "mtp.");
    linear("enorm", "token_norm");
    linear("hnorm", "state_norm");
    linear("eh_proj", "join");
    linear("shared_head.norm", "norm");
    const auto copy = [&](const char* name, const char* ours) {
      list_.push_back({.name = from_ + name, .parts = {{ours}}, .duplicate = true});
    };
    copy("embed_tokens.weight", "embedding.weight");
    copy("shared_head.head.weight", c_.tie_embeddings ? "embedding.weight" : "head.weight");
    to_ = "mtp.block.";
    layer(c_.layers - 1);
  }

  static constexpr std::array<std::string_view, 3> our_parts = {"gate", "up", "down"};

  const Layout& l_;
  const models::TransformerConfig& c_;
  std::vector<PublishedTensor> list_;
  std::string from_, to_;
};

}  // namespace detail

// Every tensor of a file of this layout. The config is resolved.
inline std::vector<PublishedTensor> published_tensors(const Layout& layout, const models::TransformerConfig& config) {
  return detail::PublishedNames(layout, config).all();
}

// Whether a tensor that no parameter is read from may be in a file: buffers of masks and angles, copies, parts of what
// is more than a language model, layers for multi-token prediction where a model has none.
inline bool is_ignorable(std::string_view name, const Layout& layout, Index layers) {
  for (const std::string_view end : {".attn.bias", ".attn.masked_bias", ".crossattention.bias", ".attention.bias",
                                     ".attention.masked_bias", ".rotary_emb.inv_freq"})
    if (name.ends_with(end)) return true;
  for (const std::string_view part : {"vision_tower.", "vision_model.", "multi_modal_projector.", "audio_tower."})
    if (name.find(part) != name.npos) return true;
  const auto at = name.find(layout.layers);
  if (at == name.npos || (at > 0 && name[at - 1] != '.')) return false;
  Index number = 0;
  const char* const digits = name.data() + at + layout.layers.size();
  const auto [end, error] = std::from_chars(digits, name.data() + name.size(), number);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' && number >= layers;
}

}  // namespace atom::pretrained

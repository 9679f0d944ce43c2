// SPDX-License-Identifier: Apache-2.0
// How published families say their configuration and name their tensors, for the folders of data/. To add a family:
// a function here that returns a Family, and its line in `family_of`.
#pragma once

#include <atom/io/json.hpp>
#include <atom/models/config.hpp>

#include <array>

namespace oracle {

using atom::Index;
using atom::io::Json;
using atom::models::TransformerConfig;
using std::string;

// Says where the elements of a published tensor, or of a slice of it, stand in one of our parameters.
struct Entry {
  string published, ours;
  Index expert = -1;        // which of a stack of ours it is; -1: ours is not a stack, or both are
  bool transposed = false;  // the last two axes, (in, out) for our (out, in)
  // Of the published tensor's `axis`: runs of `run` indices, the first at `start`, then every `step`. run 0: all.
  Index axis = 0, start = 0, run = 0, step = 0;
};

struct Family {
  TransformerConfig config;
  std::vector<Entry> entries;
};

// ---- configurations -------------------------------------------------------------------------------------------------

inline atom::ops::RopeScaling scaling_of(const Json& j) {
  using Kind = atom::ops::RopeScaling::Kind;
  const Json* s = j.find("rope_scaling");
  if (s == nullptr || s->is_null()) return {};
  const auto type = s->get_or<string>("rope_type", s->get_or<string>("type", "default"));
  atom::ops::RopeScaling scaling{
      .factor = s->get_or("factor", 1.0),
      .original_context = s->get_or<Index>("original_max_position_embeddings", j.get<Index>("max_position_embeddings")),
      .low_turns = s->get_or("low_freq_factor", 1.0),
      .high_turns = s->get_or("high_freq_factor", 4.0),
      .beta_fast = s->get_or("beta_fast", 32.0),
      .beta_slow = s->get_or("beta_slow", 1.0),
      .truncate = s->get_or("truncate", true),
      .mscale = s->get_or("mscale", 0.0),
      .mscale_all_dim = s->get_or("mscale_all_dim", 0.0),
      .magnitude = s->get_or("attention_factor", 0.0)};
  if (type == "yarn") {
    scaling.kind = Kind::yarn;
  } else if (type == "llama3") {
    scaling.kind = Kind::llama3;
  } else {
    atom::check(type == "default", "oracle", "rope_scaling of type ", type);
  }
  return scaling;
}

// What these families say in the same words.
inline TransformerConfig decoder(const Json& j, double theta = 10000) {
  TransformerConfig c;
  c.vocab = j.get<Index>("vocab_size");
  c.context = std::min<Index>(j.get<Index>("max_position_embeddings"), 64);  // all that the tests need
  c.layers = j.get<Index>("num_hidden_layers");
  c.heads = j.get<Index>("num_attention_heads");
  c.kv_heads = j.get_or<Index>("num_key_value_heads", 0);
  c.width = j.get<Index>("hidden_size");
  c.head_dim = j.get_or<Index>("head_dim", 0);
  c.feed_forward = j.get<Index>("intermediate_size");
  c.norm_eps = j.get<double>("rms_norm_eps");
  c.rope_theta = j.get_or("rope_theta", theta);
  c.rope_scaling = scaling_of(j);
  c.tie_embeddings = j.get_or("tie_word_embeddings", false);
  return c;
}

// ---- names ----------------------------------------------------------------------------------------------------------

using GatedNames = std::array<string, 3>;  // gate, up, down
inline const GatedNames projections{"gate_proj", "up_proj", "down_proj"};
inline const std::array<string, 3> gated_parts{"gate", "up", "down"};

// Collects the entries of a layer, whose prefixes it knows.
struct Names {
  string from = {}, to = {};
  std::vector<Entry> entries = {};

  void add(Entry entry) {
    entry.published = from + entry.published;
    entry.ours = to + entry.ours;
    entries.push_back(entry);
  }
  void copy(const string& published, const string& ours) { add({.published = published, .ours = ours}); }
  void linear(const string& published, const string& ours, bool bias = false) {
    copy(published + ".weight", ours + ".weight");
    if (bias) copy(published + ".bias", ours + ".bias");
  }
  void gated(const string& published, const string& ours) {
    for (std::size_t i = 0; i < 3; ++i) linear(published + projections[i], ours + gated_parts[i]);
  }
  // One published tensor for each expert and matrix.
  void experts(const string& published, Index count, const GatedNames& names) {
    for (Index e = 0; e < count; ++e)
      for (std::size_t i = 0; i < 3; ++i)
        add({.published = published + atom::to_text(e, ".", names[i], ".weight"),
             .ours = "experts." + gated_parts[i],
             .expert = e});
  }
  // gate_up_proj (e, c, 2 f) and down_proj (e, f, c), the gate's columns before the others or between them.
  void stacked_experts(const string& published, Index hidden, bool interleaved, bool bias) {
    const auto both = [&](const string& suffix, const string& part_suffix, bool transposed, Index axis) {
      for (const Index i : {0, 1})
        add({.published = published + ".gate_up_proj" + suffix,
             .ours = "experts." + gated_parts[static_cast<std::size_t>(i)] + part_suffix,
             .transposed = transposed,
             .axis = axis,
             .start = interleaved ? i : i * hidden,
             .run = interleaved ? 1 : hidden,
             .step = interleaved ? 2 : hidden});
      add({.published = published + ".down_proj" + suffix,
           .ours = "experts.down" + part_suffix,
           .transposed = transposed});
    };
    both("", "", true, 2);
    if (bias) both("_bias", "_bias", false, 1);
  }
};

inline void attention_names(Names& n, const TransformerConfig& c) {
  for (const char* part : {"q", "k", "v", "o"})
    n.linear(atom::to_text("self_attn.", part, "_proj"), atom::to_text("attention.", part),
             *part == 'o' ? c.o_bias : c.qkv_bias);
  if (c.qk_norm != atom::nn::QkNorm::none && c.qk_norm_weight) {
    n.linear("self_attn.q_norm", "attention.q_norm");
    n.linear("self_attn.k_norm", "attention.k_norm");
  }
  if (c.sinks) n.copy("self_attn.sinks", "attention.sinks");
}

inline void latent_names(Names& n, const TransformerConfig& c) {
  if (c.latent.q_rank > 0) {
    n.linear("self_attn.q_a_proj", "latent.q_a");
    n.linear("self_attn.q_a_layernorm", "latent.q_a_norm");
    n.linear("self_attn.q_b_proj", "latent.q_b");
  } else {
    n.linear("self_attn.q_proj", "latent.q");
  }
  n.linear("self_attn.kv_a_proj_with_mqa", "latent.kv_a");
  n.linear("self_attn.kv_a_layernorm", "latent.kv_a_norm");
  n.linear("self_attn.kv_b_proj", "latent.kv_b");
  n.linear("self_attn.o_proj", "latent.o");
}

// The whole model; `sparse(names)` adds the tensors of a layer's experts, `dense` prefixes those of its feed-forward.
template <class Sparse> Family decoder_family(const TransformerConfig& sizes, const string& dense, Sparse&& sparse) {
  const TransformerConfig c = atom::models::resolved(sizes);
  Names n;
  n.linear("model.embed_tokens", "embedding");
  n.linear("model.norm", "norm");
  if (!c.tie_embeddings) n.linear("lm_head", "head");
  for (Index i = 0; i < c.layers; ++i) {
    n.from = atom::to_text("model.layers.", i, ".");
    n.to = atom::to_text("blocks.", i, ".");
    n.linear("input_layernorm", "norm1");
    n.linear("post_attention_layernorm", "norm2");
    if (c.latent.kv_rank > 0)
      latent_names(n, c);
    else
      attention_names(n, c);
    if (!c.layer.empty() && c.layer[static_cast<std::size_t>(i)].sparse)
      sparse(n);
    else
      n.gated(dense, "feed_forward.");
  }
  return {sizes, std::move(n.entries)};
}

// ---- families -------------------------------------------------------------------------------------------------------

// Moonlight is the same with q_lora_rank null, Kimi K2 the same under its own name.
inline Family deepseek_v3(const Json& j) {
  auto c = decoder(j);
  c.rope_pairing = atom::RopePairing::interleaved;
  c.latent = {.q_rank = j.get_optional<Index>("q_lora_rank").value_or(0),
              .kv_rank = j.get<Index>("kv_lora_rank"),
              .nope_dim = j.get<Index>("qk_nope_head_dim"),
              .rope_dim = j.get<Index>("qk_rope_head_dim"),
              .value_dim = j.get<Index>("v_head_dim")};
  if (const auto& s = c.rope_scaling; s.mscale_all_dim != 0)
    c.attention_scale = std::pow(atom::ops::yarn_magnitude(s.factor, s.mscale_all_dim), 2) /
                        std::sqrt(static_cast<double>(c.latent.nope_dim + c.latent.rope_dim));
  const auto expert_width = j.get<Index>("moe_intermediate_size");
  c.moe = {.experts = j.get<Index>("n_routed_experts"),
           .active = j.get<Index>("num_experts_per_tok"),
           .expert_width = expert_width,
           .shared_width = j.get<Index>("n_shared_experts") * expert_width,
           .select_bias = true,
           .first_dense = j.get<Index>("first_k_dense_replace"),
           .router = {.score = atom::nn::RouterScore::sigmoid,
                      .normalise = j.get<bool>("norm_topk_prob"),
                      .scale = j.get<double>("routed_scaling_factor"),
                      .groups = j.get<Index>("n_group"),
                      .top_groups = j.get<Index>("topk_group")}};
  return decoder_family(c, "mlp.", [&](Names& n) {
    n.linear("mlp.gate", "experts.router");
    n.copy("mlp.gate.e_score_correction_bias", "experts.select_bias");
    n.experts("mlp.experts.", c.moe.experts, projections);
    n.gated("mlp.shared_experts.", "experts.shared.");
  });
}

inline Family mixtral(const Json& j) {
  auto c = decoder(j, 1e6);
  c.moe = {.experts = j.get<Index>("num_local_experts"),
           .active = j.get<Index>("num_experts_per_tok"),
           .router = {.normalise = true}};
  return decoder_family(c, "", [&](Names& n) {
    n.linear("block_sparse_moe.gate", "experts.router");
    n.experts("block_sparse_moe.experts.", c.moe.experts, {"w1", "w3", "w2"});
  });
}

inline Family olmoe(const Json& j) {
  auto c = decoder(j);
  c.qk_norm = atom::nn::QkNorm::whole;
  c.moe = {.experts = j.get<Index>("num_experts"),
           .active = j.get<Index>("num_experts_per_tok"),
           .router = {.normalise = j.get<bool>("norm_topk_prob")}};
  return decoder_family(c, "", [&](Names& n) {
    n.linear("mlp.gate", "experts.router");
    n.experts("mlp.experts.", c.moe.experts, projections);
  });
}

inline Family qwen2_moe(const Json& j) {
  auto c = decoder(j);
  c.qkv_bias = true;
  c.moe = {.experts = j.get<Index>("num_experts"),
           .active = j.get<Index>("num_experts_per_tok"),
           .expert_width = j.get<Index>("moe_intermediate_size"),
           .shared_width = j.get<Index>("shared_expert_intermediate_size"),
           .shared_gate = true,
           .every = j.get<Index>("decoder_sparse_step"),
           .router = {.normalise = j.get<bool>("norm_topk_prob")}};
  return decoder_family(c, "mlp.", [&](Names& n) {
    n.linear("mlp.gate", "experts.router");
    n.experts("mlp.experts.", c.moe.experts, projections);
    n.gated("mlp.shared_expert.", "experts.shared.");
    n.linear("mlp.shared_expert_gate", "experts.shared_gate");
  });
}

inline Family gpt_oss(const Json& j) {
  auto c = decoder(j, 150000);
  c.qkv_bias = c.o_bias = true;
  c.sinks = true;
  c.moe = {.experts = j.get<Index>("num_local_experts"),
           .active = j.get<Index>("num_experts_per_tok"),
           .router_bias = true,
           .expert_bias = true,
           .clamped = true,
           .clamp_limit = j.get<double>("swiglu_limit"),
           .router = {.normalise = true}};
  for (Index i = 0; i < c.layers; ++i)
    c.layer.push_back({.window = i % 2 == 0 ? j.get<Index>("sliding_window") : 0, .sparse = true});
  return decoder_family(c, "", [&](Names& n) {
    n.linear("mlp.router", "experts.router", true);
    n.stacked_experts("mlp.experts", c.feed_forward, true, true);
  });
}

inline Family llama4(const Json& j) {
  auto c = decoder(j, 500000);
  const Index expert_width = c.feed_forward, step = j.get<Index>("interleave_moe_layer_step");
  c.feed_forward = j.get<Index>("intermediate_size_mlp");
  c.rope_pairing = atom::RopePairing::interleaved;
  if (j.get<bool>("use_qk_norm")) c.qk_norm = atom::nn::QkNorm::per_head;
  c.qk_norm_weight = false;
  c.qk_norm_after_rope = true;
  c.temperature_beta = j.get<double>("attn_scale");
  c.temperature_floor = j.get<double>("floor_scale");
  c.moe = {.experts = j.get<Index>("num_local_experts"),
           .active = j.get<Index>("num_experts_per_tok"),
           .expert_width = expert_width,
           .shared_width = expert_width,
           .scale_input = true,
           .router = {.score = atom::nn::RouterScore::sigmoid}};
  const auto rotates = j.get<std::vector<int>>("no_rope_layers");  // 1: it does rotate
  for (Index i = 0; i < c.layers; ++i) {
    const bool turns = rotates.at(static_cast<std::size_t>(i)) != 0;
    c.layer.push_back({.chunk = turns ? j.get<Index>("attention_chunk_size") : 0,
                       .rotates = turns,
                       .temperature = !turns && j.get<bool>("attn_temperature_tuning"),
                       .qk_norm = turns,
                       .sparse = (i + 1) % step == 0});
  }
  return decoder_family(c, "feed_forward.", [&](Names& n) {
    n.linear("feed_forward.router", "experts.router");
    n.stacked_experts("feed_forward.experts", expert_width, false, false);
    n.gated("feed_forward.shared_expert.", "experts.shared.");
  });
}

inline Family family_of(const Json& j) {
  const auto type = j.get<string>("model_type");
  if (type == "deepseek_v3" || type == "kimi_k2") return deepseek_v3(j);
  if (type == "mixtral") return mixtral(j);
  if (type == "olmoe") return olmoe(j);
  if (type == "qwen2_moe") return qwen2_moe(j);
  if (type == "gpt_oss") return gpt_oss(j);
  if (type == "llama4_text") return llama4(j);
  atom::fail("oracle", "no function for model_type ", type);
}

}  // namespace oracle

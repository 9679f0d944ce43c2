// SPDX-License-Identifier: Apache-2.0
// config.json of a Transformer that no published family describes: every member of its config under its own name. One
// list of members serves writing and reading.
#pragma once

#include "family.hpp"

namespace atom::pretrained::detail {

inline constexpr std::string_view norm_names[] = {"rms", "layer"};
inline constexpr std::string_view pairing_names[] = {"half_split", "interleaved"};
inline constexpr std::string_view qk_norm_names[] = {"none", "per_head", "whole"};
inline constexpr std::string_view score_names[] = {"softmax", "sigmoid", "sparse_mixer"};
inline constexpr std::string_view residual_names[] = {"sequential", "parallel", "parallel_one_norm"};
inline constexpr std::string_view scaling_names[] = {"none",   "linear", "dynamic",  "ntk_alpha",
                                                     "llama3", "yarn",   "longrope", "factors"};

// f(name, member) for all members; enums come with the names of their values, parts as f(name, part, fields).
template <class Scaling, class F> void scaling_fields(Scaling& s, F&& f) {
  f("kind", s.kind, scaling_names);
  f("factor", s.factor);
  f("alpha", s.alpha);
  f("original_context", s.original_context);
  f("low_turns", s.low_turns);
  f("high_turns", s.high_turns);
  f("beta_fast", s.beta_fast);
  f("beta_slow", s.beta_slow);
  f("truncate", s.truncate);
  f("mscale", s.mscale);
  f("mscale_all_dim", s.mscale_all_dim);
  f("magnitude", s.magnitude);
  f("short_factors", s.short_factors);
  f("long_factors", s.long_factors);
  f("short_magnitude", s.short_magnitude);
  f("long_magnitude", s.long_magnitude);
}
template <class Latent, class F> void latent_fields(Latent& a, F&& f) {
  f("q_rank", a.q_rank);
  f("kv_rank", a.kv_rank);
  f("nope_dim", a.nope_dim);
  f("rope_dim", a.rope_dim);
  f("value_dim", a.value_dim);
}
template <class Router, class F> void router_fields(Router& r, F&& f) {
  f("score", r.score, score_names);
  f("normalise", r.normalise);
  f("scale", r.scale);
  f("groups", r.groups);
  f("top_groups", r.top_groups);
  f("jitter", r.jitter);
  f("balance", r.balance);
  f("sequence_balance", r.sequence_balance);
  f("z", r.z);
}
// What training needs and published forms do not say.
template <class Config, class F> void training_fields(Config& c, F&& f) {
  f("dropout", c.dropout);
  f("mtp_weight", c.mtp_weight);
  f("jitter", c.moe.router.jitter);
  f("balance", c.moe.router.balance);
  f("sequence_balance", c.moe.router.sequence_balance);
  f("z", c.moe.router.z);
}
template <class Moe, class F> void moe_fields(Moe& m, F&& f) {
  f("experts", m.experts);
  f("active", m.active);
  f("expert_width", m.expert_width);
  f("shared_width", m.shared_width);
  f("shared_gate", m.shared_gate);
  f("router_bias", m.router_bias);
  f("expert_bias", m.expert_bias);
  f("select_bias", m.select_bias);
  f("scale_input", m.scale_input);
  f("clamped", m.clamped);
  f("clamp_alpha", m.clamp_alpha);
  f("clamp_limit", m.clamp_limit);
  f("first_dense", m.first_dense);
  f("every", m.every);
  f("router", m.router, [](auto& part, auto&& visit) { router_fields(part, visit); });
}
template <class Layer, class F> void layer_fields(Layer& l, F&& f) {
  f("window", l.window);
  f("chunk", l.chunk);
  f("rotates", l.rotates);
  f("local_rope", l.local_rope);
  f("temperature", l.temperature);
  f("qk_norm", l.qk_norm);
  f("sparse", l.sparse);
}
template <class Config, class F> void config_fields(Config& c, F&& f) {
  f("vocab_size", c.vocab);
  f("context", c.context);
  f("layers", c.layers);
  f("heads", c.heads);
  f("kv_heads", c.kv_heads);
  f("width", c.width);
  f("head_dim", c.head_dim);
  f("feed_forward", c.feed_forward);
  f("norm", c.norm, norm_names);
  f("norm_eps", c.norm_eps);
  f("norm_weight", c.norm_weight);
  f("norm_offset", c.norm_offset);
  f("pre_norm", c.pre_norm);
  f("post_norm", c.post_norm);
  f("residual", c.residual, residual_names);
  f("embedding_scale", c.embedding_scale);
  f("embedding_norm", c.embedding_norm);
  f("branch_scale", c.branch_scale);
  f("logit_scale", c.logit_scale);
  f("logit_cap", c.logit_cap);
  f("learned_positions", c.learned_positions);
  f("alibi", c.alibi);
  f("rope_theta", c.rope_theta);
  f("local_rope_theta", c.local_rope_theta);
  f("rope_pairing", c.rope_pairing, pairing_names);
  f("rotary_dim", c.rotary_dim);
  f("rope_scaling", c.rope_scaling, [](auto& part, auto&& visit) { scaling_fields(part, visit); });
  f("qk_norm", c.qk_norm, qk_norm_names);
  f("qk_norm_weight", c.qk_norm_weight);
  f("qk_norm_after_rope", c.qk_norm_after_rope);
  f("sinks", c.sinks);
  f("attention_scale", c.attention_scale);
  f("attention_cap", c.attention_cap);
  f("clip_qkv", c.clip_qkv);
  f("temperature_beta", c.temperature_beta);
  f("temperature_floor", c.temperature_floor);
  f("temperature_offset", c.temperature_offset);
  f("latent", c.latent, [](auto& part, auto&& visit) { latent_fields(part, visit); });
  f("activation", c.activation, activation_names);
  f("gated", c.gated);
  f("qkv_bias", c.qkv_bias);
  f("o_bias", c.o_bias);
  f("ffn_bias", c.ffn_bias);
  f("tie_word_embeddings", c.tie_embeddings);
  f("head_bias", c.head_bias);
  f("dropout", c.dropout);
  f("moe", c.moe, [](auto& part, auto&& visit) { moe_fields(part, visit); });
  f("mtp", c.mtp);
  f("mtp_weight", c.mtp_weight);
  f("layer", c.layer, [](auto& part, auto&& visit) { layer_fields(part, visit); });
}

// What a part is not different in from one made by default is left out, and reads back as that.
class FieldWriter {
 public:
  explicit FieldWriter(io::Json& json) : json_(json) {}

  template <class V> void operator()(const char* name, const V& value) { json_.set(name, value); }
  template <class V, std::size_t n>
  void operator()(const char* name, const V& value, const std::string_view (&names)[n]) {
    json_.set(name, names[static_cast<std::size_t>(value)]);
  }
  template <class V, class Fields> void operator()(const char* name, const V& part, const Fields& fields) {
    if (part != V{}) json_.set(name, object(part, fields));
  }
  template <class V, class Fields>
  void operator()(const char* name, const std::vector<V>& parts, const Fields& fields) {
    io::Json::Array list;
    for (const V& part : parts) list.push_back(object(part, fields));
    if (!list.empty()) json_.set(name, list);
  }

 private:
  template <class V, class Fields> static io::Json object(const V& part, const Fields& fields) {
    auto json = io::Json::object();
    FieldWriter writer(json);
    fields(part, writer);
    return json;
  }
  io::Json& json_;
};

class FieldReader {
 public:
  explicit FieldReader(const io::Json& json) : json_(json) {}

  template <class V> void operator()(const char* name, V& value) const { value = json_.get_or<V>(name, value); }
  void operator()(const char* name, std::vector<double>& values) const {
    const io::Json* const list = json_.find(name);
    values.clear();
    if (list)
      for (const auto& value : list->elements(name)) values.push_back(value.as<double>());
  }
  template <class V, std::size_t n>
  void operator()(const char* name, V& value, const std::string_view (&names)[n]) const {
    const auto text = json_.get_or<std::string>(name, std::string(names[static_cast<std::size_t>(value)]));
    const auto* const found = std::ranges::find(names, text);
    check(found != std::end(names), "config.json", io::in_quotes(name), ": unknown value ", io::in_quotes(text));
    value = static_cast<V>(found - std::begin(names));
  }
  template <class V, class Fields> void operator()(const char* name, V& part, const Fields& fields) const {
    if (const io::Json* const json = json_.find(name)) fields(part, FieldReader(*json));
  }
  template <class V, class Fields>
  void operator()(const char* name, std::vector<V>& parts, const Fields& fields) const {
    const io::Json* const list = json_.find(name);
    if (!list) return;
    for (const auto& json : list->elements(name)) fields(parts.emplace_back(), FieldReader(json));
  }

 private:
  const io::Json& json_;
};

inline io::Json atom_json(const models::TransformerConfig& c) {
  auto json = io::Json::object({{"model_type", "atom"}});
  config_fields(c, FieldWriter(json));
  return json;
}

// Error: a member of the wrong type; no "vocab_size".
inline models::TransformerConfig atom_config(const io::Json& json) {
  models::TransformerConfig c;
  json.get<Index>("vocab_size");
  config_fields(c, FieldReader(json));
  return c;
}

template <class Part, class Fields> io::Json all_members(const Part& part, const Fields& fields) {
  auto json = io::Json::object();
  fields(part, FieldWriter(json));
  return json;
}

// Members of `json` that are not the same in `usual`, inner objects by their own members.
inline io::Json members_unlike(const io::Json& json, const io::Json& usual) {
  auto result = io::Json::object();
  for (const auto& [name, value] : json.members()) {
    const io::Json* const other = usual.find(name);
    if (other && value == *other) continue;
    result.set(name, value.is_object() && other && other->is_object() ? members_unlike(value, *other) : value);
  }
  return result;
}

}  // namespace atom::pretrained::detail

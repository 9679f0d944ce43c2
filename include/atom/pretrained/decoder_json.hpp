// SPDX-License-Identifier: Apache-2.0
// What families say in the same words, written: the inverse of decoder_config, rope_keys and set_layers. A family's
// writer says what its class in `transformers` reads; whether that says the model is found out by reading it back.
#pragma once

#include "family.hpp"

namespace atom::pretrained::detail {

inline std::string_view activation_name(Activation activation) {
  return activation_names[static_cast<std::size_t>(activation)];
}

inline io::Json without(const io::Json& object, std::string_view name) {
  auto rest = io::Json::object();
  for (const auto& [key, value] : object.members())
    if (key != name) rest.set(key, value);
  return rest;
}

// x, or the whole number that it was before a reciprocal or a root was taken and undone: an integer, which some classes
// insist on.
inline io::Json whole_number(double x) {
  const bool whole = std::abs(x - std::round(x)) < 1e-9 * x && x < 1e15;
  return whole ? io::Json(static_cast<Index>(std::round(x))) : io::Json(x);
}

inline double head_scale(const models::TransformerConfig& c) {
  return c.attention_scale > 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_dim));
}

// The parameters of Llama 3.1 to 3.3, if they give these factors.
inline std::optional<ops::RopeScaling> llama3_of(const models::TransformerConfig& c) {
  const auto& factors = c.rope_scaling.short_factors;
  if (factors.empty() || 2 * std::ssize(factors) != c.rotary_dim) return std::nullopt;
  const ops::RopeScaling scaling{
      .kind = ops::RopeScaling::Kind::llama3, .factor = std::ranges::max(factors), .original_context = 8192};
  const auto plain = ops::rope_frequencies(c.rotary_dim, c.rope_theta);
  const auto scaled = ops::rope_angles({c.rope_theta, c.rotary_dim, c.rope_pairing, scaling}, c.context).frequencies;
  for (std::size_t i = 0; i < scaled.size(); ++i)
    if (std::abs(plain[i] / scaled[i] - factors[i]) > 1e-6 * factors[i]) return std::nullopt;
  return scaling;
}

// Null where nothing is scaled, or by a kind that only some families have.
inline io::Json scaling_json(const models::TransformerConfig& c) {
  using Kind = ops::RopeScaling::Kind;
  constexpr std::string_view types[] = {"default", "linear", "dynamic", "dynamic", "llama3", "yarn", "longrope"};
  ops::RopeScaling s = c.rope_scaling;
  if (s.kind == Kind::factors) {
    const ops::RopeScaling always{.kind = Kind::longrope,
                                  .original_context = c.context,
                                  .magnitude = 1,
                                  .short_factors = s.short_factors,
                                  .long_factors = s.short_factors};
    s = llama3_of(c).value_or(always);
  }
  if (s.kind == Kind::none || s.kind == Kind::ntk_alpha) return {};
  auto json = io::Json::object({{"rope_type", types[static_cast<std::size_t>(s.kind)]}});
  if (s.kind != Kind::longrope) json.set("factor", s.factor);
  if (s.kind == Kind::linear || s.kind == Kind::dynamic) return json;
  json.set("original_max_position_embeddings", s.original_context);
  if (s.magnitude != 0) json.set("attention_factor", s.magnitude);
  if (s.kind == Kind::llama3) {
    json.set("low_freq_factor", s.low_turns).set("high_freq_factor", s.high_turns);
  } else if (s.kind == Kind::longrope) {
    json.set("short_factor", s.short_factors).set("long_factor", s.long_factors);
  } else {
    json.set("beta_fast", s.beta_fast).set("beta_slow", s.beta_slow);
    if (!s.truncate) json.set("truncate", false);
    if (s.mscale != 0) json.set("mscale", s.mscale);
    if (s.mscale_all_dim != 0) json.set("mscale_all_dim", s.mscale_all_dim);
  }
  return json;
}

// `rope_parameters`, of families that had no other form.
inline io::Json rope_parameters(const models::TransformerConfig& c, double theta, bool scaled = true) {
  auto json = scaled ? scaling_json(c) : io::Json();
  if (json.is_null()) json.set("rope_type", "default");
  return json.set("rope_theta", theta);
}

inline Index published_positions(const models::TransformerConfig& c) {
  return c.rope_scaling.kind == ops::RopeScaling::Kind::dynamic ? c.rope_scaling.original_context : c.context;
}

// Families whose heads turn in part add set_partial.
inline io::Json decoder_json(const models::TransformerConfig& c, const char* eps_key = "rms_norm_eps") {
  auto json = io::Json::object({{"vocab_size", c.vocab},
                                {"max_position_embeddings", published_positions(c)},
                                {"hidden_size", c.width},
                                {"intermediate_size", c.feed_forward},
                                {"num_hidden_layers", c.layers},
                                {"num_attention_heads", c.heads},
                                {"num_key_value_heads", c.kv_heads},
                                {"head_dim", c.head_dim},
                                {"hidden_act", activation_name(c.activation)},
                                {eps_key, c.norm_eps},
                                {"rope_theta", c.rope_theta},
                                {"attention_dropout", 0.0},
                                {"tie_word_embeddings", c.tie_embeddings},
                                {"pad_token_id", nullptr}});  // what is absent may be beyond the vocabulary
  const auto scaling = scaling_json(c);
  if (!scaling.is_null()) json.set("rope_scaling", scaling);
  if (!scaling.is_null() && scaling.contains("long_factor"))  // Phi reads it here
    json.set("original_max_position_embeddings", scaling.at("original_max_position_embeddings"));
  return json;
}

// The share of a head that turns, from which readers compute the number by cutting.
inline double partial_rotary(const models::TransformerConfig& c) {
  const double width = static_cast<double>(c.head_dim), turned = static_cast<double>(c.rotary_dim);
  const double share = turned / width;
  return width * share < turned ? std::nextafter(share, 1.0) : share;
}
inline void set_partial(io::Json& json, const models::TransformerConfig& c) {
  json.set("partial_rotary_factor", partial_rotary(c));
}

// The first window, or null.
inline io::Json window_json(const models::TransformerConfig& c) {
  const auto found = std::ranges::find_if(c.layer, [](const auto& layer) { return layer.window > 0; });
  return found == c.layer.end() ? io::Json() : io::Json(found->window);
}
// `layer_types` and the window.
inline void set_layer_types(io::Json& json, const models::TransformerConfig& c) {
  std::vector<std::string> types(static_cast<std::size_t>(c.layers), "full_attention");
  for (std::size_t i = 0; i < c.layer.size(); ++i) {
    if (c.layer[i].window > 0) types[i] = "sliding_attention";
    if (c.layer[i].chunk > 0) types[i] = "chunked_attention";
  }
  json.set("sliding_window", window_json(c)).set("layer_types", types);
}

// The layers of which `is` is true.
template <class Is> std::vector<Index> layers_that(const models::TransformerConfig& c, Is is) {
  std::vector<Index> found;
  for (std::size_t i = 0; i < c.layer.size(); ++i)
    if (is(c.layer[i])) found.push_back(static_cast<Index>(i));
  return found;
}
// Where experts begin.
inline Index dense_layers(const models::TransformerConfig& c) {
  const auto sparse = layers_that(c, [](const auto& layer) { return layer.sparse; });
  return sparse.empty() ? c.layers : sparse[0];
}
// 1 for each layer that turns.
inline std::vector<int> rotating_layers(const models::TransformerConfig& c) {
  std::vector<int> rotates(static_cast<std::size_t>(c.layers), 1);
  for (std::size_t i = 0; i < c.layer.size(); ++i) rotates[i] = c.layer[i].rotates ? 1 : 0;
  return rotates;
}

}  // namespace atom::pretrained::detail

// SPDX-License-Identifier: Apache-2.0
// Whether two configs compute the same from the same weights, whatever they say of training.
#pragma once

#include "atom_config.hpp"

namespace atom::pretrained::detail {

// What a config computes, without what matters to training alone and what has no effect.
inline models::TransformerConfig computed(models::TransformerConfig c) {
  using models::TransformerConfig;
  const TransformerConfig usual;
  const auto any = [&](auto member) { return std::ranges::any_of(c.layer, member); };
  c.layer.resize(static_cast<std::size_t>(c.layers));
  for (auto& layer : c.layer) {
    layer.qk_norm = layer.qk_norm || c.qk_norm == nn::QkNorm::none;
    if (layer.window >= c.context) layer.window = 0;
    if (layer.chunk >= c.context) layer.chunk = 0;
  }
  if (!any(&models::LayerConfig::local_rope)) c.local_rope_theta = usual.local_rope_theta;
  if (!any(&models::LayerConfig::temperature)) {
    c.temperature_beta = usual.temperature_beta;
    c.temperature_floor = usual.temperature_floor;
    c.temperature_offset = usual.temperature_offset;
  }
  auto& m = c.moe;
  if (!any(&models::LayerConfig::sparse)) m = {};
  m.first_dense = usual.moe.first_dense;
  m.every = usual.moe.every;
  m.router.balance = m.router.sequence_balance = m.router.z = 0;
  if (m.router.score != nn::RouterScore::sparse_mixer) m.router.jitter = 0;
  if (m.experts > 0 && std::ranges::all_of(c.layer, &models::LayerConfig::sparse)) c.feed_forward = m.expert_width;
  c.dropout = 0;
  c.mtp = 0;
  c.mtp_weight = usual.mtp_weight;
  c.norm_offset = 0;  // the norms are written with it
  const Index head = c.latent.kv_rank > 0 ? c.latent.nope_dim + c.latent.rope_dim : c.head_dim;
  const double scale = 1 / std::sqrt(static_cast<double>(head));
  if (std::abs(c.attention_scale - scale) < 1e-6 * scale) c.attention_scale = 0;
  if (c.latent.kv_rank > 0) c.kv_heads = c.heads, c.head_dim = 0;
  if (!c.rotary()) {
    c.rope_theta = usual.rope_theta;
    c.rotary_dim = 0;
    c.rope_pairing = usual.rope_pairing;
  }
  c.rope_scaling = {};  // see same_angles
  return c;
}

inline bool close(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)); }

// For texts of every length.
inline bool same_angles(const models::TransformerConfig& a, const models::TransformerConfig& b) {
  if (!a.rotary() || !b.rotary()) return a.rotary() == b.rotary();
  if (a.rope_scaling == b.rope_scaling) return close(a.rope_theta, b.rope_theta);
  constexpr Index widest = 1 << 16;  // far beyond any head
  if (a.rotary_dim != b.rotary_dim || a.rotary_dim > widest) return false;
  const Index original = std::max<Index>(a.rope_scaling.original_context, 1);
  for (const Index length : {Index{1}, std::min(original + 1, a.context), a.context}) {
    const auto of = [length](const models::TransformerConfig& c) {
      const ops::RopeSpec spec{c.rope_theta, c.rotary_dim, c.rope_pairing, c.rope_scaling};
      return ops::rope_angles(spec, length);
    };
    const ops::RopeAngles x = of(a), y = of(b);
    if (!close(x.magnitude, y.magnitude) || !std::ranges::equal(x.frequencies, y.frequencies, close)) return false;
  }
  return true;
}

// Calls f(double&) for the numbers of a config with a fraction, but those of its layers and scalings.
template <class F> struct EachReal {
  F& f;

  template <class V> void operator()(const char*, V& value) const {
    if constexpr (std::is_same_v<V, double>) f(value);
  }
  template <class V, std::size_t n> void operator()(const char*, V&, const std::string_view (&)[n]) const {}
  template <class V, class Fields> void operator()(const char*, V& part, const Fields& fields) const {
    fields(part, *this);
  }
  template <class V, class Fields> void operator()(const char*, std::vector<V>&, const Fields&) const {}
};

// Makes the numbers of `b` those of `a` where 32 bits in between have changed no more than the last of them.
inline void ignore_rounding(models::TransformerConfig& a, models::TransformerConfig& b) {
  std::vector<double> numbers;
  std::size_t next = 0;
  const auto collect = [&](double& value) { numbers.push_back(value); };
  const auto set = [&](double& value) {
    if (const double other = numbers[next++]; close(value, other)) value = other;
  };
  config_fields(a, EachReal<const decltype(collect)>{collect});
  config_fields(b, EachReal<const decltype(set)>{set});
}

// The members in which two configs differ, for a sentence; nothing if they compute the same.
inline std::string differences(const models::TransformerConfig& a, const models::TransformerConfig& b) {
  std::string names;
  const auto add = [&](std::string_view name) { names += (names.empty() ? "" : ", ") + std::string(name); };
  auto x = computed(a), y = computed(b);
  ignore_rounding(x, y);
  const auto first = atom_json(x), second = atom_json(y);
  for (const auto& [name, value] : first.members())
    if (const auto* other = second.find(name); !other || *other != value) add(name);
  for (const auto& [name, value] : second.members())
    if (!first.contains(name)) add(name);
  if (!same_angles(a, b)) add("rope_scaling");
  return names;
}

}  // namespace atom::pretrained::detail

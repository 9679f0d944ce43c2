// SPDX-License-Identifier: Apache-2.0
// Configurations for readers: what a model has that a plain Llama block of its sizes has not, and which layers differ.
#pragma once

#include "atom_config.hpp"

namespace atom::pretrained {

namespace detail {

// The layers of which `has` is true, in the shortest words that say which.
inline std::string layers_where(const std::vector<bool>& has) {
  const auto n = std::ssize(has), count = std::ranges::count(has, true);
  if (count == n) return "all layers";
  if (std::ranges::is_sorted(has)) return to_text("all but the first ", n - count);
  if (std::ranges::is_sorted(has, std::greater())) return to_text("the first ", count);
  for (std::ptrdiff_t period = 2; 2 * period <= n; ++period)
    if (std::equal(has.begin() + period, has.end(), has.begin()))
      return to_text(std::count(has.begin(), has.begin() + period, true), " of ", period, " layers");
  std::string text = "layers";
  for (std::ptrdiff_t first = 0, last = 0; first < n; first = last + 1) {
    const auto at = [&](std::ptrdiff_t i) { return has[static_cast<std::size_t>(i)]; };
    last = first;
    if (!at(first)) continue;
    while (last + 1 < n && at(last + 1)) ++last;
    text += to_text(text == "layers" ? " " : ", ", first);
    if (last > first) text += to_text("-", last);
  }
  return text;
}

}  // namespace detail

// The members of a config in our own form (model_type atom) that a plain Llama of the same sizes has not: RMS norms
// before each branch, rotary positions, causal attention, gated SiLU. Sizes and layers are left out.
inline io::Json unlike_llama(const models::TransformerConfig& config) {
  auto c = models::resolved(config);
  c.layer.clear();
  auto plain = models::TransformerConfig::llama(c.vocab, c.layers, c.heads, c.width, c.context);
  plain.kv_heads = c.kv_heads;
  plain.head_dim = c.head_dim;
  plain.feed_forward = c.feed_forward;
  auto usual = detail::atom_json(models::resolved(plain));
  usual.set("rope_scaling",
            detail::all_members(ops::RopeScaling(), [](auto&& s, auto&& f) { detail::scaling_fields(s, f); }));
  usual.set("latent",
            detail::all_members(models::LatentConfig(), [](auto&& a, auto&& f) { detail::latent_fields(a, f); }));
  auto moe = detail::all_members(models::MoeConfig{.active = 0}, [](auto&& m, auto&& f) { detail::moe_fields(m, f); });
  moe.set("router", detail::all_members(nn::TopKRouter(), [](auto&& r, auto&& f) { detail::router_fields(r, f); }));
  usual.set("moe", moe);
  return detail::members_unlike(detail::atom_json(c), usual);
}

// Which layers have what not all models have: "window 4096 on 5 of 6 layers, experts on all but the first 3"; empty if
// they are alike and plain. "m of p layers": they repeat with the period p.
inline std::string layer_pattern(const models::TransformerConfig& config) {
  const auto c = models::resolved(config);
  std::string text;
  const auto add = [&](const std::string& what, auto has) {
    std::vector<bool> layers;
    for (const auto& layer : c.layer) layers.push_back(has(layer));
    if (std::ranges::count(layers, true) > 0)
      text += to_text(text.empty() ? "" : ", ", what, " on ", detail::layers_where(layers));
  };
  std::set<Index> windows, chunks;
  for (const auto& layer : c.layer) {
    windows.insert(layer.window);
    chunks.insert(layer.chunk);
  }
  for (const Index window : windows)
    if (window > 0) add(to_text("window ", window), [&](const auto& layer) { return layer.window == window; });
  for (const Index chunk : chunks)
    if (chunk > 0) add(to_text("chunks of ", chunk), [&](const auto& layer) { return layer.chunk == chunk; });
  if (c.rotary()) add("no positions", [](const auto& layer) { return !layer.rotates; });
  add("local rope", [](const auto& layer) { return layer.local_rope; });
  add("temperature", [](const auto& layer) { return layer.temperature; });
  if (c.qk_norm != nn::QkNorm::none) add("no qk norm", [](const auto& layer) { return !layer.qk_norm; });
  add("experts", [](const auto& layer) { return layer.sparse; });
  return text;
}

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// config_json: the config.json of a model of our own, or from a file of another kind, in the form of the family that
// it fits.
#pragma once

#include "families.hpp"
#include "same_model.hpp"

namespace atom::pretrained {

namespace detail {

// The config without the list of its layers where they are all plain.
inline models::TransformerConfig unlisted(models::TransformerConfig c) {
  const auto plain = [](const models::LayerConfig& layer) { return layer == models::LayerConfig(); };
  if (std::ranges::all_of(c.layer, plain)) c.layer.clear();
  return c;
}

// A config as a family says it, or nothing where its form says another model. What it does not say of training stands
// under "atom".
inline std::optional<io::Json> said_by(const Family& family, const models::TransformerConfig& c) {
  auto json = io::Json::object(
      {{"architectures", std::vector<std::string>{family.architecture}}, {"model_type", family.model_type}});
  try {
    const io::Json own = family.json(c);
    if (own.is_null()) return std::nullopt;
    for (const auto& [name, value] : own.members()) json.set(name, value);
    const auto said = read_config(json).config;
    using Kind = ops::RopeScaling::Kind;
    if (const Kind kind = c.rope_scaling.kind; kind != said.rope_scaling.kind && kind != Kind::factors)
      return std::nullopt;
    if (!differences(c, said).empty() || said.norm_offset != c.norm_offset || said.mtp != c.mtp) return std::nullopt;
    const auto rest = members_unlike(atom_json(unlisted(c)), atom_json(unlisted(said)));
    if (!rest.members().empty()) json.set("atom", rest);
    if (unlisted(read_config(json).config) != unlisted(c)) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  return json;
}

}  // namespace detail

// The config.json that read_config reads as this config: of the family named, if that says the model; else of the first
// that says it without a word of our own, or with some; else in our own form (model_type atom), for our own programs.
inline io::Json config_json(const models::TransformerConfig& config, std::string_view model_type = {}) {
  const auto c = models::resolved(config);
  std::optional<io::Json> nearest;
  for (const Family& family : families())
    if (family.model_type == model_type) nearest = detail::said_by(family, c);
  if (nearest) return *nearest;
  for (const Family& family : families()) {
    auto json = detail::said_by(family, c);
    if (json && !json->contains("atom")) return *json;
    if (json && !nearest) nearest = std::move(json);
  }
  return nearest ? *nearest : detail::atom_json(c);
}

}  // namespace atom::pretrained

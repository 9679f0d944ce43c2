// SPDX-License-Identifier: Apache-2.0
// config_json: the config.json of a model of our own, or from a file of another kind, in the form of the family that
// it fits.
#pragma once

#include "families.hpp"
#include "same_model.hpp"

namespace atom::pretrained {

namespace detail {

// Whether a config says the model of another one, whatever it says of training.
inline bool says(const models::TransformerConfig& said, const models::TransformerConfig& c) {
  return computed(said) == computed(c) && said.norm_offset == c.norm_offset && said.mtp == c.mtp &&
         same_angles(said, c);
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
    if (!says(said, c)) return std::nullopt;
    const auto fields = [](auto&& config, auto&& f) { training_fields(config, f); };
    const auto rest = members_unlike(all_members(c, fields), all_members(said, fields));
    if (!rest.members().empty()) json.set("atom", rest);
  } catch (const Error&) {
    return std::nullopt;
  }
  return json;
}

}  // namespace detail

// The config.json that read_config reads as this model: of the family named, if that says it; else of the first that
// says it without a word of our own, or with some; else in our own form (model_type atom), for our own programs.
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

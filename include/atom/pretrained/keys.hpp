// SPDX-License-Identifier: Apache-2.0
// Keys: the members of a config.json while a family's function reads them, so that those it does not know can be told.
#pragma once

#include "../io/json_value.hpp"
#include "../models/config.hpp"

#include <set>

namespace atom::pretrained {

class Keys {
 public:
  // `outer`: the object that this one was found in, where publishers put some of the keys; may be null.
  explicit Keys(const io::Json& json, const io::Json* outer = nullptr) : json_(json), outer_(outer) {}

  // The member as T. An absent one is `fallback`, where there is one; null is an error, and so is a size that no model
  // has: a family may multiply any two.
  template <class T> T get(const char* name) const { return within_sizes(name, said(name).template get<T>(name)); }
  template <class T> T get_or(const char* name, T fallback) const {
    return within_sizes(name, said(name).get_or(name, fallback));
  }
  // Null is nothing, and so is an absent member unless `absent` says what it means.
  template <class T> std::optional<T> optional(const char* name, std::optional<T> absent = {}) const {
    if (!contains(name)) return absent;
    const auto value = said(name).template get_optional<T>(name);
    return value ? std::optional(within_sizes(name, *value)) : std::nullopt;
  }
  // A number that publishers may also write as a list of equal numbers, one for each layer.
  template <class T> T number(const char* name, T fallback) const {
    const io::Json* const value = find(name);
    if (value == nullptr || !value->is_array()) return get_or(name, fallback);
    const auto values = get<std::vector<T>>(name);
    check(!values.empty() && std::ranges::count(values, values[0]) == std::ssize(values), "config.json",
          io::in_quotes(name), ": a list of different numbers is not supported");
    return within_sizes(name, values[0]);
  }

  // The same under the first of several names that is there.
  template <class T> T first_of(std::initializer_list<const char*> names, T fallback) const {
    for (const char* name : names)
      if (contains(name)) return number(name, fallback);
    return fallback;
  }

  // The member itself, or nullptr; null counts as a member.
  const io::Json* find(const char* name) const { return said(name).find(name); }
  bool contains(const char* name) const { return find(name) != nullptr; }

  // Of keys that would change what a model computes. Error: it is there, not null, and another value.
  template <class T> void expect(const char* name, const T& only) const {
    const io::Json* const value = find(name);
    check(value == nullptr || value->is_null() || *value == io::Json(only), "config.json", io::in_quotes(name), ": ",
          value ? to_text(*value) : "", " is not supported, expected ", to_text(io::Json(only)));
  }

  // The names of the members that nobody asked for.
  std::vector<std::string> unread() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : json_.members())
      if (!read_.contains(name)) names.push_back(name);
    return names;
  }

 private:
  template <class T> static T within_sizes(const char* name, T value) {
    if constexpr (std::is_same_v<T, Index>)
      check(value >= -models::max_size && value <= models::max_size, "config.json", io::in_quotes(name), ": found ",
            value, ", expected at most ", models::max_size);
    return value;
  }

  // The object that says it; the inner one has the first word.
  const io::Json& said(const char* name) const {
    read_.insert(name);
    return outer_ != nullptr && !json_.contains(name) && outer_->contains(name) ? *outer_ : json_;
  }

  const io::Json& json_;
  const io::Json* outer_;
  mutable std::set<std::string, std::less<>> read_;
};

// What a config.json says about rotary positions, in either of its forms.
struct RopeKeys {
  double theta = 10000, partial = 1;  // the share of a head that turns
  ops::RopeScaling scaling = {};
};

namespace detail {

inline ops::RopeScaling scaling_from(const io::Json& s, Index positions, std::optional<Index> original) {
  using Kind = ops::RopeScaling::Kind;
  const auto type = s.get_or<std::string>("rope_type", s.get_or<std::string>("type", "default"));
  ops::RopeScaling scaling;
  if (type == "default") return scaling;
  const Index given = s.get_optional<Index>("original_max_position_embeddings").value_or(positions);
  scaling.original_context = original.value_or(given);
  scaling.factor = s.get_optional<double>("factor").value_or(1);
  scaling.magnitude = s.get_optional<double>("attention_factor").value_or(0);
  if (type == "linear") {
    scaling.kind = Kind::linear;
  } else if (type == "dynamic") {
    scaling.kind = s.contains("alpha") ? Kind::ntk_alpha : Kind::dynamic;
    scaling.alpha = s.get_or("alpha", 1.0);
    scaling.original_context = positions;
  } else if (type == "llama3") {
    scaling.kind = Kind::llama3;
    scaling.low_turns = s.get<double>("low_freq_factor");
    scaling.high_turns = s.get<double>("high_freq_factor");
  } else if (type == "yarn") {
    scaling.kind = Kind::yarn;
    scaling.beta_fast = s.get_optional<double>("beta_fast").value_or(32);
    scaling.beta_slow = s.get_optional<double>("beta_slow").value_or(1);
    scaling.truncate = s.get_or("truncate", true);
    scaling.mscale = s.get_optional<double>("mscale").value_or(0);
    scaling.mscale_all_dim = s.get_optional<double>("mscale_all_dim").value_or(0);
  } else if (type == "longrope" || type == "su") {
    scaling.kind = Kind::longrope;
    scaling.short_factors = s.get<std::vector<double>>("short_factor");
    scaling.long_factors = s.get<std::vector<double>>("long_factor");
    scaling.short_magnitude = s.get_or("short_mscale", 0.0);
    scaling.long_magnitude = s.get_or("long_mscale", 0.0);
    scaling.factor = static_cast<double>(positions) / static_cast<double>(std::max<Index>(scaling.original_context, 1));
  } else {
    fail("config.json", "rope_scaling: unknown type ", io::in_quotes(type),
         ", expected default, linear, dynamic, llama3, yarn or longrope");
  }
  return scaling;
}

}  // namespace detail

// `rope_parameters`, whose members may stand under the name of a kind of layer, or `rope_theta`, `rope_scaling` and
// `partial_rotary_factor`. What is absent is as in `usual`. `kind` is empty where all layers turn alike.
inline RopeKeys rope_keys(const Keys& k, RopeKeys usual = {}, const char* kind = "full_attention") {
  const auto positions = k.optional<Index>("max_position_embeddings").value_or(0);
  const auto original = k.optional<Index>("original_max_position_embeddings");
  const io::Json* parameters = k.find("rope_parameters");
  if (parameters && parameters->is_null()) parameters = nullptr;
  if (parameters)
    if (const io::Json* own = parameters->find(kind); own && own->is_object()) parameters = own;
  const io::Json* const old = k.find("rope_scaling");
  const double theta = k.get_or("rope_theta", usual.theta);
  const double partial = k.get_or("partial_rotary_factor", usual.partial);
  if (parameters)
    return {parameters->get_or("rope_theta", theta), parameters->get_or("partial_rotary_factor", partial),
            detail::scaling_from(*parameters, positions, original)};
  return {theta, partial, old && !old->is_null() ? detail::scaling_from(*old, positions, original) : usual.scaling};
}

}  // namespace atom::pretrained

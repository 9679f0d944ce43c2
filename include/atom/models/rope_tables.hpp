// SPDX-License-Identifier: Apache-2.0
// RopeTables: the angles by which a model's queries and keys turn. Layers may have two tables (Gemma 3, OLMo 3), and
// some scalings give another table where a text passes the length that the model was trained on.
#pragma once

#include "../ops/rope.hpp"
#include "config.hpp"

namespace atom::models {

template <class T, class D> class RopeTables {
 public:
  using Table = ops::RopeTable<T, D>;

  RopeTables() = default;
  RopeTables(const TransformerConfig& c, D device)
      : spec_{c.rope_theta, c.rotary_dim, c.rope_pairing, c.rope_scaling}, context_(c.context) {
    if (!c.rotary()) return;
    usual_ = Table(spec_, context_, device, by_length() ? spec_.scaling.original_context : 0);
    if (std::ranges::any_of(c.layer, &LayerConfig::local_rope))
      local_ = Table({c.local_rope_theta, c.rotary_dim, c.rope_pairing}, context_, device);
  }

  // Whether the angles depend on how long the text is: prompt and what was generated.
  bool by_length() const {
    using Kind = ops::RopeScaling::Kind;
    return spec_.scaling.kind == Kind::dynamic || spec_.scaling.kind == Kind::longrope;
  }
  // Keys that were turned in a text of another regime are not valid.
  Index regime(Index length) const { return spec_.scaling.regime(length); }

  // Of the layers without local_rope, for a text of `length` tokens. Undefined: the model has no rotary positions.
  Table usual(Index length) const {
    if (!by_length() || length <= spec_.scaling.original_context) return usual_;
    return Table(spec_, context_, usual_.cosines.device(), length);
  }
  const Table& local() const { return local_; }

 private:
  ops::RopeSpec spec_;
  Index context_ = 0;
  Table usual_, local_;
};

}  // namespace atom::models

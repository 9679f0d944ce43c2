// SPDX-License-Identifier: Apache-2.0
// train_only: a part of a model is trained, and the rest stays as it is bit for bit.
//
//   nn::train_only(model, {"blocks.11.*", "norm.*"});
//   auto optim = optim::AdamW(model);  // of these alone
#pragma once

#include "../core/pattern.hpp"
#include "module.hpp"

#include <algorithm>

namespace atom::nn {

// Makes the parameters whose names match a pattern all that requires a gradient; require_grad(model) takes it back.
// Nothing is changed on an error: a pattern that no name matches; a weight among them that is no tensor.
template <Module M> void train_only(M& model, const std::vector<std::string>& patterns) {
  const auto is_named = [&](const std::string& name) {
    return std::ranges::any_of(patterns, [&](const auto& pattern) { return matches(pattern, name); });
  };
  std::vector<std::string> missing = patterns;
  std::string any;  // name, as an example
  const auto found = [&](const std::string& name) {
    if (any.empty()) any = name;
    std::erase_if(missing, [&](const auto& pattern) { return matches(pattern, name); });
  };
  for_each_tensor(model, [&](const std::string& name, const auto&, Role role) {
    if (role != Role::buffer) found(name);
  });
  for_each_weight(model, [&](const std::string& name, const auto& weight, const auto& stored, Role) {
    found(name);
    check(weight.defined() || !is_named(name), "train_only", "the weight '", name, "' is ",
          stored.defined() ? to_text("stored as ", name_of(stored.type())) : "not loaded",
          ", expected numbers that can be trained");
  });
  check(missing.empty(), "train_only", "no parameter is named '", missing.empty() ? "" : missing[0],
        "', expected names such as '", any, "'");

  freeze(model);
  for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
    if constexpr (is_differentiable_v<typename std::remove_cvref_t<decltype(tensor)>::Scalar>)
      if (role != Role::buffer && is_named(name)) tensor.require_grad();
  });
}

}  // namespace atom::nn

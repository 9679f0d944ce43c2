// SPDX-License-Identifier: Apache-2.0
// parameters_named: published names of tensors to names of parameters, for nn::train_only.
#pragma once

#include "../core/pattern.hpp"
#include "load.hpp"

namespace atom::pretrained {

// The parameters of the model of a folder that tensors are read into whose names match a pattern: all experts of a
// layer are one, and a tied head is its embedding. Errors: files; a pattern that matches no tensor.
inline std::vector<std::string> parameters_named(const std::string& folder, const std::vector<std::string>& patterns) {
  const PublishedModel published = read_model(folder);
  if (!published.family) return patterns;  // our own form has the names of parameters
  std::set<std::string> parameters;
  const auto tensors = published.tensors();
  for (const auto& pattern : patterns) {
    bool found = false;
    for (const auto& tensor : tensors) {
      if (!matches(pattern, tensor.name)) continue;
      found = true;
      for (const auto& part : tensor.parts) parameters.insert(part.parameter);
    }
    check(found, folder, "no tensor of the model is named ", io::in_quotes(pattern));
  }
  return {parameters.begin(), parameters.end()};
}

}  // namespace atom::pretrained

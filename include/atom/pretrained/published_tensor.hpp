// SPDX-License-Identifier: Apache-2.0
// PublishedTensor: which of our parameters one tensor of a published file holds.
#pragma once

#include "../core/types.hpp"

#include <string>
#include <vector>

namespace atom::pretrained {

// Our parameters `parts`, one below the other along their first axis, then transposed if the family stores (in, out);
// or element `index` of the first axis of the one part.
struct PublishedTensor {
  std::string name;
  std::vector<std::string> parts = {};
  bool transposed = false;
  Index index = -1;
};

}  // namespace atom::pretrained

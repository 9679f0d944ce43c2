// SPDX-License-Identifier: Apache-2.0
// PublishedTensor: where the elements of one tensor of a published file stand among our parameters.
#pragma once

#include "../core/shape.hpp"

#include <string>
#include <vector>

namespace atom::pretrained {

// Rows of a published matrix (out, in), or elements of a vector (out), in the order of ours: `run` of them from `start`
// on, the same number from start + step on, and so on; run 0: all from `start` on.
struct PublishedRows {
  Index start = 0, run = 0, step = 0;

  Index operator()(Index row) const { return run == 0 ? start + row : start + row / run * step + row % run; }
};

struct PublishedPart {
  std::string parameter;  // by the name that visit() gives it
  PublishedRows rows = {};
  Index expert = -1;  // the part is this element of the parameter's first axis; -1: all of it
  // The parameter's rows are so many equal runs of rows, and the part is rows first.. of each, `count` of them; 0: it
  // is all rows, as one run. `rows` counts within the part of the file that belongs to a run.
  Index runs = 0, first = 0, count = 0;
};

struct PublishedTensor {
  std::string name;
  std::vector<PublishedPart> parts = {};
  bool transposed = false;  // published as (in, out), under as many leading axes as the parameter has
  bool duplicate = false;   // what another one holds: need not be there, and is not read
  bool by_run = false;      // runs of rows (see PublishedPart) are an axis of their own, before rows and columns
};

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// top_k: which columns of a row are the largest, as a router chooses its experts.
#pragma once

#include "../backend/top_k.hpp"
#include "../tensor/tensor.hpp"

namespace atom::ops {

struct TopKOptions {
  // More than one: only the top_groups of these groups of neighbouring columns, best by the sum of their two largest
  // values, can be chosen from (DeepSeek-V3).
  Index groups = 1, top_groups = 1;
};

// Columns (n, k) of the k largest values of each row of x (n, e), largest first; of equal values the lowest column
// first; NaN last. Not differentiated. Errors: k outside 1..columns to choose from; groups that do not divide e or are
// more than 64; top_groups outside 1..groups.
template <class T, class D>
Tensor<std::int32_t, D> top_k(const Tensor<T, D>& x, Index k, const TopKOptions& options = {}) {
  check(x.rank() == 2, "top_k", "x has shape ", x.shape(), ", expected (n, e)");
  const Index e = x.dim(1), groups = options.groups, top_groups = options.top_groups;
  check(groups >= 1 && groups <= TopK::most_groups && e % groups == 0, "top_k", "groups divide the columns and are 1..",
        TopK::most_groups, ": found ", groups, " groups of ", e, " columns");
  check(top_groups >= 1 && top_groups <= groups, "top_k", "top_groups out of range: found ", top_groups,
        ", expected 1..", groups);
  const Index most = e / groups * top_groups;
  check(k >= 1 && k <= most, "top_k", "k out of range: found ", k, ", expected 1..", most);
  const auto values = contiguous(x.buffer());
  Buffer<std::int32_t, D> columns(x.device(), Shape{x.dim(0), k});
  top_k(x.device(), x.dim(0), TopK{.n = e, .k = k, .groups = groups, .top_groups = top_groups}, values.data(),
        columns.mutable_data());
  return constant(columns);
}

}  // namespace atom::ops

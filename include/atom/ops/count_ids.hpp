// SPDX-License-Identifier: Apache-2.0
// count_ids: how often each id occurs in each run of rows.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/check_ids.hpp"
#include "../backend/for_each.hpp"

namespace atom::ops {

namespace detail {
template <class T> struct CountIds {
  const std::int32_t* ids;
  T* counts;
  Index distinct, run;  // `run` ids stand side by side
  ATOM_HD void operator()(Index i) const {
    const std::int32_t* const first = ids + i / distinct * run;
    Index count = 0;
    for (Index j = 0; j < run; ++j) count += first[j] == i % distinct ? 1 : 0;
    counts[i] = static_cast<T>(count);
  }
};
}  // namespace detail

// ids (n, k) -> counts (n / length, distinct) of each run of `length` rows. Not differentiated.
// Errors: length does not divide n; an id outside 0..distinct-1.
template <class T, class D> Tensor<T, D> count_ids(const Tensor<std::int32_t, D>& ids, Index distinct, Index length) {
  check(ids.rank() == 2 && length > 0 && ids.dim(0) % length == 0, "count_ids", "ids ", ids.shape(), " in runs of ",
        length, " rows");
  const auto packed = contiguous(ids.buffer());
  check_ids(ids.device(), "count_ids", packed.view(), distinct);
  Buffer<T, D> counts(ids.device(), {ids.dim(0) / length, distinct});
  for_each(ids.device(), counts.size(),
           detail::CountIds<T>{packed.data(), counts.mutable_data(), distinct, length * ids.dim(1)});
  return constant(counts);
}

}  // namespace atom::ops

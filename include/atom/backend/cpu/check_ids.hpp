// SPDX-License-Identifier: Apache-2.0
// Range check of ids on the processor (contract: backend/check_ids.hpp).
#pragma once

#include "../check_ids.hpp"

namespace atom {

namespace detail {

[[noreturn, gnu::noinline]] inline void fail_id(std::string_view where, View<const std::int32_t> ids, Index i,
                                                Index limit) {
  Shape place = ids.shape;
  Index rest = i;
  for (int axis = place.rank() - 1; axis >= 0; --axis) {
    place[axis] = rest % ids.shape[axis];
    rest /= ids.shape[axis];
  }
  check(limit > 0, where, "id out of range: found ", ids.data[i], " at ", place, ", expected none, the table is empty");
  fail(where, "id out of range: found ", ids.data[i], " at ", place, ", expected 0..", limit - 1);
}

}  // namespace detail

inline void check_ids(Cpu, std::string_view where, View<const std::int32_t> ids, Index limit, Index ignored = no_id) {
  const Index n = ids.size();
  for (Index i = 0; i < n; ++i) {
    const Index id = ids.data[i];
    if ((id < 0 || id >= limit) && id != ignored) [[unlikely]]
      detail::fail_id(where, ids, i, limit);
  }
}

}  // namespace atom

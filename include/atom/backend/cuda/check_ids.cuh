// SPDX-License-Identifier: Apache-2.0
// Range check of ids over a grid (contract: backend/check_ids.hpp). The host does not wait: an id out of range is
// replaced by 0, so that later kernels stay in bounds, and reported at the device's next synchronisation, when `where`
// must still exist.
#pragma once

#include "../check_ids.hpp"
#include "grid.hpp"

#include <string_view>

namespace atom {

namespace detail {
struct CheckId {
  std::int32_t* ids;
  Index limit, ignored;
  std::string_view where;
  IdFault* fault;
  ATOM_HD void operator()(Index i) const {
    const std::int32_t id = ids[i];
    if ((id >= 0 && id < limit) || id == ignored) return;
    if (fault->set == 0) *fault = {where, id, 1, limit};  // of several threads, any
    ids[i] = 0;
  }
};
}  // namespace detail

template <GridDevice D>
void check_ids(D device, std::string_view where, View<const std::int32_t> ids, Index limit, Index ignored = no_id) {
  check(limit > 0 || ids.size() == 0, where, "id out of range: expected none, the table is empty");
  for_each(device, ids.size(),
           detail::CheckId{const_cast<std::int32_t*>(ids.data), limit, ignored, where, device.fault()});
}

}  // namespace atom

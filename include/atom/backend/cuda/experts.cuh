// SPDX-License-Identifier: Apache-2.0
// Moving rows to their experts and back over a grid (contract: backend/experts.hpp): one expert or one row each for the
// order, one output each for the rest.
#pragma once

#include "../../core/math.hpp"
#include "../experts.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

struct ExpertOffset {
  const std::int32_t* ids;
  std::int32_t* offsets;
  Index count;
  ATOM_HD void operator()(Index e) const {
    std::int32_t below = 0;
    for (Index i = 0; i < count; ++i) below += ids[i] < e ? 1 : 0;
    offsets[e] = below;
  }
};
struct ExpertAssign {  // leaves the place of assignment i in place[i]
  const std::int32_t *ids, *offsets;
  std::int32_t *row, *place;
  Index count, active;
  ATOM_HD void operator()(Index e) const {
    std::int32_t next = offsets[e];
    for (Index i = 0; i < count; ++i) {
      if (ids[i] != e) continue;
      row[next] = static_cast<std::int32_t>(i / active);
      place[i] = next++;
    }
  }
};
struct ExpertSortRow {
  std::int32_t *place, *choice;
  Index active;
  ATOM_HD void operator()(Index r) const {
    const Index begin = r * active;
    for (Index j = 0; j < active; ++j) {
      const std::int32_t p = place[begin + j];
      Index at = begin + j;
      for (; at > begin && place[at - 1] > p; --at) place[at] = place[at - 1], choice[at] = choice[at - 1];
      place[at] = p;
      choice[at] = static_cast<std::int32_t>(j);
    }
  }
};

template <class T> ATOM_HD T expert_weight(const ExpertPlaces<T>& a, Index row, Index at) {
  return a.weights ? a.weights[row * a.active + a.choice[at]] : T(1);
}
template <class T> struct ExpertSpread {
  ExpertPlaces<T> a;
  const T* x;
  T* y;
  bool accumulate;
  ATOM_HD void operator()(Index i) const {
    const Index at = i / a.channels, row = at / a.active, column = i % a.channels;
    T& to = y[a.place[at] * a.channels + column];
    const T value = expert_weight(a, row, at) * x[row * a.channels + column];
    to = accumulate ? to + value : value;
  }
};
template <class T> struct ExpertCollect {
  ExpertPlaces<T> a;
  const T *y, *residual;
  T* x;
  bool accumulate;
  ATOM_HD void operator()(Index i) const {
    const Index row = i / a.channels, column = i % a.channels;
    T total = 0;
    for (Index at = row * a.active; at < (row + 1) * a.active; ++at)
      total = math::fma(expert_weight(a, row, at), y[a.place[at] * a.channels + column], total);
    if (residual) total = total + residual[i];
    x[i] = accumulate ? x[i] + total : total;
  }
};
template <class T> struct ExpertDot {
  ExpertPlaces<T> a;
  const T *x, *y;
  T* dweights;
  bool accumulate;
  ATOM_HD void operator()(Index at) const {
    const Index row = at / a.active;
    T total = 0;
    for (Index c = 0; c < a.channels; ++c)
      total = math::fma(x[row * a.channels + c], y[a.place[at] * a.channels + c], total);
    T& to = dweights[row * a.active + a.choice[at]];
    to = accumulate ? to + total : total;
  }
};

}  // namespace detail

template <GridDevice D> void expert_order(D device, Index n, Index k, Index experts, const std::int32_t* ids,
                                          std::int32_t* offsets, std::int32_t* row, std::int32_t* place,
                                          std::int32_t* choice) {
  for_each(device, experts + 1, detail::ExpertOffset{ids, offsets, n * k});
  for_each(device, experts, detail::ExpertAssign{ids, offsets, row, place, n * k, k});
  for_each(device, n, detail::ExpertSortRow{place, choice, k});
}
template <GridDevice D, class T>
void expert_spread(D device, const ExpertPlaces<T>& a, const T* x, T* y, bool accumulate) {
  for_each(device, a.rows * a.active * a.channels, detail::ExpertSpread<T>{a, x, y, accumulate});
}
template <GridDevice D, class T>
void expert_collect(D device, const ExpertPlaces<T>& a, const T* y, const T* residual, T* x, bool accumulate) {
  for_each(device, a.rows * a.channels, detail::ExpertCollect<T>{a, y, residual, x, accumulate});
}
template <GridDevice D, class T>
void expert_dots(D device, const ExpertPlaces<T>& a, const T* x, const T* y, T* dweights, bool accumulate) {
  for_each(device, a.rows * a.active, detail::ExpertDot<T>{a, x, y, dweights, accumulate});
}

}  // namespace atom

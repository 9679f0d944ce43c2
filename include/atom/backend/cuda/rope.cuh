// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding over a grid (contract: backend/rope.hpp): one pair, or one element that stays, each.
#pragma once

#include "../rope.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {
template <class T> struct RopePair {
  RopeArgs<T> a;
  ATOM_HD void operator()(Index i) const {
    const Index t = a.x.shape[1], heads = a.x.shape[2], half = a.rotated / 2, units = a.x.shape[3] - half;
    const Index unit = i % units, head = i / units % heads, row = i / (units * heads), time = row % t;
    const T* x = a.x.data + row / t * a.x.strides[0] + time * a.x.strides[1] + head * a.x.strides[2];
    T* y = a.y.data + row / t * a.y.strides[0] + time * a.y.strides[1] + head * a.y.strides[2];
    if (unit >= half) {
      y[unit + half] = x[unit + half];
      return;
    }
    const Index position = a.positions ? a.positions[row] : a.start + time;
    const T c = a.cosines[position * half + unit], s = a.sines[position * half + unit] * (a.backward ? T(-1) : T(1));
    const bool split = a.pairing == RopePairing::half_split;
    const Index first = split ? unit : 2 * unit, second = split ? unit + half : 2 * unit + 1;
    const T x1 = x[first], x2 = x[second];
    y[first] = x1 * c - x2 * s;
    y[second] = x2 * c + x1 * s;
  }
};
}  // namespace detail

template <GridDevice D, class T> void apply_rope(D device, const RopeArgs<T>& a) {
  const Index units = a.x.shape[3] - a.rotated / 2;
  for_each(device, a.x.shape[0] * a.x.shape[1] * a.x.shape[2] * units, detail::RopePair<T>{a});
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Walking several views of one shape together: axes merged where every view allows it, then run after run along the
// last axis. Any range of row-major element numbers can be walked, so that threads share one loop.
#pragma once

#include "../../core/view.hpp"

namespace atom::detail {

// Count views of one shape, with extents of 1 dropped and axes merged.
template <int count> struct Walk {
  int rank = 0;
  Index extent[max_rank];
  Index stride[count][max_rank];

  [[gnu::noinline]] Walk(const Shape& shape, const Strides* const (&strides)[count]) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      bool merges = rank > 0;
      for (int i = 0; i < count && merges; ++i) merges = stride[i][rank - 1] == (*strides[i])[axis] * shape[axis];
      if (!merges) extent[rank++] = 1;
      extent[rank - 1] *= shape[axis];
      for (int i = 0; i < count; ++i) stride[i][rank - 1] = (*strides[i])[axis];
    }
    if (rank == 0) {
      rank = 1;
      extent[0] = 1;
      for (int i = 0; i < count; ++i) stride[i][0] = 1;
    }
  }
};

// The runs of elements begin..end-1 of a walk: for (Runs run(walk, begin, end); run.length > 0; run.next()).
template <int count> struct Runs {
  const Walk<count>& walk;
  Index first, end;          // `first` is the number of the run's first element
  Index length = 0;          // of the run
  Index offset[count] = {};  // where each view has the element `first`; view i moves on by step(i)

  [[gnu::noinline]] Runs(const Walk<count>& views, Index begin, Index stop) : walk(views), first(begin), end(stop) {
    for (int axis = walk.rank - 1; axis >= 0; --axis) {
      place_[axis] = begin % walk.extent[axis];
      begin /= walk.extent[axis];
      for (int i = 0; i < count; ++i) offset[i] += place_[axis] * walk.stride[i][axis];
    }
    measure();
  }

  ATOM_ALWAYS_INLINE Index step(std::size_t view) const { return walk.stride[view][walk.rank - 1]; }

  [[gnu::noinline]] void next() {
    first += length;
    for (int axis = walk.rank - 1; axis >= 0; --axis) {
      const Index by = axis == walk.rank - 1 ? length : 1;
      place_[axis] += by;
      for (int i = 0; i < count; ++i) offset[i] += by * walk.stride[i][axis];
      if (place_[axis] < walk.extent[axis]) break;
      for (int i = 0; i < count; ++i) offset[i] -= walk.extent[axis] * walk.stride[i][axis];
      place_[axis] = 0;
    }
    measure();
  }

 private:
  ATOM_ALWAYS_INLINE void measure() {
    const Index left = walk.extent[walk.rank - 1] - place_[walk.rank - 1];
    length = left < end - first ? left : end - first;
  }

  Index place_[max_rank] = {};
};

}  // namespace atom::detail

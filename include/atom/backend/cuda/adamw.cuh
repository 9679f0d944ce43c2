// SPDX-License-Identifier: Apache-2.0
// AdamW over a grid (contract: backend/adamw.hpp): one element each; the norm in pieces, added up by one thread.
#pragma once

#include "../../core/math.hpp"
#include "../adamw.hpp"
#include "grid.hpp"

#include <span>

namespace atom {

namespace detail {

template <class T> struct AdamWElement {
  AdamWSegment<T> s;
  AdamWStep<T> step;
  ATOM_HD void operator()(Index i) const {
    const T g = step.gradient_scale * s.gradient[i];
    T m = math::fma(step.beta1, s.m[i], (T(1) - step.beta1) * g);
    if (math::abs(m) < T(1e-30)) m = T(0);
    const T v = math::fma(step.beta2, s.v[i], (T(1) - step.beta2) * (g * g));
    const T keep = T(1) - step.lr * (step.weight_decay * s.decay), rate = step.lr / step.correction1;
    s.weight[i] = s.weight[i] * keep - rate * (m / (math::sqrt(v * (T(1) / step.correction2)) + step.eps));
    s.m[i] = m;
    s.v[i] = v;
  }
};

inline constexpr Index squares_piece = 4096;

template <class T> struct SquaresOfPiece {
  const T* x;
  double* part;
  Index n;
  ATOM_HD void operator()(Index piece) const {
    const Index end = (piece + 1) * squares_piece < n ? (piece + 1) * squares_piece : n;
    double total = 0;
    for (Index i = piece * squares_piece; i < end; ++i)
      total = math::fma(static_cast<double>(x[i]), static_cast<double>(x[i]), total);
    part[piece] = total;
  }
};

struct SumOfPieces {
  const double* part;
  double* total;
  Index n;
  ATOM_HD void operator()(Index) const {
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum = sum + part[i];
    *total = sum;
  }
};

// Whether b goes on where a ends.
template <class T> bool continues(const AdamWSegment<T>& a, const AdamWSegment<T>& b) {
  return a.weight + a.count == b.weight && a.gradient + a.count == b.gradient && a.m + a.count == b.m &&
         a.v + a.count == b.v && a.decay == b.decay;
}

}  // namespace detail

template <GridDevice D, class T>
void adamw(D device, std::span<const AdamWSegment<T>> segments, const AdamWStep<T>& step) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    auto segment = segments[i];
    for (; i + 1 < segments.size() && detail::continues(segment, segments[i + 1]); ++i)
      segment.count += segments[i + 1].count;
    for_each(device, segment.count, detail::AdamWElement<T>{segment, step});
  }
}

template <GridDevice D, class T> double squared_norm(D device, const T* x, Index n) {
  const Index pieces = (n + detail::squares_piece - 1) / detail::squares_piece;
  const detail::GridScratch<double, D> scratch(device, pieces + 1);
  double* const part = scratch.data();
  for_each(device, pieces, detail::SquaresOfPiece<T>{x, part, n});
  for_each(device, 1, detail::SumOfPieces{part, part + pieces, pieces});
  double total = 0;
  copy_to_host(device, &total, part + pieces, sizeof total);
  return total;
}

}  // namespace atom

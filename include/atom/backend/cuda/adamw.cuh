// SPDX-License-Identifier: Apache-2.0
// AdamW over a grid (contract: backend/adamw.hpp): one element each; the norm in pieces that the host adds up.
#pragma once

#include "../../core/math.hpp"
#include "../adamw.hpp"
#include "grid.hpp"

#include <span>
#include <vector>

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

}  // namespace detail

template <GridDevice D, class T>
void adamw(D device, std::span<const AdamWSegment<T>> segments, const AdamWStep<T>& step) {
  for (const auto& segment : segments) for_each(device, segment.count, detail::AdamWElement<T>{segment, step});
}

template <GridDevice D, class T> double squared_norm(D device, const T* x, Index n) {
  const Index pieces = (n + detail::squares_piece - 1) / detail::squares_piece;
  const auto bytes = static_cast<std::size_t>(pieces) * sizeof(double);
  auto* const part = static_cast<double*>(allocate(device, bytes));
  for_each(device, pieces, detail::SquaresOfPiece<T>{x, part, n});
  std::vector<double> on_host(static_cast<std::size_t>(pieces));
  copy_to_host(device, on_host.data(), part, bytes);
  deallocate(device, part, bytes);
  double total = 0;
  for (const double value : on_host) total += value;
  return total;
}

}  // namespace atom

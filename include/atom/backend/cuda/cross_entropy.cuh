// SPDX-License-Identifier: Apache-2.0
// Cross entropy over a grid (contract: backend/cross_entropy.hpp): one row each.
#pragma once

#include "../cross_entropy.hpp"
#include "grid.hpp"
#include "softmax.cuh"  // greatest_of, exp_sum_of

namespace atom {

namespace detail {

template <class T> struct CrossEntropyRow {
  CrossEntropyForward<T> a;
  ATOM_HD void operator()(Index row) const {
    const T* x = a.logits + row * a.v;
    T* dx = a.dlogits ? a.dlogits + row * a.v : nullptr;
    const TokenId target = a.targets[row];
    if (target == a.ignored) {
      a.loss[row] = 0;
      if (a.log_sum) a.log_sum[row] = 0;
      for (Index i = 0; dx && i < a.v; ++i) dx[i] = 0;
      return;
    }
    const T shift = greatest_of(x, a.v), total = exp_sum_of(x, a.v, shift), log_total = math::log(total);
    a.loss[row] = log_total - (x[target] - shift);
    if (a.log_sum) a.log_sum[row] = shift + log_total;
    if (!dx) return;
    for (Index i = 0; i < a.v; ++i) dx[i] = math::exp(x[i] - shift) * (a.scale[0] / total);
    dx[target] = dx[target] - a.scale[0];
  }
};

template <class T> struct CrossEntropyGradientRow {
  CrossEntropyBackward<T> a;
  ATOM_HD void operator()(Index row) const {
    const T* x = a.logits + row * a.v;
    T* dx = a.dlogits + row * a.v;
    const TokenId target = a.targets[row];
    const T factor = target == a.ignored ? T(0) : (a.scale ? a.scale[0] : T(1)) * a.dloss[row * a.dloss_stride];
    for (Index i = 0; i < a.v; ++i)
      dx[i] = target == a.ignored ? T(0) : math::exp(x[i] - a.log_sum[row]) * factor - (i == target ? factor : T(0));
  }
};

template <class T> struct CrossEntropyScale {
  const TokenId* targets;
  T* scale;
  Index n;
  TokenId ignored;
  T normaliser;
  ATOM_HD void operator()(Index) const {
    T count = normaliser;
    if (normaliser == 0)
      for (Index i = 0; i < n; ++i) count = count + (targets[i] == ignored ? T(0) : T(1));
    scale[0] = count == 0 ? T(0) : T(1) / count;
  }
};

template <class T> struct CrossEntropyTotal {
  const T *loss, *scale;
  T* total;
  Index n;
  ATOM_HD void operator()(Index) const {
    T sum = 0;
    for (Index i = 0; i < n; ++i) sum = sum + loss[i];
    total[0] = scale[0] * sum;
  }
};

}  // namespace detail

template <GridDevice D, class T> void cross_entropy_forward(D device, const CrossEntropyForward<T>& a) {
  for_each(device, a.n, detail::CrossEntropyRow<T>{a});
}
template <GridDevice D, class T> void cross_entropy_backward(D device, const CrossEntropyBackward<T>& a) {
  for_each(device, a.n, detail::CrossEntropyGradientRow<T>{a});
}
template <GridDevice D, class T>
void cross_entropy_scale(D device, Index n, const TokenId* targets, TokenId ignored, T normaliser, T* scale) {
  for_each(device, 1, detail::CrossEntropyScale<T>{targets, scale, n, ignored, normaliser});
}
template <GridDevice D, class T> void cross_entropy_sum(D device, Index n, const T* loss, const T* scale, T* total) {
  for_each(device, 1, detail::CrossEntropyTotal<T>{loss, scale, total, n});
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Softmax and log-softmax over a grid (contract: backend/softmax.hpp): one row each.
#pragma once

#include "../../core/math.hpp"
#include "../softmax.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

template <class T> ATOM_HD T greatest_of(const T* x, Index n) {
  T greatest = -std::numeric_limits<T>::infinity();
  for (Index i = 0; i < n; ++i) greatest = math::max(greatest, x[i]);
  return greatest;
}
template <class T> ATOM_HD T exp_sum_of(const T* x, Index n, T shift) {
  T total = 0;
  for (Index i = 0; i < n; ++i) total = total + math::exp(x[i] - shift);
  return total;
}

template <bool logarithm, class T> struct SoftmaxRow {
  const T* x;
  T* y;
  Index n;
  ATOM_HD void operator()(Index row) const {
    const T* from = x + row * n;
    T* to = y + row * n;
    const T shift = greatest_of(from, n), total = exp_sum_of(from, n, shift);
    const T log_total = logarithm ? math::log(total) : T(0);
    for (Index i = 0; i < n; ++i) to[i] = logarithm ? from[i] - shift - log_total : math::exp(from[i] - shift) / total;
  }
};
template <bool logarithm, class T> struct SoftmaxGradientRow {
  const T *y, *dy;
  T* dx;
  Index n;
  ATOM_HD void operator()(Index row) const {
    const T* value = y + row * n;
    const T* slope = dy + row * n;
    T total = 0;
    for (Index i = 0; i < n; ++i) total = logarithm ? total + slope[i] : math::fma(value[i], slope[i], total);
    for (Index i = 0; i < n; ++i)
      dx[row * n + i] = logarithm ? slope[i] - math::exp(value[i]) * total : value[i] * (slope[i] - total);
  }
};

}  // namespace detail

template <GridDevice D, class T> void softmax_forward(D device, Index rows, Index n, const T* x, T* y) {
  for_each(device, rows, detail::SoftmaxRow<false, T>{x, y, n});
}
template <GridDevice D, class T> void softmax_backward(D device, Index rows, Index n, const T* y, const T* dy, T* dx) {
  for_each(device, rows, detail::SoftmaxGradientRow<false, T>{y, dy, dx, n});
}
template <GridDevice D, class T> void log_softmax_forward(D device, Index rows, Index n, const T* x, T* y) {
  for_each(device, rows, detail::SoftmaxRow<true, T>{x, y, n});
}
template <GridDevice D, class T>
void log_softmax_backward(D device, Index rows, Index n, const T* y, const T* dy, T* dx) {
  for_each(device, rows, detail::SoftmaxGradientRow<true, T>{y, dy, dx, n});
}

}  // namespace atom

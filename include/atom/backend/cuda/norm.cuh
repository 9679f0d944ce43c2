// SPDX-License-Identifier: Apache-2.0
// Row norms over a grid (contract: backend/norm.hpp): one row each; one column each for the parameters' gradients.
#pragma once

#include "../../core/math.hpp"
#include "../norm.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

template <class T> struct NormRow {
  NormForward<T> a;
  ATOM_HD void operator()(Index row) const {
    const Index c = a.channels;
    const T* x = a.x + row * c;
    T mean = 0, squares = 0;
    if (a.centred) {
      for (Index i = 0; i < c; ++i) mean = mean + x[i];
      mean = mean / static_cast<T>(c);
    }
    for (Index i = 0; i < c; ++i) squares = math::fma(x[i] - mean, x[i] - mean, squares);
    const T rstd = T(1) / math::sqrt(squares / static_cast<T>(c) + a.eps);
    for (Index i = 0; i < c; ++i) {
      T value = (x[i] - mean) * rstd;
      if (a.weight) value = value * (a.weight[i] + a.weight_offset);
      a.y[row * c + i] = a.bias ? value + a.bias[i] : value;
    }
    if (a.mean) a.mean[row] = mean;
    if (a.rstd) a.rstd[row] = rstd;
  }
};

template <class T> struct NormGradientRow {
  NormBackward<T> a;
  ATOM_HD T weighted(Index row, Index i) const {
    const T dy = a.dy[row * a.channels + i];
    return a.weight ? dy * (a.weight[i] + a.weight_offset) : dy;
  }
  ATOM_HD T normed(Index row, Index i) const {
    return (a.x[row * a.channels + i] - (a.centred ? a.mean[row] : T(0))) * a.rstd[row];
  }
  ATOM_HD void operator()(Index row) const {
    const Index c = a.channels;
    T g_mean = 0, gh_mean = 0;
    for (Index i = 0; i < c; ++i) {
      const T g = weighted(row, i);
      if (a.centred) g_mean = g_mean + g;
      gh_mean = math::fma(g, normed(row, i), gh_mean);
    }
    g_mean = g_mean / static_cast<T>(c);
    gh_mean = gh_mean / static_cast<T>(c);
    for (Index i = 0; i < c; ++i) {
      const T d = (weighted(row, i) - g_mean - normed(row, i) * gh_mean) * a.rstd[row];
      a.dx[row * c + i] = a.accumulate ? a.dx[row * c + i] + d : d;
    }
  }
};

template <class T> struct NormGradientColumn {
  NormBackward<T> a;
  ATOM_HD void operator()(Index column) const {
    T dweight = 0, dbias = 0;
    for (Index row = 0; row < a.rows; ++row) {
      const Index i = row * a.channels + column;
      dweight = math::fma(a.dy[i], (a.x[i] - (a.centred ? a.mean[row] : T(0))) * a.rstd[row], dweight);
      dbias = dbias + a.dy[i];
    }
    if (a.dweight) a.dweight[column] = a.accumulate ? a.dweight[column] + dweight : dweight;
    if (a.dbias) a.dbias[column] = a.accumulate ? a.dbias[column] + dbias : dbias;
  }
};

}  // namespace detail

template <GridDevice D, class T> void norm_forward(D device, const NormForward<T>& a) {
  for_each(device, a.rows, detail::NormRow<T>{a});
}
template <GridDevice D, class T> void norm_backward(D device, const NormBackward<T>& a) {
  if (a.dx) for_each(device, a.rows, detail::NormGradientRow<T>{a});
  if (a.dweight || a.dbias) for_each(device, a.channels, detail::NormGradientColumn<T>{a});
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// The matrix product over a grid (contract: backend/gemm.hpp): one element each, in the processor's order; and what
// comes after a product that a library computed.
#pragma once

#include "grid.hpp"

namespace atom::detail {

template <class T>
ATOM_HD T gemm_element(const GemmInput<T>& a, const GemmInput<T>& b, Index k, Index row, Index column, Index product) {
  const T* left = a.data + product * a.batch_stride + (a.transposed ? row : row * a.ld);
  const T* right = b.data + product * b.batch_stride + (b.transposed ? column * b.ld : column);
  const Index left_step = a.transposed ? a.ld : 1, right_step = b.transposed ? 1 : b.ld;
  T sum = 0;
  for (Index i = 0; i < k; ++i) sum = math::fma(left[i * left_step], right[i * right_step], sum);
  return sum;
}

// C = activation(C + bias) + residual, keeping the value before the activation.
template <Activation activation, class T> struct GemmFinish {
  GemmShape shape;
  GemmOutput<T> c;
  GemmEpilogue<T> e;
  ATOM_HD void operator()(Index i) const {
    const Index column = i % shape.n, row = i / shape.n % shape.m, product = i / (shape.n * shape.m);
    T& place = c.data[product * c.batch_stride + row * c.ld + column];
    const T before = e.bias ? place + e.bias[column] : place;
    if (e.pre.data) e.pre.data[product * e.pre.batch_stride + row * e.pre.ld + column] = before;
    const T value = Activate<activation>{}(before);
    place = e.residual.data ? value + e.residual.data[product * e.residual.batch_stride + row * e.residual.ld + column]
                            : value;
  }
};

template <class T> struct GemmElement {
  GemmShape shape;
  GemmInput<T> a, b;
  GemmOutput<T> c;
  bool accumulate;
  ATOM_HD void operator()(Index i) const {
    const Index column = i % shape.n, row = i / shape.n % shape.m, product = i / (shape.n * shape.m);
    T& place = c.data[product * c.batch_stride + row * c.ld + column];
    const T sum = gemm_element(a, b, shape.k, row, column, product);
    place = accumulate ? place + sum : sum;
  }
};

template <GridDevice D, class T>
void gemm_finish(D device, const GemmShape& shape, const GemmOutput<T>& c, const GemmEpilogue<T>& e) {
  if (!e.bias && !e.pre.data && !e.residual.data && e.activation == Activation::none) return;
  with_activation(e.activation, [&](auto activation) {
    for_each(device, shape.batch * shape.m * shape.n, GemmFinish<activation(), T>{shape, c, e});
  });
}

}  // namespace atom::detail

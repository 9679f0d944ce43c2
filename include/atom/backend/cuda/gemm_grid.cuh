// SPDX-License-Identifier: Apache-2.0
// The matrix product over a grid (contract: backend/gemm.hpp): one element each, in the processor's order; and what
// comes after a product, whoever computed it.
#pragma once

#include "../gemm.hpp"
#include "grid.hpp"

namespace atom::detail {

template <class T>
ATOM_HD T gemm_element(const GemmInput<T>& a, const GemmInput<T>& b, Index k, Index row, Index column, Index product) {
  const T* left = a.data + product * a.batch_stride + (a.transposed ? row : row * a.ld);
  const T* right = b.data + product * b.batch_stride + (b.transposed ? column * b.ld : column);
  const Index left_step = a.transposed ? a.ld : 1, right_step = b.transposed ? 1 : b.ld;
  T sum = 0;
  for (Index i = 0; i < k;) {
    T block = 0;
    for (const Index end = k - i < gemm_block ? k : i + gemm_block; i < end; ++i)
      block = math::fma(left[i * left_step], right[i * right_step], block);
    sum += block;
  }
  return sum;
}

// C = activation(sum + bias) + residual, keeping the value before the activation; the sum may lie in C itself.
template <class T> struct GemmFinish {
  GemmShape shape;
  GemmOutput<T> sum, c;
  GemmEpilogue<T> e;
  ATOM_HD void operator()(Index i) const {
    const Index column = i % shape.n, row = i / shape.n % shape.m, product = i / (shape.n * shape.m);
    const auto place = [=](const auto& x) { return product * x.batch_stride + row * x.ld + column; };
    T value = sum.data[place(sum)];
    if (e.bias) value = value + e.bias[column];
    if (e.pre.data) e.pre.data[place(e.pre)] = value;
    value = activation_value(e.activation, value);
    c.data[place(c)] = e.residual.data ? value + e.residual.data[place(e.residual)] : value;
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

// The whole contract, of `multiply(GemmOutput<T> to, bool accumulate)`, which computes the sums.
template <GridDevice D, class T, class Multiply> void gemm_with(D device, const GemmShape& shape,
                                                                const GemmOutput<T>& c, bool accumulate,
                                                                const GemmEpilogue<T>& e, const Multiply& multiply) {
  const Index count = shape.batch * shape.m * shape.n;
  if (count == 0) return;
  const auto finish = [&](const GemmOutput<T>& sum) { for_each(device, count, GemmFinish<T>{shape, sum, c, e}); };
  if (e.residual.data == c.data) {  // the old C is needed to the end
    const GridScratch<T, D> scratch(device, count);
    const GemmOutput<T> sum{scratch.data(), shape.n, shape.m * shape.n};
    if (accumulate) for_each(device, count, GemmFinish<T>{shape, c, sum, {}});
    multiply(sum, accumulate);
    finish(sum);
    return;
  }
  multiply(c, accumulate);
  if (e.bias || e.pre.data || e.residual.data || e.activation != Activation::none) finish(c);
}

}  // namespace atom::detail

// SPDX-License-Identifier: Apache-2.0
// dropout: a random part of the elements becomes 0. No mask is stored: backward draws the same numbers again.
#pragma once

#include "../autograd/record.hpp"
#include "../core/random.hpp"

namespace atom::ops {

namespace detail {

template <class T> struct Dropout {
  RandomKey key;
  T p;  // of a zero
  ATOM_HD_QUIET
  template <class S> ATOM_HD S operator()(Elements<S> at, S x) const {
    return math::select(uniform(key, at) < S(p), S(T(0)), x * S(T(1) / (T(1) - p)));
  }
};

}  // namespace detail

// x / (1 - p) with probability 1 - p, else 0; whether an element stays depends on (key, its place) alone.
// p = 0 is x itself. Error: p is not in [0, 1).
template <class T, class D> Tensor<T, D> dropout(const Tensor<T, D>& x, double p, RandomKey key) {
  check(p >= 0 && p < 1, "dropout", "the probability is in [0, 1): found ", p);
  if (p == 0) return x;
  const auto drop = [f = detail::Dropout<T>{key, static_cast<T>(p)}](const Buffer<T, D>& from) {
    Buffer<T, D> to(from.device(), from.shape());
    pointwise_indexed(from.device(), to.mutable_view(), f, from.view());
    return to;
  };
  return record<"dropout">(drop(x.buffer()), drop, x);
}

}  // namespace atom::ops

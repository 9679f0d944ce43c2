// SPDX-License-Identifier: Apache-2.0
// softmax and log_softmax over the last axis.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/softmax.hpp"

namespace atom::ops {

namespace detail {
inline Index row_count(const Shape& shape) { return element_count(shape.without(-1)); }
}  // namespace detail

// exp(x) / sum(exp(x)) over the last axis. Error: x is a scalar.
template <class T, class D> Tensor<T, D> softmax(const Tensor<T, D>& x) {
  check(x.rank() > 0, "softmax", "x is a scalar, expected at least one axis");
  const Index rows = detail::row_count(x.shape()), n = x.dim(-1);
  Buffer<T, D> y(x.device(), x.shape());
  softmax_forward(x.device(), rows, n, contiguous(x.buffer()).data(), y.mutable_data());
  return record<"softmax">(
      y,
      [y = save(y), rows, n](const Buffer<T, D>& dy) {
        Buffer<T, D> dx(dy.device(), dy.shape());
        softmax_backward(dy.device(), rows, n, y->data(), dy.data(), dx.mutable_data());
        return dx;
      },
      x);
}

// x - log(sum(exp(x))) over the last axis. Error: x is a scalar.
template <class T, class D> Tensor<T, D> log_softmax(const Tensor<T, D>& x) {
  check(x.rank() > 0, "log_softmax", "x is a scalar, expected at least one axis");
  const Index rows = detail::row_count(x.shape()), n = x.dim(-1);
  Buffer<T, D> y(x.device(), x.shape());
  log_softmax_forward(x.device(), rows, n, contiguous(x.buffer()).data(), y.mutable_data());
  return record<"log_softmax">(
      y,
      [y = save(y), rows, n](const Buffer<T, D>& dy) {
        Buffer<T, D> dx(dy.device(), dy.shape());
        log_softmax_backward(dy.device(), rows, n, y->data(), dy.data(), dx.mutable_data());
        return dx;
      },
      x);
}

}  // namespace atom::ops

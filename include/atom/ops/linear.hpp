// SPDX-License-Identifier: Apache-2.0
// linear: x Wᵀ + b with activation and residual added while a tile of the product is in cache.
#pragma once

#include "../backend/gemm.hpp"
#include "../backend/reduce.hpp"
#include "activation.hpp"

namespace atom::ops {

template <class T, class D> struct LinearOptions {
  Activation activation = Activation::none;
  Tensor<T, D> residual = {};  // (..., out), added after the activation; undefined: none
};

// activation(x Wᵀ + bias) + residual: x (..., in), weight (out, in), bias (out) or undefined -> (..., out).
// Errors: shapes.
template <class T, class D> Tensor<T, D> linear(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                                const Tensor<T, D>& bias, const LinearOptions<T, D>& options = {}) {
  check(weight.rank() == 2 && x.rank() >= 1 && x.dim(-1) == weight.dim(1), "linear", "inner sizes differ: x ",
        x.shape(), ", weight ", weight.shape());
  const Index out = weight.dim(0), in = weight.dim(1);
  check(!bias.defined() || bias.shape() == Shape{out}, "linear", "bias has shape ", bias.shape(), ", expected ",
        Shape{out});
  Shape shape = x.shape();
  shape[-1] = out;
  const auto& residual = options.residual;
  check(!residual.defined() || residual.shape() == shape, "linear", "residual has shape ", residual.shape(),
        ", expected ", shape);

  const D device = x.device();
  const auto rows_of = [](const Buffer<T, D>& b, Index width) { return GemmInput<T>{.data = b.data(), .ld = width}; };
  const Index rows = element_count(shape.without(-1));
  const auto input = contiguous(x.buffer()), w = contiguous(weight.buffer());
  const auto offset = bias.defined() ? contiguous(bias.buffer()) : Buffer<T, D>();
  const auto added = residual.defined() ? contiguous(residual.buffer()) : Buffer<T, D>();
  const bool keeps_pre = options.activation != Activation::none && grad_enabled() &&
                         (x.requires_grad() || weight.requires_grad() || bias.requires_grad());
  Buffer<T, D> y(device, shape), pre;
  if (keeps_pre) pre = Buffer<T, D>(device, shape);
  GemmEpilogue<T> epilogue{.bias = offset.data(), .activation = options.activation};
  if (keeps_pre) epilogue.pre = {.data = pre.mutable_data(), .ld = out};
  if (added.defined()) epilogue.residual = rows_of(added, out);
  GemmInput<T> turned = rows_of(w, in);
  turned.transposed = true;
  gemm(device, {.m = rows, .n = out, .k = in}, rows_of(input, in), turned,
       GemmOutput<T>{.data = y.mutable_data(), .ld = out}, false, epilogue);

  return record<"linear">(
      y,
      [=, activation = options.activation, x = save(input), w = save(w), pre = save(pre)](const Buffer<T, D>& dy) {
        const auto dz =
            activation == Activation::none ? dy : detail::map(detail::ActivateGradient{activation}, *pre, dy);
        const auto dx = [&, dz](Into<T, D> into) {
          gemm(device, {.m = rows, .n = in, .k = out}, rows_of(dz, out), rows_of(*w, in),
               GemmOutput<T>{.data = into.buffer.mutable_data(), .ld = in}, into.accumulate);
        };
        const auto dw = [&, dz](Into<T, D> into) {
          GemmInput<T> columns = rows_of(dz, out);
          columns.transposed = true;
          gemm(device, {.m = out, .n = in, .k = rows}, columns, rows_of(*x, in),
               GemmOutput<T>{.data = into.buffer.mutable_data(), .ld = in}, into.accumulate);
        };
        const auto dbias = [&, dz](Into<T, D> into) {
          sum_rows(device, rows, out, dz.data(), into.buffer.mutable_data(), into.accumulate);
        };
        return grads(dx, dw, dbias, dy);
      },
      x, weight, bias, residual);
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// linear: x Wᵀ + b with activation and residual added while a tile of the product is in cache.
#pragma once

#include "../backend/gemm.hpp"
#include "../backend/reduce.hpp"
#include "activation.hpp"
#include "weight.hpp"

namespace atom::ops {

template <class T, class D> struct LinearOptions {
  Activation activation = Activation::none;
  Tensor<T, D> residual = {};  // (..., out), added after the activation; undefined: none
};

// activation(x Wᵀ + bias) + residual: x (..., in), weight (out, in), bias (out) or undefined -> (..., out). A stored
// weight gives the bits that the tensor of its values gives, unless it is packed (tensor/pack.hpp), and gets no
// gradient. Errors: shapes; no weight.
template <class T, class D> Tensor<T, D> linear(const Tensor<T, D>& x, const Weight<T, D>& weight,
                                                const std::type_identity_t<Tensor<T, D>>& bias,
                                                const std::type_identity_t<LinearOptions<T, D>>& options = {}) {
  const Shape& sizes = weight.shape();
  check(weight.defined(), "linear", "the weight ", sizes, " is not loaded");
  check(sizes.rank() == 2 && x.rank() >= 1 && x.dim(-1) == sizes[1], "linear", "inner sizes differ: x ", x.shape(),
        ", weight ", sizes);
  const Index out = sizes[0], in = sizes[1];
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
  const auto input = contiguous(x.buffer()), w = contiguous(weight.dense.buffer());
  const auto offset = bias.defined() ? contiguous(bias.buffer()) : Buffer<T, D>();
  const auto added = residual.defined() ? contiguous(residual.buffer()) : Buffer<T, D>();
  const bool keeps_pre = options.activation != Activation::none && grad_enabled() &&
                         (x.requires_grad() || weight.dense.requires_grad() || bias.requires_grad());
  Buffer<T, D> y(device, shape), pre;
  if (keeps_pre) pre = Buffer<T, D>(device, shape);
  const auto epilogue_from = [&](Index first) {
    GemmEpilogue<T> epilogue{.activation = options.activation};
    if (offset.defined()) epilogue.bias = offset.data() + first;
    if (keeps_pre) epilogue.pre = {.data = pre.mutable_data() + first, .ld = out};
    if (added.defined()) epilogue.residual = {.data = added.data() + first, .ld = out};
    return epilogue;
  };
  if (!detail::packed_product(weight.stored, rows, input.data(), GemmOutput<T>{.data = y.mutable_data(), .ld = out},
                              epilogue_from(0)))
    for (detail::Panels<T, D> panel(detail::Along::rows, w, weight.stored); panel.next();)
      gemm(device, {.m = rows, .n = panel.count, .k = in}, rows_of(input, in),
           {.data = panel.values, .ld = in, .transposed = true},
           GemmOutput<T>{.data = y.mutable_data() + panel.first, .ld = out}, false, epilogue_from(panel.first));

  return record<"linear">(
      y,
      [=, activation = options.activation, x = save(input), w = save(w), stored = weight.stored,
       pre = save(pre)](const Buffer<T, D>& dy) {
        const auto dz =
            activation == Activation::none ? dy : detail::map(detail::ActivateGradient{activation}, *pre, dy);
        const auto dx = [&, dz](Into<T, D> into) {
          for (detail::Panels<T, D> panel(detail::Along::columns, *w, stored); panel.next();)
            gemm(device, {.m = rows, .n = panel.count, .k = out}, rows_of(dz, out),
                 {.data = panel.values, .ld = panel.count},
                 GemmOutput<T>{.data = into.buffer.mutable_data() + panel.first, .ld = in}, into.accumulate);
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
      x, weight.dense, bias, residual);
}
template <class T, class D> Tensor<T, D> linear(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                                const Tensor<T, D>& bias, const LinearOptions<T, D>& options = {}) {
  return linear(x, Weight<T, D>{weight}, bias, options);
}

}  // namespace atom::ops

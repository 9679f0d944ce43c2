// SPDX-License-Identifier: Apache-2.0
// layer_norm and rms_norm over the last axis.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/norm.hpp"

namespace atom::ops {

namespace detail {

// A parameter of a norm: one element per channel of x, or undefined.
template <class T, class D>
void check_norm_parameter(std::string_view op, const char* name, const Tensor<T, D>& x, const Tensor<T, D>& parameter) {
  check(!parameter.defined() || (parameter.rank() == 1 && parameter.size() == x.dim(-1)), op, name, " has shape ",
        parameter.shape(), ", expected the last axis of x: ", x.dim(-1));
}

// What the rule of a norm keeps.
template <class T, class D> struct Norm {
  Norm(const Tensor<T, D>& input, const Tensor<T, D>& factor, bool subtract_mean, double offset)
      : centred(subtract_mean),
        weight_offset(static_cast<T>(offset)),
        x(contiguous(input.buffer())),
        weight(factor.defined() ? contiguous(factor.buffer()) : Buffer<T, D>()),
        rows(input.size() == 0 ? 0 : input.size() / input.dim(-1)),
        mean(x->device(), Shape{centred ? rows : 0}),
        rstd(x->device(), Shape{rows}) {}

  Buffer<T, D> forward(const Tensor<T, D>& bias, double eps) const {
    const auto packed = bias.defined() ? contiguous(bias.buffer()) : Buffer<T, D>();
    Buffer<T, D> y(x->device(), x->shape());
    norm_forward(x->device(), NormForward<T>{.rows = rows,
                                             .channels = x->dim(-1),
                                             .centred = centred,
                                             .eps = static_cast<T>(eps),
                                             .weight_offset = weight_offset,
                                             .x = x->data(),
                                             .weight = weight->data(),
                                             .bias = packed.data(),
                                             .y = y.mutable_data(),
                                             .mean = centred ? mean.mutable_data() : nullptr,
                                             .rstd = rstd.mutable_data()});
    return y;
  }

  // Writes the gradient that `part` points at.
  auto gradient(const Buffer<T, D>& dy, T* NormBackward<T>::*part) const {
    return [this, &dy, part](Into<T, D> into) {
      NormBackward<T> args{.rows = rows,
                           .channels = dy.dim(-1),
                           .centred = centred,
                           .weight_offset = weight_offset,
                           .x = x->data(),
                           .weight = weight->data(),
                           .mean = mean.data(),
                           .rstd = rstd.data(),
                           .dy = dy.data(),
                           .accumulate = into.accumulate};
      args.*part = into.buffer.mutable_data();
      norm_backward(dy.device(), args);
    };
  }

  bool centred;
  T weight_offset;
  Saved<T, D> x, weight;
  Index rows;
  Buffer<T, D> mean, rstd;  // (rows), filled by forward
};

}  // namespace detail

// (x - mean) / sqrt(variance + eps) * weight + bias over the last axis; weight and bias (c) may be undefined.
// Error: their extent is not c.
template <class T, class D> Tensor<T, D> layer_norm(const Tensor<T, D>& x, const Tensor<T, D>& weight = {},
                                                    const Tensor<T, D>& bias = {}, double eps = 1e-5) {
  check(x.rank() > 0, "layer_norm", "x is a scalar, expected at least one axis");
  detail::check_norm_parameter("layer_norm", "weight", x, weight);
  detail::check_norm_parameter("layer_norm", "bias", x, bias);
  const detail::Norm<T, D> norm(x, weight, true, 0);
  return record<"layer_norm">(
      norm.forward(bias, eps),
      [norm](const Buffer<T, D>& dy) {
        return grads(norm.gradient(dy, &NormBackward<T>::dx), norm.gradient(dy, &NormBackward<T>::dweight),
                     norm.gradient(dy, &NormBackward<T>::dbias));
      },
      x, weight, bias);
}

// x / sqrt(mean(x^2) + eps) * (weight + weight_offset) over the last axis; weight (c) may be undefined. Gemma stores
// its weights with an offset of 1. Error: the weight's extent is not c.
template <class T, class D> Tensor<T, D> rms_norm(const Tensor<T, D>& x, const Tensor<T, D>& weight = {},
                                                  double eps = 1e-5, double weight_offset = 0) {
  check(x.rank() > 0, "rms_norm", "x is a scalar, expected at least one axis");
  detail::check_norm_parameter("rms_norm", "weight", x, weight);
  const detail::Norm<T, D> norm(x, weight, false, weight_offset);
  return record<"rms_norm">(
      norm.forward({}, eps),
      [norm](const Buffer<T, D>& dy) {
        return grads(norm.gradient(dy, &NormBackward<T>::dx), norm.gradient(dy, &NormBackward<T>::dweight));
      },
      x, weight);
}

}  // namespace atom::ops

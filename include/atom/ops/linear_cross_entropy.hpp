// SPDX-License-Identifier: Apache-2.0
// linear_cross_entropy: the loss of a language model's head without its logits in memory; linear_log_probs, what the
// same head gives to chosen tokens. The definition is cross_entropy(matmul(x, transpose(weight)), targets).
#pragma once

#include "../backend/linear_cross_entropy.hpp"
#include "cross_entropy.hpp"
#include "elementwise.hpp"

namespace atom::ops {

// The last layer of a language model: logits = cap(x weight^T + bias).
template <class T, class D> struct Head {
  Tensor<T, D> weight;     // (v, c)
  Tensor<T, D> bias = {};  // (v), or undefined
  double soft_cap = 0;     // cap(z) = soft_cap tanh(z / soft_cap); 0: none
};

namespace detail {

// The cap between product and loss. It keeps the capped logits, as the loss overwrites them with their gradient.
template <class T, class D> struct CappedLogits {
  Buffer<T, D> logits, kept;  // (chunk, v); `kept` undefined: no cap
  T cap;

  void forward(Index rows) const {
    if (!kept.defined()) return;
    const auto z = part(logits, rows), y = part(kept, rows);
    pointwise(z.device(), y.mutable_view(), SoftCap<T>{cap}, z.view());
    copy(z.device(), z.mutable_data(), y.data(), static_cast<std::size_t>(z.size()) * sizeof(T));
  }
  void backward(Index rows) const {
    if (!kept.defined()) return;
    const auto dz = part(logits, rows);
    pointwise(dz.device(), dz.mutable_view(), SoftCapGradient<T>{cap}, part(kept, rows).view(), dz.view());
  }

 private:
  static Buffer<T, D> part(const Buffer<T, D>& whole, Index rows) {
    return whole.alias({rows, whole.dim(1)}, whole.strides());
  }
};

// What forward keeps for backward; undefined: not wanted. Where dlogits of all rows are one chunk and smaller than
// dweight, they are kept in its place.
template <class T, class D> struct HeadGradients {
  Buffer<T, D> dx = {}, dweight = {}, dbias = {}, dlogits = {};

  HeadGradients() = default;
  HeadGradients(const Tensor<T, D>& x, const Head<T, D>& head, Index rows) {
    const Index v = head.weight.dim(0), c = head.weight.dim(1);
    const bool few = 0 < rows && rows < c && rows <= linear_cross_entropy_rows(v);
    make(dx, x, x.shape());
    make(few ? dlogits : dweight, head.weight, few ? Shape{rows, v} : head.weight.shape());
    make(dbias, head.bias, head.bias.shape());
  }

 private:
  static void make(Buffer<T, D>& gradient, const Tensor<T, D>& input, const Shape& shape) {
    if (grad_enabled() && input.requires_grad()) gradient = Buffer<T, D>(input.device(), shape);
  }
};

// dweight = dy dlogits^T x.
template <class T, class D>
void weight_gradient(const Buffer<T, D>& dlogits, const Buffer<T, D>& x, const Buffer<T, D>& dy, Into<T, D> into) {
  const Index n = dlogits.dim(0), v = dlogits.dim(1), c = into.buffer.dim(1);
  const auto scaled = map(Times{}, x, expand(dy, x.shape()));
  gemm(dy.device(), {.m = v, .n = c, .k = n}, GemmInput<T>{.data = dlogits.data(), .ld = v, .transposed = true},
       {.data = scaled.data(), .ld = c}, GemmOutput<T>{.data = into.buffer.mutable_data(), .ld = c}, into.accumulate);
}

// Fills `losses` and the gradients of scale * sum(losses). Heads that are never capped do not compile the cap.
template <bool capped, class T, class D>
void sweep_head(const Tensor<T, D>& x, const Head<T, D>& head, const Buffer<TokenId, D>& targets, TokenId ignored,
                const Buffer<T, D>& scale, const Buffer<T, D>& losses, const HeadGradients<T, D>& gradients) {
  const D device = x.device();
  const Index v = head.weight.dim(0), n = losses.size(), chunk = linear_cross_entropy_rows(v);
  const Buffer<T, D> rows = contiguous(x.buffer()), table = contiguous(head.weight.buffer());
  const Buffer<T, D> bias = head.bias.defined() ? contiguous(head.bias.buffer()) : Buffer<T, D>();
  const auto logits =
      gradients.dlogits.defined() ? gradients.dlogits : Buffer<T, D>(device, Shape{std::min(n, chunk), v});
  const LinearCrossEntropy<T> args{.n = n,
                                   .v = v,
                                   .c = head.weight.dim(1),
                                   .x = rows.data(),
                                   .weight = table.data(),
                                   .bias = bias.data(),
                                   .targets = targets.data(),
                                   .ignored = ignored,
                                   .scale = scale.data(),
                                   .loss = losses.mutable_data(),
                                   .dx = gradients.dx.mutable_data(),
                                   .dweight = gradients.dweight.mutable_data(),
                                   .dbias = gradients.dbias.mutable_data(),
                                   .logits = logits.mutable_data(),
                                   .dlogits = gradients.dlogits.defined(),
                                   .chunk = chunk};
  if constexpr (capped) {
    const auto kept = head.soft_cap > 0 ? Buffer<T, D>(device, logits.shape()) : Buffer<T, D>();
    linear_cross_entropy_sweep(device, args, CappedLogits<T, D>{logits, kept, static_cast<T>(head.soft_cap)});
  } else {
    linear_cross_entropy_sweep(device, args);
  }
}

template <class T, class D> void check_head(std::string_view op, const Tensor<T, D>& x, const Head<T, D>& head) {
  const auto& weight = head.weight;
  check(weight.rank() == 2 && x.rank() > 0 && x.dim(-1) == weight.dim(1), op, "weight has shape ", weight.shape(),
        ", expected (v, c) with c the last axis of x: ", x.shape());
  check(!head.bias.defined() || head.bias.shape() == Shape{weight.dim(0)}, op, "bias has shape ", head.bias.shape(),
        ", expected ", Shape{weight.dim(0)});
  check(head.soft_cap >= 0, op, "soft_cap is not negative: found ", head.soft_cap);
}

template <bool capped, class T, class D> Tensor<T, D> head_loss(const Tensor<T, D>& x, const Head<T, D>& head,
                                                                const Tensor<TokenId, D>& targets,
                                                                const CrossEntropyOptions& options) {
  check_head("linear_cross_entropy", x, head);
  const auto ids = checked_targets("linear_cross_entropy", x, targets, head.weight.dim(0), options.ignored);
  const D device = x.device();
  const HeadGradients<T, D> kept(x, head, targets.size());
  Buffer<T, D> loss(device, Shape{}), scale(device, Shape{}), losses(device, targets.shape());
  cross_entropy_scale(device, losses.size(), ids.data(), options.ignored, static_cast<T>(options.normaliser),
                      scale.mutable_data());
  sweep_head<capped>(x, head, ids, options.ignored, scale, losses, kept);
  cross_entropy_sum(device, losses.size(), losses.data(), scale.data(), loss.mutable_data());
  return record<"linear_cross_entropy">(
      loss,
      [kept, x = save(x)](const Buffer<T, D>& dy) {
        const auto scaled = [&](const Buffer<T, D>& gradient) {
          return [&](Into<T, D> into) { map_into(into, Times{}, gradient, expand(dy, gradient.shape())); };
        };
        const auto dweight = [&](Into<T, D> into) {
          if (kept.dlogits.defined())
            weight_gradient(kept.dlogits, *x, dy, into);
          else
            map_into(into, Times{}, kept.dweight, expand(dy, into.buffer.shape()));
        };
        return grads(scaled(kept.dx), dweight, scaled(kept.dbias));
      },
      x, head.weight, head.bias);
}

template <bool capped, class T, class D>
Tensor<T, D> head_log_probs(const Tensor<T, D>& x, const Head<T, D>& head, const Tensor<TokenId, D>& tokens) {
  check_head("linear_log_probs", x, head);
  constexpr TokenId none_ignored = -1;  // refused by the check
  const auto ids = checked_targets("linear_log_probs", x, tokens, head.weight.dim(0), no_id);
  Buffer<T, D> losses(x.device(), tokens.shape());
  sweep_head<capped>(x, head, ids, none_ignored, Buffer<T, D>(), losses, HeadGradients<T, D>());
  return constant(map(Negate{}, losses));
}

}  // namespace detail

// cross_entropy of the logits x weight^T: x (..., c), weight (v, c), targets (...) -> a scalar. The gradients are
// computed in the forward sweep and kept, (..., c) and (v, c), until backward scales them; where the rows are fewer
// than c and one chunk, the gradient of the logits in the place of (v, c). Errors: shapes; a target that is neither in
// 0..v-1 nor ignored.
template <class T, class D> Tensor<T, D> linear_cross_entropy(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                                              const Tensor<TokenId, D>& targets,
                                                              const CrossEntropyOptions& options = {}) {
  return detail::head_loss<false>(x, {weight}, targets, options);
}
// The same of a head that may have a bias and a cap. Errors: its shapes; a negative cap.
template <class T, class D> Tensor<T, D> linear_cross_entropy(const Tensor<T, D>& x, const Head<T, D>& head,
                                                              const Tensor<TokenId, D>& targets,
                                                              const CrossEntropyOptions& options = {}) {
  return detail::head_loss<true>(x, head, targets, options);
}

// log softmax(x weight^T)[token] for each token, with the bits that training sees: x (..., c), weight (v, c),
// tokens (...) -> (...), without a gradient. Errors: shapes; a token outside 0..v-1.
template <class T, class D>
Tensor<T, D> linear_log_probs(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Tensor<TokenId, D>& tokens) {
  return detail::head_log_probs<false>(x, {weight}, tokens);
}
template <class T, class D>
Tensor<T, D> linear_log_probs(const Tensor<T, D>& x, const Head<T, D>& head, const Tensor<TokenId, D>& tokens) {
  return detail::head_log_probs<true>(x, head, tokens);
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// linear_cross_entropy: the loss of a language model's head without its logits in memory; linear_log_probs, what the
// same head gives to chosen tokens. The definition is cross_entropy(matmul(x, transpose(weight)), targets).
#pragma once

#include "../backend/linear_cross_entropy.hpp"
#include "cross_entropy.hpp"
#include "elementwise.hpp"

namespace atom::ops {

namespace detail {

// Fills `losses` and, where they are defined, the gradients of scale * sum(losses).
template <class T, class D> void sweep_head(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                            const Buffer<TokenId, D>& targets, TokenId ignored,
                                            const Buffer<T, D>& scale, const Buffer<T, D>& losses,
                                            const Buffer<T, D>& dx, const Buffer<T, D>& dweight) {
  const Index v = weight.dim(0), n = losses.size(), chunk = linear_cross_entropy_rows(v);
  const Buffer<T, D> rows = contiguous(x.buffer()), table = contiguous(weight.buffer());
  const Buffer<T, D> logits(x.device(), Shape{std::min(n, chunk), v});
  linear_cross_entropy_sweep(x.device(), LinearCrossEntropy<T>{.n = n,
                                                               .v = v,
                                                               .c = weight.dim(1),
                                                               .x = rows.data(),
                                                               .weight = table.data(),
                                                               .targets = targets.data(),
                                                               .ignored = ignored,
                                                               .scale = scale.data(),
                                                               .loss = losses.mutable_data(),
                                                               .dx = dx.mutable_data(),
                                                               .dweight = dweight.mutable_data(),
                                                               .logits = logits.mutable_data(),
                                                               .chunk = chunk});
}

template <class T, class D> void check_head(std::string_view op, const Tensor<T, D>& x, const Tensor<T, D>& weight) {
  check(weight.rank() == 2 && x.rank() > 0 && x.dim(-1) == weight.dim(1), op, "weight has shape ", weight.shape(),
        ", expected (v, c) with c the last axis of x: ", x.shape());
}

}  // namespace detail

// cross_entropy of the logits x weight^T: x (..., c), weight (v, c), targets (...) -> a scalar. The gradients are
// computed in the forward sweep and kept, (..., c) and (v, c), until backward scales them.
// Errors: shapes; a target that is neither in 0..v-1 nor ignored.
template <class T, class D> Tensor<T, D> linear_cross_entropy(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                                              const Tensor<TokenId, D>& targets,
                                                              const CrossEntropyOptions& options = {}) {
  detail::check_head("linear_cross_entropy", x, weight);
  const auto ids = detail::checked_targets("linear_cross_entropy", x, targets, weight.dim(0), options.ignored);
  const D device = x.device();
  const auto wanted = [&](const Tensor<T, D>& input) {
    return grad_enabled() && input.requires_grad() ? Buffer<T, D>(device, input.shape()) : Buffer<T, D>();
  };
  const Buffer<T, D> dx = wanted(x), dweight = wanted(weight);
  Buffer<T, D> loss(device, Shape{}), scale(device, Shape{}), losses(device, targets.shape());
  cross_entropy_scale(device, losses.size(), ids.data(), options.ignored, static_cast<T>(options.normaliser),
                      scale.mutable_data());
  detail::sweep_head(x, weight, ids, options.ignored, scale, losses, dx, dweight);
  cross_entropy_sum(device, losses.size(), losses.data(), scale.data(), loss.mutable_data());
  return record<"linear_cross_entropy">(
      loss,
      [dx, dweight](const Buffer<T, D>& dy) {
        const auto scaled = [&](const Buffer<T, D>& gradient) {
          return [&](Into<T, D> into) {
            detail::map_into(into, detail::Times{}, gradient, detail::expand(dy, gradient.shape()));
          };
        };
        return grads(scaled(dx), scaled(dweight));
      },
      x, weight);
}

// log softmax(x weight^T)[token] for each token, with the bits that training sees: x (..., c), weight (v, c),
// tokens (...) -> (...), without a gradient. Errors: shapes; a token outside 0..v-1.
template <class T, class D>
Tensor<T, D> linear_log_probs(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Tensor<TokenId, D>& tokens) {
  detail::check_head("linear_log_probs", x, weight);
  constexpr TokenId none_ignored = -1;  // refused by the check
  const auto ids = detail::checked_targets("linear_log_probs", x, tokens, weight.dim(0), no_id);
  Buffer<T, D> losses(x.device(), tokens.shape());
  detail::sweep_head(x, weight, ids, none_ignored, Buffer<T, D>(), losses, Buffer<T, D>(), Buffer<T, D>());
  return constant(detail::map(detail::Negate{}, losses));
}

}  // namespace atom::ops

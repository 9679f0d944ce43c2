// SPDX-License-Identifier: Apache-2.0
// cross_entropy of logits against target ids, with targets that take no part; token_losses, the same before summing.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/check_ids.hpp"
#include "../backend/cross_entropy.hpp"

namespace atom::ops {

struct CrossEntropyOptions {
  TokenId ignored = -100;  // a target that takes no part
  // The sum of the losses is divided by this: the number of targets that take part in the whole optimiser step when it
  // is split into several calls. 0: their number in this call.
  double normaliser = 0;
};

namespace detail {

// The targets, dense and in range, one for each row of x (..., n).
template <class T, class D> Buffer<TokenId, D> checked_targets(std::string_view op, const Tensor<T, D>& x,
                                                               const Tensor<TokenId, D>& targets, Index limit,
                                                               Index ignored) {
  check(x.rank() > 0 && x.shape().without(-1) == targets.shape(), op, "targets have shape ", targets.shape(),
        ", expected that of x without its last axis: ", x.shape());
  const auto packed = contiguous(targets.buffer());
  check_ids(x.device(), op, packed.view(), limit, ignored);
  return packed;
}

// What cross_entropy and token_losses keep for backward.
template <class T, class D> struct CrossEntropy {
  CrossEntropy(std::string_view op, const Tensor<T, D>& x, const Tensor<TokenId, D>& ids, TokenId ignored_target)
      : logits(contiguous(x.buffer())),
        targets(checked_targets(op, x, ids, x.rank() > 0 ? x.dim(-1) : 0, ignored_target)),
        ignored(ignored_target),
        losses(x.device(), ids.shape()),
        log_sum(x.device(), ids.shape()) {
    cross_entropy_forward(x.device(), CrossEntropyForward<T>{.n = losses.size(),
                                                             .v = x.dim(-1),
                                                             .logits = logits->data(),
                                                             .targets = targets->data(),
                                                             .ignored = ignored,
                                                             .loss = losses.mutable_data(),
                                                             .log_sum = log_sum.mutable_data()});
  }

  // `scale` may be undefined; dloss holds one value, or one for each row (stride 1).
  Buffer<T, D> gradient(const Buffer<T, D>& scale, const Buffer<T, D>& dloss, Index dloss_stride) const {
    Buffer<T, D> dlogits(logits->device(), logits->shape());
    cross_entropy_backward(dlogits.device(), CrossEntropyBackward<T>{.n = log_sum.size(),
                                                                     .v = dlogits.dim(-1),
                                                                     .logits = logits->data(),
                                                                     .log_sum = log_sum.data(),
                                                                     .targets = targets->data(),
                                                                     .ignored = ignored,
                                                                     .scale = scale.data(),
                                                                     .dloss = dloss.data(),
                                                                     .dloss_stride = dloss_stride,
                                                                     .dlogits = dlogits.mutable_data()});
    return dlogits;
  }

  Saved<T, D> logits;
  Saved<TokenId, D> targets;
  TokenId ignored;
  Buffer<T, D> losses, log_sum;
};

}  // namespace detail

// -log softmax(logits)[target] for each target: logits (..., v), targets (...) -> (...); 0 where ignored.
// Errors: shapes; a target that is neither in 0..v-1 nor ignored.
template <class T, class D>
Tensor<T, D> token_losses(const Tensor<T, D>& logits, const Tensor<TokenId, D>& targets, TokenId ignored = -100) {
  const detail::CrossEntropy<T, D> rows("token_losses", logits, targets, ignored);
  return record<"token_losses">(
      rows.losses, [rows](const Buffer<T, D>& dy) { return rows.gradient(Buffer<T, D>(), dy, 1); }, logits);
}

// The sum of token_losses over the normaliser: logits (..., v), targets (...) -> a scalar; 0 where all are ignored.
// Errors: as token_losses.
template <class T, class D> Tensor<T, D> cross_entropy(const Tensor<T, D>& logits, const Tensor<TokenId, D>& targets,
                                                       const CrossEntropyOptions& options = {}) {
  const detail::CrossEntropy<T, D> rows("cross_entropy", logits, targets, options.ignored);
  const D device = logits.device();
  const Index n = rows.losses.size();
  Buffer<T, D> loss(device, Shape{}), scale(device, Shape{});
  cross_entropy_scale(device, n, rows.targets->data(), options.ignored, static_cast<T>(options.normaliser),
                      scale.mutable_data());
  cross_entropy_sum(device, n, rows.losses.data(), scale.data(), loss.mutable_data());
  return record<"cross_entropy">(
      loss, [rows, scale](const Buffer<T, D>& dy) { return rows.gradient(scale, dy, 0); }, logits);
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// with_auxiliary: a loss that is reported as one number and minimised together with another.
#pragma once

#include "../autograd/record.hpp"

namespace atom::ops {

// The value of `loss`, the gradient of loss + auxiliary. Both are scalars; auxiliary may be undefined.
template <class T, class D> Tensor<T, D> with_auxiliary(const Tensor<T, D>& loss, const Tensor<T, D>& auxiliary) {
  if (!auxiliary.defined()) return loss;
  check(loss.rank() == 0 && auxiliary.rank() == 0, "with_auxiliary", "losses are scalars: found ", loss.shape(),
        " and ", auxiliary.shape());
  return record<"with_auxiliary">(
      loss.buffer(), [](const Buffer<T, D>& dy) { return grads(dy, dy); }, loss, auxiliary);
}

}  // namespace atom::ops

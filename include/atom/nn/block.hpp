// SPDX-License-Identifier: Apache-2.0
// Block: a pre-norm residual layer. x + attention(norm1(x)), then x + feed_forward(norm2(x)).
#pragma once

#include "attention.hpp"
#include "feed_forward.hpp"
#include "norm.hpp"

namespace atom::nn {

template <class T, class D> struct Block {
  using Scalar = T;
  using DeviceType = D;

  Norm<T, D> norm1;
  Attention<T, D> attention;
  Norm<T, D> norm2;
  FeedForward<T, D> feed_forward;

  // x (b, t, c) -> (b, t, c)
  template <ScorePolicy Policy>
  Tensor<T, D> operator()(const Tensor<T, D>& x, Pass<T, D>& pass, Index layer, const Policy& policy) const {
    if (!pass.drops()) {  // the residual is added while the product's tile is in cache
      const auto y = attention(norm1(x), x, pass, layer, policy);
      return feed_forward(norm2(y), y);
    }
    const auto y = x + pass.drop(attention(norm1(x), {}, pass, layer, policy));
    return y + pass.drop(feed_forward(norm2(y)));
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("norm1", self.norm1);
    f("attention", self.attention);
    f("norm2", self.norm2);
    f("feed_forward", self.feed_forward);
  }
};

}  // namespace atom::nn

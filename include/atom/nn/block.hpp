// SPDX-License-Identifier: Apache-2.0
// Block: a pre-norm residual layer. x + attention(norm1(x)), then x + feed_forward(norm2(x)).
#pragma once

#include "attention.hpp"
#include "experts.hpp"
#include "feed_forward.hpp"
#include "latent_attention.hpp"
#include "norm.hpp"

namespace atom::nn {

// A part that a program was compiled without.
struct Absent {
  explicit operator bool() const { return false; }
  template <class Self, class F> static void visit(Self&, F&&) {}
};

// With NoRouter a block is attention and a feed-forward layer. With a router it may have experts and latent attention
// in their place, by what its parts hold.
template <class T, class D, class Router = NoRouter> struct Block {
  static constexpr bool sparse = !std::is_same_v<Router, NoRouter>;
  template <class Part> using IfSparse = std::conditional_t<sparse, std::optional<Part>, Absent>;

  Norm<T, D> norm1;
  Attention<T, D> attention;
  IfSparse<LatentAttention<T, D>> latent;  // in place of `attention`
  Norm<T, D> norm2;
  FeedForward<T, D> feed_forward;
  IfSparse<Experts<T, D>> experts;  // in place of `feed_forward`

  // x (b, t, c) -> (b, t, c)
  template <ScorePolicy Policy> Tensor<T, D> operator()(const Tensor<T, D>& x, Pass<T, D>& pass, Index layer,
                                                        const Policy& policy, const Router& router = {}) const {
    if (!pass.drops()) {  // the residual is added while the product's tile is in cache
      const auto y = attend(norm1(x), x, pass, layer, policy);
      return feed(norm2(y), y, pass, layer, router);
    }
    const auto y = x + pass.drop(attend(norm1(x), {}, pass, layer, policy));
    return y + pass.drop(feed(norm2(y), {}, pass, layer, router));
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("norm1", self.norm1);
    f("attention", self.attention);
    f("latent", self.latent);
    f("norm2", self.norm2);
    f("feed_forward", self.feed_forward);
    f("experts", self.experts);
  }

 private:
  template <class Policy> Tensor<T, D> attend(const Tensor<T, D>& x, const Tensor<T, D>& residual, Pass<T, D>& pass,
                                              Index layer, const Policy& policy) const {
    if constexpr (sparse)
      if (latent) return (*latent)(x, residual, pass, layer, policy);
    return attention(x, residual, pass, layer, policy);
  }
  Tensor<T, D> feed(const Tensor<T, D>& x, const Tensor<T, D>& residual, Pass<T, D>& pass, Index layer,
                    const Router& router) const {
    if constexpr (sparse)
      if (experts) return (*experts)(x, residual, pass, layer, router);
    return feed_forward(x, residual);
  }
};

}  // namespace atom::nn

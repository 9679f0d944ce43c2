// SPDX-License-Identifier: Apache-2.0
// Block: a residual layer. y = x + attention(norm1(x)), then y + feed_forward(norm2(y)), and the forms that published
// models have in its place.
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

// What the second branch reads: what the first one left, or what the first one read, by its own norm or by norm1.
enum class Residual { sequential, parallel, parallel_one_norm };

// With NoRouter a block is attention and a feed-forward layer, sequential and with norms before them. With a router it
// may have experts and latent attention in their place, by what its parts hold, and norms and branches of other forms.
template <class T, class D, class Router = NoRouter> struct Block {
  static constexpr bool full = !std::is_same_v<Router, NoRouter>;
  template <class Part> using IfFull = std::conditional_t<full, std::optional<Part>, Absent>;

  Residual residual = Residual::sequential;
  bool pre_norm = true;     // false: branches read x itself (OLMo 2)
  double branch_scale = 1;  // of what each branch adds (Granite)
  Norm<T, D> norm1 = {};
  Attention<T, D, full> attention = {};
  IfFull<LatentAttention<T, D>> latent = {};  // in place of `attention`
  IfFull<Norm<T, D>> post_norm1 = {};         // of what attention says, before it is added
  Norm<T, D> norm2 = {};
  FeedForward<T, D> feed_forward = {};
  IfFull<Experts<T, D>> experts = {};  // in place of `feed_forward`
  IfFull<Norm<T, D>> post_norm2 = {};

  // x (b, t, c) -> (b, t, c)
  template <ScorePolicy Policy> Tensor<T, D> operator()(const Tensor<T, D>& x, Pass<T, D>& pass, Index layer,
                                                        const Policy& policy, const Router& router = {}) const {
    const auto first = normed(norm1, x);
    const auto y =
        added(x, post_norm1, pass, [&](const auto& rest) { return attend(first, rest, pass, layer, policy); });
    const auto second =
        residual == Residual::parallel_one_norm ? first : normed(norm2, residual == Residual::parallel ? x : y);
    return added(y, post_norm2, pass, [&](const auto& rest) { return feed(second, rest, pass, layer, router); });
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("norm1", self.norm1);
    f("attention", self.attention);
    f("latent", self.latent);
    f("post_norm1", self.post_norm1);
    f("norm2", self.norm2);
    f("feed_forward", self.feed_forward);
    f("experts", self.experts);
    f("post_norm2", self.post_norm2);
  }

 private:
  Tensor<T, D> normed(const Norm<T, D>& norm, const Tensor<T, D>& x) const { return pre_norm ? norm(x) : x; }

  // x + branch. Where nothing comes between, the branch adds x itself, while its product's tile is in cache.
  template <class Post, class Branch>
  Tensor<T, D> added(const Tensor<T, D>& x, const Post& post, Pass<T, D>& pass, Branch&& branch) const {
    if (!pass.drops() && !post && branch_scale == 1) return branch(x);
    auto y = branch(Tensor<T, D>());
    if constexpr (full) {
      if (post) y = (*post)(y);
      if (branch_scale != 1) y = y * static_cast<T>(branch_scale);
    }
    return x + pass.drop(y);
  }
  template <class Policy> Tensor<T, D> attend(const Tensor<T, D>& x, const Tensor<T, D>& rest, Pass<T, D>& pass,
                                              Index layer, const Policy& policy) const {
    if constexpr (full)
      if (latent) return (*latent)(x, rest, pass, layer, policy);
    return attention(x, rest, pass, layer, policy);
  }
  Tensor<T, D> feed(const Tensor<T, D>& x, const Tensor<T, D>& rest, Pass<T, D>& pass, Index layer,
                    const Router& router) const {
    if constexpr (full)
      if (experts) return (*experts)(x, rest, pass, layer, router);
    return feed_forward(x, rest);
  }
};

}  // namespace atom::nn

// SPDX-License-Identifier: Apache-2.0
// Mtp: multi-token prediction (DeepSeek-AI 2024, section 2.2). From what the model knows at a place and the token that
// follows, one more block guesses the token after that: more to learn from each text. Not used in sampling.
#pragma once

#include "../nn/embedding.hpp"
#include "make_block.hpp"

namespace atom::models {

template <class T, class D, class Router> struct Mtp {
  using Scalar = T;
  using DeviceType = D;

  nn::Norm<T, D> token_norm, state_norm;  // published as enorm and hnorm
  nn::Linear<T, D> join;                  // (c, 2c): token first; eh_proj
  nn::Block<T, D, Router> block;
  nn::Norm<T, D> norm;  // before the head, which is the model's

  [[gnu::cold]] Mtp(const TransformerConfig& c, D device)
      : token_norm(c.norm_shape(), c.width, device),
        state_norm(c.norm_shape(), c.width, device),
        join(2 * c.width, c.width, false, device),
        block(detail::make_block<T, D, Router>(c, c.layers - 1, device)),
        norm(c.norm_shape(), c.width, device) {}

  // What the head reads, for the places 0..t-2: h (b, t, c) after the model's last norm, tokens (b, t, c) embedded;
  // -> (b, t - 1, c), of which place p guesses token p + 2.
  template <ScorePolicy Policy> Tensor<T, D> operator()(const Tensor<T, D>& h, const Tensor<T, D>& tokens,
                                                        nn::Pass<T, D>& pass, Index layer, const Policy& policy,
                                                        const Router& router) const {
    const Index t = h.dim(1);
    const auto next = token_norm(ops::slice(tokens, 1, 1, t - 1)), state = state_norm(ops::slice(h, 1, 0, t - 1));
    return norm(block(join(ops::concat(next, state, 2)), pass, layer, policy, router));
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("token_norm", self.token_norm);
    f("state_norm", self.state_norm);
    f("join", self.join);
    f("block", self.block);
    f("norm", self.norm);
  }
};

}  // namespace atom::models

// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of training share: models by size, what a step computes, and how long it takes.
#pragma once

#include <atom/atom.hpp>

#include "machine.hpp"

namespace bench {

struct ModelSize {
  Index layers = 12, heads = 12, width = 768, vocab = 50257, context = 64;
  Index experts = 0, active = 1, expert_width = 0;
};

// Blocks as Llama's, norms of whole queries and keys, softmax router, untied head (Muennighoff et al. 2024). With one
// expert: the dense model of the same active parameters.
inline atom::models::TransformerConfig olmoe(const ModelSize& s) {
  auto c = atom::models::TransformerConfig::llama(s.vocab, s.layers, s.heads, s.width, s.context);
  c.qk_norm = atom::nn::QkNorm::whole;
  c.feed_forward = s.expert_width * (s.experts == 1 ? s.active : 1);
  if (s.experts > 1)
    c.moe = {.experts = s.experts,
             .active = s.active,
             .expert_width = s.expert_width,
             .router = {.balance = 0.01, .z = 0.001}};
  return c;
}

// Weights that a token meets in products.
template <class M> double active_weights(const M& model) {
  double count = 0;
  const auto& m = model.config.moe;
  atom::nn::for_each_tensor(model, [&](const std::string&, const auto& tensor, atom::Role role) {
    if (role != atom::Role::matrix) return;
    const auto size = static_cast<double>(tensor.size());
    count += tensor.rank() == 3 ? size * static_cast<double>(m.active) / static_cast<double>(m.experts) : size;
  });
  if (model.config.tie_embeddings) count += static_cast<double>(model.embedding.weight.size());
  return count;
}

// Floating-point operations of a training step, forward and backward, on so many sequences of `context` tokens.
template <class M> double step_operations(const M& model, Index batch, Index context) {
  const auto& c = model.config;
  const auto tokens = static_cast<double>(batch * context);
  const auto attention = 6 * static_cast<double>(c.layers * context * c.heads * c.head_dim);  // causal: half of 12 t c
  return (6 * active_weights(model) + attention) * tokens;
}

struct Training {
  double seconds = 0;  // median of a step: forward, backward, clip, AdamW
  double loss = 0;     // of the last
};

// Trains on made-up tokens: `steps` timed steps, after two to warm up.
template <class M> Training train(M& model, Index batch, Index context, Index steps) {
  using namespace atom;
  auto optim = optim::AdamW(model, {.lr = 1e-4F});
  const RandomKey key = Rng(2).key("tokens");
  std::vector<TokenId> ids(static_cast<std::size_t>(batch * (context + 1)));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<TokenId>(uniform_index(key, static_cast<Index>(i), model.config.vocab));
  const auto all = Tensor<TokenId>::from(ids, {batch, context + 1});
  const auto x = ops::slice(all, 1, 0, context), y = ops::slice(all, 1, 1, context);
  std::vector<double> seconds;
  Training result;
  for (Index step = 0; step < steps + 2; ++step) {
    const double start = wall();
    const auto loss = model.loss(x, y, {.mode = nn::training(key)});
    backward(loss);
    optim.step();
    result.loss = static_cast<double>(loss.item());
    if (step >= 2) seconds.push_back(wall() - start);
  }
  result.seconds = median(seconds);
  return result;
}

}  // namespace bench

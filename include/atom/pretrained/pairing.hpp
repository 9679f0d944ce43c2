// SPDX-License-Identifier: Apache-2.0
// set_pairing: the same model with the rows of its queries and keys in the order of the other pairing of rotary
// positions. GGUF files of Llama have them interleaved, folders in halves.
#pragma once

#include "../models/transformer.hpp"
#include "../ops/embedding.hpp"

namespace atom::pretrained {

namespace detail {

// For each row of `heads` heads of d rows, of which the first `rotated` turn, which row it was.
inline std::vector<TokenId> reordered_rows(Index heads, Index d, Index rotated, RopePairing wanted) {
  std::vector<TokenId> rows;
  for (Index h = 0; h < heads; ++h)
    for (Index i = 0; i < d; ++i) {
      const Index half = rotated / 2;
      Index from = i;
      if (i < rotated) from = wanted == RopePairing::half_split ? i % half * 2 + i / half : i / 2 + i % 2 * half;
      rows.push_back(static_cast<TokenId>(h * d + from));
    }
  return rows;
}

template <class T, class D> Tensor<T, D> picked(const Tensor<T, D>& rows, const std::vector<TokenId>& order) {
  const Index n = rows.dim(0);
  const auto ids = Tensor<TokenId, D>::from(order, {std::ssize(order)}, rows.device());
  return ops::reshape(ops::embedding(ids, ops::reshape(rows, {n, rows.size() / n})), rows.shape());
}

}  // namespace detail

// Nothing is done where the pairing is the wanted one or nothing turns. Stored weights become views of rows in another
// order, copied. Errors: latent attention; an adapter.
template <class T, class D, class Policy, class Router>
void set_pairing(models::Transformer<T, D, Policy, Router>& model, RopePairing wanted) {
  auto& c = model.config;
  if (!c.rotary() || c.rope_pairing == wanted) return;
  check(c.latent.kv_rank == 0, "set_pairing", "latent attention keeps its own");
  const NoGrad no_grad;
  const auto reorder = [&](nn::Linear<T, D>& layer, nn::Norm<T, D>& norm, Index heads) {
    check(!layer.lora, "set_pairing", "found an adapter, expected a model without");
    const auto order = detail::reordered_rows(heads, c.head_dim, c.rotary_dim, wanted);
    if (layer.stored.defined())
      layer.stored = layer.stored.reordered(order);
    else
      layer.weight.assign(detail::picked(layer.weight.detach(), order).to_vector());
    if (layer.bias.defined()) layer.bias.assign(detail::picked(layer.bias.detach(), order).to_vector());
    if (!norm.weight.defined()) return;
    const Index spanned = norm.weight.dim(0) / c.head_dim;
    const auto of_norm = detail::reordered_rows(spanned, c.head_dim, c.rotary_dim, wanted);
    norm.weight.assign(detail::picked(norm.weight.detach(), of_norm).to_vector());
  };
  for (auto& block : model.blocks) {
    reorder(block.attention.q, block.attention.q_norm, c.heads);
    reorder(block.attention.k, block.attention.k_norm, c.kv_heads);
  }
  c.rope_pairing = wanted;
  model.ropes = {c, model.device()};
}

}  // namespace atom::pretrained

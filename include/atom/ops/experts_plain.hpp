// SPDX-License-Identifier: Apache-2.0
// A layer of gated experts as its definition, a loop over experts composed of plain operations: what the grouped
// operations are compared with. It reads the ids on the host and adds rows back by products with matrices of zeros and
// ones: for tests and for reading.
#pragma once

#include "activation.hpp"
#include "elementwise.hpp"
#include "embedding.hpp"
#include "linear.hpp"
#include "matmul.hpp"
#include "shape.hpp"

#include <vector>

namespace atom::ops {

template <class T, class D> struct PlainExperts {
  Tensor<T, D> gate, up, down;                 // (e, f, c), (e, f, c), (e, c, f)
  Tensor<T, D> gate_bias, up_bias, down_bias;  // (e, f), (e, f), (e, c); undefined: none
};

// Row r: the sum over experts i of ids[r] (n, k), ascending, of weight * down_i(activation(gate_i(x)) * up_i(x)); with
// scale_input the weight multiplies x instead. x (n, c), weights (n, k) -> (n, c).
template <class T, class D> Tensor<T, D> experts_plain(const Tensor<T, D>& x, const Tensor<TokenId, D>& ids,
                                                       const Tensor<T, D>& weights, const PlainExperts<T, D>& experts,
                                                       Activation activation = Activation::silu,
                                                       bool scale_input = false) {
  const Index n = x.dim(0), k = ids.dim(1);
  const D device = x.device();
  const auto one_of = [](const Tensor<T, D>& all, Index i) {
    return all.defined() ? reshape(slice(all, 0, i, 1), all.shape().without(0)) : all;
  };
  const auto assignments = ids.to_vector();
  auto result = Tensor<T, D>::zeros(x.shape(), device);
  for (Index i = 0; i < experts.gate.dim(0); ++i) {
    std::vector<TokenId> rows, places;
    for (Index at = 0; at < n * k; ++at)
      if (assignments[static_cast<std::size_t>(at)] == i) {
        rows.push_back(static_cast<TokenId>(at / k));
        places.push_back(static_cast<TokenId>(at));
      }
    const auto count = static_cast<Index>(rows.size());
    std::vector<T> back(static_cast<std::size_t>(n * count), T(0));  // (n, count)
    for (Index at = 0; at < count; ++at)
      back[static_cast<std::size_t>(rows[static_cast<std::size_t>(at)] * count + at)] = T(1);
    const auto weight =
        reshape(gather(reshape(weights, {n * k}), Tensor<TokenId, D>::from(places, {count}, device)), {count, 1});
    auto in = embedding(Tensor<TokenId, D>::from(rows, {count}, device), x);
    if (scale_input) in = mul(in, weight);
    const auto gate = linear(in, one_of(experts.gate, i), one_of(experts.gate_bias, i));
    const auto up = linear(in, one_of(experts.up, i), one_of(experts.up_bias, i));
    auto out = linear(gated(activation, gate, up), one_of(experts.down, i), one_of(experts.down_bias, i));
    if (!scale_input) out = mul(out, weight);
    result = add(result, matmul(Tensor<T, D>::from(back, {n, count}, device), out));
  }
  return result;
}

}  // namespace atom::ops

// SPDX-License-Identifier: Apache-2.0
// Attention: grouped-query self-attention with any score policy, over the sequence itself or over a cache.
#pragma once

#include "../ops/attention.hpp"
#include "../ops/shape.hpp"
#include "linear.hpp"
#include "pass.hpp"

namespace atom::nn {

struct AttentionShape {
  Index width = 0, heads = 0, kv_heads = 0, head_dim = 0;
  bool qkv_bias = false, o_bias = false;
};

template <class T, class D> struct Attention {
  using Scalar = T;
  using DeviceType = D;

  AttentionShape shape;
  Linear<T, D> q;  // (h d, c)
  Linear<T, D> k;  // (k d, c)
  Linear<T, D> v;  // (k d, c)
  Linear<T, D> o;  // (c, h d)

  Attention() = default;
  explicit Attention(const AttentionShape& s, D device = {})
      : shape(s),
        q(s.width, s.heads * s.head_dim, s.qkv_bias, device),
        k(s.width, s.kv_heads * s.head_dim, s.qkv_bias, device),
        v(s.width, s.kv_heads * s.head_dim, s.qkv_bias, device),
        o(s.heads * s.head_dim, s.width, s.o_bias, device) {}

  // x (b, t, c) -> (b, t, c), plus the residual if there is one. `layer` names the slot of the pass's cache.
  template <ScorePolicy Policy> Tensor<T, D> operator()(const Tensor<T, D>& x, const Tensor<T, D>& residual,
                                                        Pass<T, D>& pass, Index layer, const Policy& policy) const {
    const Index b = x.dim(0), t = x.dim(1);
    const auto heads = [&](const Linear<T, D>& project, Index count) {
      return ops::reshape(project(x), {b, t, count, shape.head_dim});
    };
    const auto rotated = [&](const Tensor<T, D>& y) {
      if (!pass.rope) return y;
      return pass.cache ? ops::rope(y, *pass.rope, pass.positions) : ops::rope(y, *pass.rope);
    };
    const auto queries = rotated(heads(q, shape.heads));  // (b, t, h, d)
    const auto keys = rotated(heads(k, shape.kv_heads));  // (b, t, k, d)
    const auto values = heads(v, shape.kv_heads);         // (b, t, k, d)
    const auto mixed = pass.cache ? over_cache(queries, keys, values, *pass.cache, layer, policy)
                                  : ops::attention(queries, keys, values, policy);
    return o(ops::reshape(mixed, {b, t, shape.heads * shape.head_dim}), {.residual = residual});
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("o", self.o);
  }

 private:
  template <class Policy> static Tensor<T, D> over_cache(const Tensor<T, D>& queries, const Tensor<T, D>& keys,
                                                         const Tensor<T, D>& values, KvCache<T, D>& cache, Index layer,
                                                         const Policy& policy) {
    auto& kept = cache.layer(layer);
    return ops::cached_attention(queries, keys, values, kept.k, kept.v,
                                 {.start = cache.starts(), .counts = cache.counts(), .end = cache.ends()}, policy);
  }
};

}  // namespace atom::nn

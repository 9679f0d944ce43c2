// SPDX-License-Identifier: Apache-2.0
// LatentAttention: multi-head latent attention (DeepSeek-AI 2024, V2 section 2.1). Keys and values of all heads come
// from one vector per token, the latent, which is all that a cache holds beside one rotated key part for all heads.
//   q = W_q x, or W_qb norm(W_qa x);  (c, r) = W_kva x;  (k_h, v_h) = W_kvb norm(c)
//   score_h = scale (q_h . k_h + rope(q'_h) . rope(r));  out = W_o [sum of weight_h v_h]
// Over a cache W_kvb is taken to the other side of both products, so that attention runs over latents:
//   q_h . k_h = (W_k,h' q_h) . norm(c);  sum of weight_h v_h = W_v,h (sum of weight_h norm(c))
#pragma once

#include "../ops/matmul.hpp"
#include "attention.hpp"

#include <cmath>

namespace atom::nn {

struct LatentShape {
  Index width = 0, heads = 0;
  Index q_rank = 0;  // of the queries' latent; 0: queries are one product
  Index kv_rank = 0, nope_dim = 0, rope_dim = 0, value_dim = 0;
  double norm_eps = 1e-6;  // of the latents' norms
  bool bias = false;       // in q_a, kv_a and o
  double scale = 0;        // 0: 1 / sqrt(nope_dim + rope_dim)

  NormShape inner_norm() const {
    NormShape shape;
    shape.eps = norm_eps;
    return shape;
  }
  Index head_dim() const { return nope_dim + rope_dim; }  // of queries and keys
  Index kept_dim() const {
    return kv_rank + rope_dim;
  }  // KvCacheShape{.kv_heads = 1, .head_dim = kept_dim(),
     //              .value_dim = kv_rank}
};

template <class T, class D> struct LatentAttention {
  using Scalar = T;
  using DeviceType = D;

  LatentShape shape;
  Linear<T, D> q;        // (h (nope + rope), c), if q_rank is 0, else
  Linear<T, D> q_a;      // (q_rank, c)
  Norm<T, D> q_a_norm;   // (q_rank)
  Linear<T, D> q_b;      // (h (nope + rope), q_rank)
  Linear<T, D> kv_a;     // (kv_rank + rope, c)
  Norm<T, D> kv_a_norm;  // (kv_rank)
  Linear<T, D> kv_b;     // (h (nope + value), kv_rank): for each head the rows of its key, then those of its value
  Linear<T, D> o;        // (c, h value)

  LatentAttention() = default;
  explicit LatentAttention(const LatentShape& s, D device = {})
      : shape(s),
        kv_a(s.width, s.kept_dim(), s.bias, device),
        kv_a_norm(s.inner_norm(), s.kv_rank, device),
        kv_b(s.kv_rank, s.heads * (s.nope_dim + s.value_dim), false, device),
        o(s.heads * s.value_dim, s.width, s.bias, device) {
    const Index queries = s.heads * s.head_dim();
    if (s.q_rank == 0) {
      q = {s.width, queries, false, device};
    } else {
      q_a = {s.width, s.q_rank, s.bias, device};
      q_a_norm = Norm<T, D>(s.inner_norm(), s.q_rank, device);
      q_b = {s.q_rank, queries, false, device};
    }
  }

  // x (b, t, c) -> (b, t, c), plus the residual if there is one. `layer` names the slot of the pass's cache, whose
  // shape is kept_dim()'s. The pass's table rotates rope_dim elements.
  template <ScorePolicy Policy> Tensor<T, D> operator()(const Tensor<T, D>& x, const Tensor<T, D>& residual,
                                                        Pass<T, D>& pass, Index layer, const Policy& policy) const {
    const Index b = x.dim(0), t = x.dim(1), h = shape.heads, rope = shape.rope_dim;
    const auto queries = ops::reshape(shape.q_rank == 0 ? q(x) : q_b(q_a_norm(q_a(x))), {b, t, h, shape.head_dim()});
    const auto kept = ops::reshape(kv_a(x), {b, t, 1, shape.kept_dim()});
    const auto q_rotated = detail::rotated(ops::slice(queries, -1, shape.nope_dim, rope), pass);  // (b, t, h, rope)
    const auto k_rotated = detail::rotated(ops::slice(kept, -1, shape.kv_rank, rope), pass);      // (b, t, 1, rope)
    const auto latent = kv_a_norm(ops::slice(kept, -1, 0, shape.kv_rank));                        // (b, t, 1, kv_rank)
    const double scale = shape.scale != 0 ? shape.scale : 1 / std::sqrt(static_cast<double>(shape.head_dim()));
    const ops::AttentionOptions<T, D> options{.scale = scale};

    Tensor<T, D> mixed;  // (b, t, h, value)
    if (pass.cache) {
      const auto both = kv_b.dense();
      const auto latent_queries = ops::concat(by_head(queries, rows_of(both, 0, shape.nope_dim)), q_rotated, -1);
      const auto mix = detail::over_cache(latent_queries, ops::concat(latent, k_rotated, -1), {}, *pass.cache, layer,
                                          policy, options);  // (b, t, h, kv_rank)
      mixed = by_head(mix, ops::transpose(rows_of(both, shape.nope_dim, shape.value_dim)));
    } else {
      const auto both = ops::reshape(kv_b(latent), {b, t, h, shape.nope_dim + shape.value_dim});
      const auto keys =
          ops::concat(ops::slice(both, -1, 0, shape.nope_dim), ops::broadcast_to(k_rotated, {b, t, h, rope}), -1);
      mixed = ops::attention(ops::concat(ops::slice(queries, -1, 0, shape.nope_dim), q_rotated, -1), keys,
                             ops::slice(both, -1, shape.nope_dim, shape.value_dim), policy, options);
    }
    return o(ops::reshape(mixed, {b, t, h * shape.value_dim}), {.residual = residual});
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    if (self.shape.q_rank == 0) {
      f("q", self.q);
    } else {
      f("q_a", self.q_a);
      f("q_a_norm", self.q_a_norm);
      f("q_b", self.q_b);
    }
    f("kv_a", self.kv_a);
    f("kv_a_norm", self.kv_a_norm);
    f("kv_b", self.kv_b);
    f("o", self.o);
  }

 private:
  // The rows start.. of each head in kv_b's matrix: a view (h, count, kv_rank).
  Tensor<T, D> rows_of(const Tensor<T, D>& both, Index start, Index count) const {
    return ops::slice(ops::reshape(both, {shape.heads, shape.nope_dim + shape.value_dim, shape.kv_rank}), 1, start,
                      count);
  }
  // The first n elements of each head of x (b, t, h, .) times its own of the matrices (h, n, m): (b, t, h, m), a view.
  static Tensor<T, D> by_head(const Tensor<T, D>& x, const Tensor<T, D>& matrices) {
    const Index b = x.dim(0), t = x.dim(1), h = x.dim(2);
    const auto rows = ops::slice(ops::reshape(x, {b * t, h, x.dim(3)}), -1, 0, matrices.dim(1));
    const auto product = ops::matmul(ops::permute(rows, {1, 0, 2}), matrices);  // (h, b t, m)
    return ops::permute(ops::reshape(product, {h, b, t, matrices.dim(2)}), {1, 2, 0, 3});
  }
};

}  // namespace atom::nn

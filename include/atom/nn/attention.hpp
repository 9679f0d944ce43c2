// SPDX-License-Identifier: Apache-2.0
// Attention: grouped-query self-attention with any score policy, over the sequence itself or over a cache.
//   project -> split into heads -> [norm of q, k] -> [clip] -> rope -> [norm of q, k] -> [temperature of q] -> mix -> o
#pragma once

#include "../ops/attention.hpp"
#include "../ops/elementwise.hpp"
#include "../ops/shape.hpp"
#include "linear.hpp"
#include "norm.hpp"
#include "pass.hpp"

namespace atom::nn {

// A factor on the query at position p that grows with it (Llama 4: beta 0.1, floor_scale 8192, offset 1):
//   1 + beta ln(1 + floor((p + offset) / floor_scale))
struct QueryTemperature {
  double beta = 0;  // 0: none
  double floor_scale = 8192;
  double offset = 0;

  ATOM_HD double operator()(Index position) const {
    const double steps = (static_cast<double>(position) + offset) / floor_scale;
    return 1 + beta * math::log(1 + static_cast<double>(static_cast<Index>(steps)));
  }
};

// What the rms norm of queries and keys spans: each head alone, or the whole vector that a projection gives.
enum class QkNorm { none, per_head, whole };

struct AttentionShape {
  Index width = 0, heads = 0, kv_heads = 0, head_dim = 0;
  bool qkv_bias = false, o_bias = false;
  double scale = 0;    // of q.k; 0: 1 / sqrt(head_dim)
  bool sinks = false;  // a learned logit for each query head that takes weight and has no value
  double clip = 0;     // queries, keys and values are kept within -clip..clip before they turn; 0: they are not
  QkNorm qk_norm = QkNorm::none;
  NormShape qk_norm_shape = {.eps = 1e-6};
  bool qk_norm_after_rope = false;
  QueryTemperature temperature = {};

  bool is_plain() const { return !sinks && clip == 0 && qk_norm == QkNorm::none && temperature.beta == 0; }
};

namespace detail {

// The factors of queries at `positions`; null: from position 0 on.
template <class T> struct Temperatures {
  QueryTemperature of;
  const std::int32_t* positions;
  T* out;
  ATOM_HD void operator()(Index i) const { out[i] = static_cast<T>(of(positions ? positions[i] : i)); }
};

// y (b, t, h, d) turned by the pass's table, if it has one.
template <class T, class D> Tensor<T, D> rotated(const Tensor<T, D>& y, const Pass<T, D>& pass) {
  if (!pass.rope.defined()) return y;
  return pass.cache ? ops::rope(y, pass.rope, pass.positions) : ops::rope(y, pass.rope);
}

// Mixes new tokens over those that layer `layer` of the cache holds, and adds them. An undefined v: values lie within
// the keys.
template <class T, class D, class Policy>
Tensor<T, D> over_cache(const Tensor<T, D>& q, const Tensor<T, D>& k, const Tensor<T, D>& v, KvCache<T, D>& cache,
                        Index layer, const Policy& policy, const ops::AttentionOptions<T, D>& options) {
  return ops::cached_attention(q, k, v, cache.layer(layer),
                               {.start = cache.starts(), .counts = cache.counts(), .end = cache.ends()}, policy,
                               options);
}

}  // namespace detail

// Without `full` a program compiles neither norms of queries and keys nor sinks, clips and temperatures, and a shape
// that asks for one is an error.
template <class T, class D, bool full = true> struct Attention {
  using Scalar = T;
  using DeviceType = D;

  AttentionShape shape;
  Linear<T, D> q;             // (h d, c)
  Linear<T, D> k;             // (k d, c)
  Linear<T, D> v;             // (k d, c)
  Linear<T, D> o;             // (c, h d)
  Norm<T, D> q_norm, k_norm;  // (d), or (h d) and (k d) where they span the whole vector; undefined without weight
  Tensor<T, D> sinks;         // (h), or undefined

  Attention() = default;
  explicit Attention(const AttentionShape& s, D device = {})
      : shape(s),
        q(s.width, s.heads * s.head_dim, s.qkv_bias, device),
        k(s.width, s.kv_heads * s.head_dim, s.qkv_bias, device),
        v(s.width, s.kv_heads * s.head_dim, s.qkv_bias, device),
        o(s.heads * s.head_dim, s.width, s.o_bias, device),
        q_norm(norm(s, s.heads, device)),
        k_norm(norm(s, s.kv_heads, device)),
        sinks(s.sinks ? Tensor<T, D>::zeros({s.heads}, device) : Tensor<T, D>()) {
    check(full || s.is_plain(), "attention", "norms, sinks, clips and temperatures need Attention<T, D, true>");
  }

  // x (b, t, c) -> (b, t, c), plus the residual if there is one. `layer` names the slot of the pass's cache.
  template <ScorePolicy Policy> Tensor<T, D> operator()(const Tensor<T, D>& x, const Tensor<T, D>& residual,
                                                        Pass<T, D>& pass, Index layer, const Policy& policy) const {
    const auto queries = heated(heads(q, q_norm, shape.heads, x, pass), pass);  // (b, t, h, d)
    const auto keys = heads(k, k_norm, shape.kv_heads, x, pass);                // (b, t, k, d)
    const auto values = split(clipped(v(x)), shape.kv_heads);                   // (b, t, k, d)
    ops::AttentionOptions<T, D> options{.sinks = sinks};
    if (shape.scale != 0) options.scale = shape.scale;
    const auto mixed = pass.cache ? detail::over_cache(queries, keys, values, *pass.cache, layer, policy, options)
                                  : ops::attention(queries, keys, values, policy, options);
    return o(ops::reshape(mixed, {x.dim(0), x.dim(1), shape.heads * shape.head_dim}), {.residual = residual});
  }

  template <class Self, class F> static void visit(Self& self, F&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("o", self.o);
    f("q_norm", self.q_norm);
    f("k_norm", self.k_norm);
    f("sinks", self.sinks, Role::bias);
  }

 private:
  static Norm<T, D> norm(const AttentionShape& s, Index count, D device) {
    if (s.qk_norm == QkNorm::none) return {};
    return {s.qk_norm_shape, s.qk_norm == QkNorm::whole ? count * s.head_dim : s.head_dim, device};
  }

  Tensor<T, D> split(const Tensor<T, D>& y, Index count) const {
    return ops::reshape(y, {y.dim(0), y.dim(1), count, shape.head_dim});
  }

  Tensor<T, D> clipped(const Tensor<T, D>& y) const {
    if constexpr (full)
      if (shape.clip > 0) return ops::clip(y, static_cast<T>(shape.clip));
    return y;
  }

  // Queries or keys (b, t, count, d), as they are compared but for the temperature.
  Tensor<T, D> heads(const Linear<T, D>& project, const Norm<T, D>& norm, Index count, const Tensor<T, D>& x,
                     const Pass<T, D>& pass) const {
    if constexpr (!full) return detail::rotated(split(project(x), count), pass);
    const auto normed = [&](const Tensor<T, D>& y, bool wanted) {
      if (shape.qk_norm == QkNorm::none || !wanted) return y;
      if (shape.qk_norm == QkNorm::per_head) return norm(y);
      return split(norm(ops::reshape(y, {y.dim(0), y.dim(1), count * shape.head_dim})), count);
    };
    const auto before = normed(split(project(x), count), !shape.qk_norm_after_rope);
    return normed(detail::rotated(clipped(before), pass), shape.qk_norm_after_rope);
  }

  Tensor<T, D> heated(const Tensor<T, D>& queries, const Pass<T, D>& pass) const {
    if constexpr (full)
      if (shape.temperature.beta != 0) return queries * temperatures(queries, pass);
    return queries;
  }
  // Of each position: (b, t, 1, 1) over a cache, else (1, t, 1, 1).
  Tensor<T, D> temperatures(const Tensor<T, D>& queries, const Pass<T, D>& pass) const {
    const Index b = pass.cache ? queries.dim(0) : 1, t = queries.dim(1);
    Buffer<T, D> factors(queries.device(), {b, t, 1, 1});
    const std::int32_t* positions = pass.cache ? pass.positions.buffer().data() : nullptr;
    for_each(queries.device(), b * t, detail::Temperatures<T>{shape.temperature, positions, factors.mutable_data()});
    return constant(factors);
  }
};

}  // namespace atom::nn

// SPDX-License-Identifier: Apache-2.0
// attention: scaled dot-product attention with a score policy, over a sequence or over a cache of keys and values.
// The definition in plain operations stands beside it: attention_plain.hpp.
#pragma once

#include "../autograd/record.hpp"
#include "../backend/attention.hpp"
#include "../backend/reduce.hpp"

#include <cmath>
#include <optional>

namespace atom::ops {

template <class T, class D> struct AttentionOptions {
  std::optional<double> scale = {};  // of q.k; none: 1 / sqrt(d)
  Tensor<T, D> sinks = {};           // (h): for each query head a logit of the softmax without a value; undefined: none
};

// The counts of a pass over a cache, on its device, one for each batch row (nn::KvCache holds them).
struct CachePass {
  const std::int32_t* start = nullptr;   // (b) position of the first new token
  const std::int32_t* counts = nullptr;  // (b) new tokens that are no padding
  const std::int32_t* end = nullptr;     // (b) start + counts
};

namespace detail {

inline void check_attention(std::string_view where, const Shape& q, const Shape& k, const Shape& v) {
  check(q.rank() == 4, where, "q has shape ", q, ", expected (b, t, h, d)");
  check(k.rank() == 4, where, "k has shape ", k, ", expected (b, s, kv-heads, d)");
  check(v.rank() == 4, where, "v has shape ", v, ", expected (b, s, kv-heads, e)");
  check(q[0] == k[0], where, "batches of q and k differ: ", q, " and ", k);
  check(q[3] == k[3], where, "head widths of q and k differ: ", q, " and ", k);
  check(v[0] == k[0] && v[1] == k[1] && v[2] == k[2], where, "k and v differ before the last axis: ", k, " and ", v);
  check(k[2] > 0 ? q[2] % k[2] == 0 : q[2] == 0, where, "heads of q are a multiple of those of k: found ", q[2],
        " and ", k[2]);
  constexpr Index longest = std::numeric_limits<std::int32_t>::max() - key_block;
  check(q[1] <= longest && k[1] <= longest, where, "sequences are at most ", longest, " long: found ", q, " and ", k);
}

template <class T, class D> T attention_scale(const AttentionOptions<T, D>& options, Index d) {
  return static_cast<T>(options.scale ? *options.scale : 1 / std::sqrt(static_cast<double>(std::max<Index>(d, 1))));
}

// The sinks as kernels take them: dense, undefined where there are none.
template <class T, class D>
Buffer<T, D> attention_sinks(std::string_view where, const AttentionOptions<T, D>& options, Index heads) {
  const auto& sinks = options.sinks;
  check(!sinks.defined() || sinks.shape() == Shape{heads}, where, "sinks have shape ", sinks.shape(),
        ", expected one for each query head: ", Shape{heads});
  return sinks.defined() ? contiguous(sinks.buffer()) : Buffer<T, D>();
}

// As kernels take it: stride 1 along the last axis.
template <class T, class D> Buffer<T, D> with_dense_rows(const Buffer<T, D>& x) {
  return x.strides()[3] == 1 || x.dim(3) <= 1 ? x : contiguous(x);
}

}  // namespace detail

// q (b, t, h, d), k (b, s, kv-heads, d), v (b, s, kv-heads, e) -> (b, t, h, e). Query i stands at position i, key j at
// position j; query head h reads key head h / (heads / kv-heads). A query that sees no key gives 0. Views are read in
// place where their last axis is dense. With sinks the weights are softmax over { scores } and { sink of the head }, of
// which the last is dropped. Errors: shapes.
template <class T, class D, ScorePolicy Policy> Tensor<T, D> attention(const Tensor<T, D>& q, const Tensor<T, D>& k,
                                                                       const Tensor<T, D>& v, const Policy& policy,
                                                                       const AttentionOptions<T, D>& options = {}) {
  detail::check_attention("attention", q.shape(), k.shape(), v.shape());
  const auto sinks = detail::attention_sinks("attention", options, q.dim(2));
  const D device = q.device();
  const T scale = detail::attention_scale(options, q.dim(3));
  const auto q_rows = detail::with_dense_rows(q.buffer()), k_rows = detail::with_dense_rows(k.buffer()),
             v_rows = detail::with_dense_rows(v.buffer());
  Buffer<T, D> out(device, {q.dim(0), q.dim(1), q.dim(2), v.dim(3)});
  Buffer<T, D> lse;
  if (grad_enabled()) lse = Buffer<T, D>(device, {q.dim(0), q.dim(2), q.dim(1)});
  attention_forward(device,
                    AttentionForward<T>{.q = q_rows.view(),
                                        .k = k_rows.view(),
                                        .v = v_rows.view(),
                                        .out = out.mutable_view(),
                                        .lse = lse.mutable_data(),
                                        .sinks = sinks.data(),
                                        .scale = scale},
                    policy);
  return record<"attention">(
      out,
      [q = save(q_rows), k = save(k_rows), v = save(v_rows), out = save(out), sinks = save(sinks), lse, scale,
       policy](const Buffer<T, D>& dy) {
        Buffer<T, D> dq(dy.device(), q->shape()), dk(dy.device(), k->shape()), dv(dy.device(), v->shape()), parts;
        const Index queries = q->dim(0) * q->dim(1), heads = q->dim(2);
        if (sinks->defined()) parts = Buffer<T, D>(dy.device(), {queries, heads});
        const Buffer<T, D> dout = detail::with_dense_rows(dy);
        attention_backward(dy.device(),
                           AttentionBackward<T>{.q = q->view(),
                                                .k = k->view(),
                                                .v = v->view(),
                                                .out = out->view(),
                                                .lse = lse.data(),
                                                .dout = dout.view(),
                                                .dq = dq.mutable_view(),
                                                .dk = dk.mutable_view(),
                                                .dv = dv.mutable_view(),
                                                .sinks = sinks->data(),
                                                .dsinks = parts.mutable_data(),
                                                .scale = scale},
                           policy);
        const auto dsinks = [parts, queries, heads](Into<T, D> into) {
          sum_rows(parts.device(), queries, heads, parts.data(), into.buffer.mutable_data(), into.accumulate);
        };
        return grads(dq, dk, dv, dsinks);
      },
      q, k, v, options.sinks);
}

// The same for new tokens behind those of a cache: writes the first counts[b] of k and v (b, t, kv-heads, .) of each
// row into the cache at their positions, then lets q see all of the row's keys. The key of position p lies in slot
// p % s; where that wraps around, the policy sees no key that this pass overwrites. v is undefined where the cache's
// values lie within its keys. Results of padding mean nothing. Not differentiated. Errors: shapes; an input has a
// gradient.
template <class T, class D, ScorePolicy Policy>
Tensor<T, D> cached_attention(const Tensor<T, D>& q, const Tensor<T, D>& k, const Tensor<T, D>& v,
                              const KvBlocks<T>& cache, const CachePass& pass, const Policy& policy,
                              const AttentionOptions<T, D>& options = {}) {
  constexpr std::string_view where = "cached_attention";
  detail::check_attention(where, q.shape(), k.shape(), v.defined() ? v.shape() : k.shape());
  check(q.dim(1) == k.dim(1), where, "q and k are the same tokens: found ", q.shape(), " and ", k.shape());
  check(v.defined() != cache.values_in_keys, where,
        cache.values_in_keys ? "the cache's values lie within its keys, expected an undefined v"
                             : "v is undefined, expected a cache whose values lie within its keys");
  const Shape keys{cache.batch, k.dim(1), cache.heads, cache.d}, values{cache.batch, k.dim(1), cache.heads, cache.e};
  check(k.shape() == keys, where, "k has shape ", k.shape(), ", expected ", keys, " as the cache has them");
  check(!v.defined() || v.shape() == values, where, "v has shape ", v.shape(), ", expected ", values,
        " as the cache has them");
  check(!grad_enabled() ||
            !(q.requires_grad() || k.requires_grad() || v.requires_grad() || options.sinks.requires_grad()),
        where, "an input has a gradient, and this has no backward rule: use NoGrad");
  const D device = q.device();
  const auto sinks = detail::attention_sinks(where, options, q.dim(2));
  const auto q_rows = detail::with_dense_rows(q.buffer()), k_rows = detail::with_dense_rows(k.buffer()),
             v_rows = v.defined() ? detail::with_dense_rows(v.buffer()) : Buffer<T, D>();
  cache_append(device,
               CacheAppend<T>{
                   .cache = cache, .k = k_rows.view(), .v = v_rows.view(), .start = pass.start, .counts = pass.counts});
  Buffer<T, D> out(device, {q.dim(0), q.dim(1), q.dim(2), cache.e});
  attention_forward(device,
                    AttentionForward<T>{.q = q_rows.view(),
                                        .k = {},
                                        .v = {},
                                        .out = out.mutable_view(),
                                        .sinks = sinks.data(),
                                        .scale = detail::attention_scale(options, q.dim(3)),
                                        .positions = {.query_start = pass.start, .key_end = pass.end},
                                        .cache = cache},
                    policy);
  return constant(out);
}

}  // namespace atom::ops

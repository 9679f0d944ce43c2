// SPDX-License-Identifier: Apache-2.0
// Attention over a grid (contract: backend/attention.hpp): one query, or one key, each. Correct and simple; nothing of
// size (t, s) is held.
#pragma once

#include "../../core/math.hpp"
#include "../attention.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

template <class T> ATOM_HD const T* attention_row(const View<const T>& x, Index b, Index time, Index head) {
  return x.data + b * x.strides[0] + time * x.strides[1] + head * x.strides[2];
}
template <class T> ATOM_HD T* attention_row(const View<T>& x, Index b, Index time, Index head) {
  return x.data + b * x.strides[0] + time * x.strides[1] + head * x.strides[2];
}
template <class T> ATOM_HD T dot_of(const T* a, const T* b, Index n) {
  T sum = 0;
  for (Index i = 0; i < n; ++i) sum = math::fma(a[i], b[i], sum);
  return sum;
}

ATOM_HD Index attention_key_end(const AttentionPositions& p, Index b, Index s) { return p.key_end ? p.key_end[b] : s; }
ATOM_HD AttnIndex<> attention_index(const AttentionPositions& p, Index b, Index query, Index key, Index head) {
  const Index start = p.query_start ? p.query_start[b] : 0;
  return {static_cast<std::int32_t>(start + query), static_cast<std::int32_t>(key), static_cast<std::int32_t>(head)};
}

// The keys first..end-1 that a query may see: those written, still held by one of s slots, in the policy's range.
struct KeySpan {
  Index first, end;
};
template <class P>
ATOM_HD KeySpan attention_keys(const P& policy, const AttentionPositions& p, Index b, Index query, Index s) {
  const KeyRange range = policy_range(policy, attention_index(p, b, query, 0, 0).query);
  const Index written = attention_key_end(p, b, s), held = written > s ? written - s : 0, end = Index{range.last} + 1;
  return {range.first > held ? range.first : held, end < written ? end : written};
}

// Element i of a key or a value, of a sequence or a cache.
template <class T> ATOM_HD T attention_key(const AttentionForward<T>& a, Index b, Index slot, Index head, Index i) {
  return a.cache.data ? a.cache.keys(b, slot, head).load(slot % key_block, i) : attention_row(a.k, b, slot, head)[i];
}
template <class T> ATOM_HD T attention_value(const AttentionForward<T>& a, Index b, Index slot, Index head, Index i) {
  return a.cache.data ? a.cache.values(b, slot, head).load(slot % key_block, i) : attention_row(a.v, b, slot, head)[i];
}

template <class T, class P> struct AttentionQuery {
  AttentionForward<T> a;
  P policy;
  ATOM_HD void operator()(Index unit) const {
    const Index t = a.q.shape[1], h = a.q.shape[2], d = a.q.shape[3], s = a.slots(), e = a.value_dim();
    const Index head = unit % h, query = unit / h % t, b = unit / (h * t), shared = head / (h / a.kv_heads());
    const T* q = attention_row(a.q, b, query, head);
    T* out = attention_row(a.out, b, query, head);
    for (Index i = 0; i < e; ++i) out[i] = 0;
    const KeySpan keys = attention_keys(policy, a.positions, b, query, s);
    constexpr T infinity = std::numeric_limits<T>::infinity();
    T most = a.sinks ? a.sinks[head] : -infinity, total = most > -infinity ? T(1) : T(0);
    for (Index key = keys.first; key < keys.end; ++key) {
      const auto at = attention_index(a.positions, b, query, key, head);
      if (!policy_visible(policy, at)) continue;
      T product = 0;
      for (Index i = 0; i < d; ++i) product = math::fma(q[i], attention_key(a, b, key % s, shared, i), product);
      const T score = policy_score(policy, a.scale * product, at);
      if (score == -infinity) continue;
      const T above = math::max(most, score), keep = math::exp(most - above), weight = math::exp(score - above);
      for (Index i = 0; i < e; ++i)
        out[i] = math::fma(weight, attention_value(a, b, key % s, shared, i), out[i] * keep);
      total = math::fma(total, keep, weight);
      most = above;
    }
    if (total > 0)
      for (Index i = 0; i < e; ++i) out[i] = out[i] / total;
    if (a.lse) a.lse[(b * h + head) * t + query] = total > 0 ? most + math::log(total) : -infinity;
  }
};

// Probability of a key and the gradient of its raw score, for one query.
template <class T, class P> struct AttentionPair {
  const AttentionBackward<T>& a;
  const P& policy;
  T probability = 0, slope = 0;
  ATOM_HD AttentionPair(const AttentionBackward<T>& args, const P& p, Index b, Index query, Index key, Index head)
      : a(args), policy(p) {
    const Index t = a.q.shape[1], h = a.q.shape[2], d = a.q.shape[3], e = a.v.shape[3],
                shared = head / (h / a.k.shape[2]);
    const T lse = a.lse[(b * h + head) * t + query];
    const auto at = attention_index(a.positions, b, query, key, head);
    if (lse == -std::numeric_limits<T>::infinity() || !policy_visible(policy, at)) return;
    const T raw = a.scale * dot_of(attention_row(a.q, b, query, head), attention_row(a.k, b, key, shared), d);
    probability = math::exp(policy_score(policy, raw, at) - lse);
    const T* dout = attention_row(a.dout, b, query, head);
    const T through =
        dot_of(dout, attention_row(a.v, b, key, shared), e) - dot_of(dout, attention_row(a.out, b, query, head), e);
    slope = probability * through * policy_slope(policy, raw, at) * a.scale;
  }
};

template <class T, class P> struct AttentionGradientOfQuery {
  AttentionBackward<T> a;
  P policy;
  ATOM_HD void operator()(Index unit) const {
    const Index t = a.q.shape[1], h = a.q.shape[2], d = a.q.shape[3];
    const Index head = unit % h, query = unit / h % t, b = unit / (h * t), shared = head / (h / a.k.shape[2]);
    T* dq = attention_row(a.dq, b, query, head);
    for (Index i = 0; i < d; ++i) dq[i] = 0;
    const KeySpan keys = attention_keys(policy, a.positions, b, query, a.k.shape[1]);
    for (Index key = keys.first; key < keys.end; ++key) {
      const AttentionPair<T, P> pair(a, policy, b, query, key, head);
      if (pair.probability == 0) continue;
      const T* k = attention_row(a.k, b, key, shared);
      for (Index i = 0; i < d; ++i) dq[i] = math::fma(pair.slope, k[i], dq[i]);
    }
  }
};

template <class T, class P> struct AttentionGradientOfKey {
  AttentionBackward<T> a;
  P policy;
  ATOM_HD void operator()(Index unit) const {
    const Index s = a.k.shape[1], heads = a.k.shape[2], d = a.q.shape[3], e = a.v.shape[3];
    const Index shared = unit % heads, key = unit / heads % s, b = unit / (heads * s), group = a.q.shape[2] / heads;
    T* dk = attention_row(a.dk, b, key, shared);
    T* dv = attention_row(a.dv, b, key, shared);
    for (Index i = 0; i < d; ++i) dk[i] = 0;
    for (Index i = 0; i < e; ++i) dv[i] = 0;
    if (key >= attention_key_end(a.positions, b, s)) return;
    for (Index head = shared * group; head < (shared + 1) * group; ++head)
      for (Index query = 0; query < a.q.shape[1]; ++query) {
        const AttentionPair<T, P> pair(a, policy, b, query, key, head);
        if (pair.probability == 0) continue;
        const T* q = attention_row(a.q, b, query, head);
        const T* dout = attention_row(a.dout, b, query, head);
        for (Index i = 0; i < d; ++i) dk[i] = math::fma(pair.slope, q[i], dk[i]);
        for (Index i = 0; i < e; ++i) dv[i] = math::fma(pair.probability, dout[i], dv[i]);
      }
  }
};

template <class T> struct AttentionGradientOfSink {
  AttentionBackward<T> a;
  ATOM_HD void operator()(Index unit) const {
    const Index t = a.q.shape[1], h = a.q.shape[2], head = unit % h, query = unit / h % t, b = unit / (h * t);
    const T lse = a.lse[(b * h + head) * t + query];
    const T delta =
        dot_of(attention_row(a.dout, b, query, head), attention_row(a.out, b, query, head), a.dout.shape[3]);
    a.dsinks[unit] = lse > -std::numeric_limits<T>::infinity() ? -math::exp(a.sinks[head] - lse) * delta : T(0);
  }
};

// Elements of one new key or value that share a scale.
template <class T, bool keys> struct CacheAppendGroup {
  CacheAppend<T> a;
  ATOM_HD void operator()(Index unit) const {
    const View<const T>& from = keys ? a.k : a.v;
    const Index groups = KvPart<T>::groups(from.shape[3]), heads = from.shape[2], t = from.shape[1];
    const Index group = unit % groups, head = unit / groups % heads, time = unit / (groups * heads) % t,
                b = unit / (groups * heads * t);
    if (time >= a.counts[b]) return;
    const Index slot = (a.start[b] + time) % a.cache.slots;
    const KvPart<T> part = keys ? a.cache.keys(b, slot, head) : a.cache.values(b, slot, head);
    part.store_group(slot % key_block, group * part.group, attention_row(from, b, time, head));
  }
};

}  // namespace detail

template <GridDevice D, class T, class P>
void attention_forward(D device, const AttentionForward<T>& a, const P& policy) {
  for_each(device, a.q.shape[0] * a.q.shape[1] * a.q.shape[2], detail::AttentionQuery<T, P>{a, policy});
}
template <GridDevice D, class T, class P>
void attention_backward(D device, const AttentionBackward<T>& a, const P& policy) {
  for_each(device, a.q.shape[0] * a.q.shape[1] * a.q.shape[2], detail::AttentionGradientOfQuery<T, P>{a, policy});
  for_each(device, a.k.shape[0] * a.k.shape[1] * a.k.shape[2], detail::AttentionGradientOfKey<T, P>{a, policy});
  if (a.dsinks) for_each(device, a.q.shape[0] * a.q.shape[1] * a.q.shape[2], detail::AttentionGradientOfSink<T>{a});
}
template <GridDevice D, class T> void cache_append(D device, const CacheAppend<T>& a) {
  const auto units = [](const View<const T>& from) {
    return from.shape[0] * from.shape[1] * from.shape[2] * KvPart<T>::groups(from.shape[3]);
  };
  for_each(device, units(a.k), detail::CacheAppendGroup<T, true>{a});
  if (a.v.data) for_each(device, units(a.v), detail::CacheAppendGroup<T, false>{a});
}

}  // namespace atom

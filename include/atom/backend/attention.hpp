// SPDX-License-Identifier: Apache-2.0
// Contract of scaled dot-product attention with a score policy (policy/score.hpp), and of writing into a key-value
// cache.
//   out = sum over visible keys of softmax(policy.score(scale * q.k)) * v
// A sink (gpt-oss) is one more logit of the softmax, learned for each query head, that takes weight and has no value.
// Blockwise with an online softmax (Milakov and Gimelshein 2018, Dao et al. 2022): no (t, s) matrix exists anywhere.
// Grouped queries (Ainslie et al. 2023): the h query heads share k key heads, h / k consecutive ones each.
//
// A query's bits depend on its own q, its position, and the keys and values it sees: they are the same alone and in any
// batch, in one pass and token by token over a cache, with any number of threads. For that, key blocks begin at
// multiples of key_block in the sequence's own position. Memory behind keys that exist in a block a query sees must be
// finite.
#pragma once

#include "../core/view.hpp"
#include "../policy/score.hpp"
#include "device.hpp"
#include "kv_blocks.hpp"

namespace atom {

// Where the keys and queries of each batch row stand. Null: the first query at 0, and every key slot is filled.
// The key of position p lies in slot p % s. Where key_end passes s (a ring: the last s positions remain), s must be a
// multiple of key_block; a policy that looks back over w positions, its own included, fits if s >= w + t - 1.
struct AttentionPositions {
  const std::int32_t* query_start = nullptr;  // (b) position of the row's first query
  const std::int32_t* key_end = nullptr;      // (b) positions 0..key_end-1 have been written
};

// All views have stride 1 along their last axis and any stride along the others. Positions stay below 2^31 - 64.
// Keys and values are those of a cache where there is one; the bits are the same as of rows that hold what it holds.
template <class T> struct AttentionForward {
  View<const T> q;   // (b, t, h, d)
  View<const T> k;   // (b, s, k, d)
  View<const T> v;   // (b, s, k, e)
  View<T> out;       // (b, t, h, e), overwritten; 0 for a query that sees no key
  T* lse = nullptr;  // (b, h, t) dense: log of the sum of exp(score) and exp(sink), -inf where no key is seen and there
                     // is no sink; null where not wanted
  const T* sinks = nullptr;  // (h); null: none
  T scale = 1;
  AttentionPositions positions = {};
  KvBlocks<T> cache = {};  // in place of k and v, if it has data

  ATOM_HD Index slots() const { return cache.data ? cache.slots : k.shape[1]; }
  ATOM_HD Index kv_heads() const { return cache.data ? cache.heads : k.shape[2]; }
  ATOM_HD Index value_dim() const { return cache.data ? cache.e : v.shape[3]; }
};

// The gradients, from what the forward pass read and wrote. No ring: key_end <= s.
template <class T> struct AttentionBackward {
  View<const T> q, k, v, out;
  const T* lse = nullptr;
  View<const T> dout;  // (b, t, h, e)
  View<T> dq;          // (b, t, h, d), overwritten, as the next
  View<T> dk;          // (b, s, k, d)
  View<T> dv;          // (b, s, k, e)
  const T* sinks = nullptr;
  T* dsinks = nullptr;  // (b, t, h) dense, overwritten: each query's part of the gradient of sinks; with sinks only
  T scale = 1;
  AttentionPositions positions = {};

  ATOM_HD Index slots() const { return k.shape[1]; }
};

// Puts the first counts[b] of t new keys and values of each batch row into the cache, at slots (start[b] + i) % s, and
// touches nothing else. counts[b] <= s. v is null where the cache's values lie within its keys (latent attention).
template <class T> struct CacheAppend {
  KvBlocks<T> cache;                     // s slots
  View<const T> k;                       // (b, t, k, d)
  View<const T> v;                       // (b, t, k, e)
  const std::int32_t* start = nullptr;   // (b)
  const std::int32_t* counts = nullptr;  // (b)
};

// void attention_forward(D, const AttentionForward<T>&, const Policy&)
// void attention_backward(D, const AttentionBackward<T>&, const Policy&)
// void cache_append(D, const CacheAppend<T>&)

}  // namespace atom

#include "cpu/attention.hpp"
#if ATOM_CUDA
#include "cuda/attention.cuh"
#endif

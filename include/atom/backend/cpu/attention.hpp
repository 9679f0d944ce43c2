// SPDX-License-Identifier: Apache-2.0
// Attention on the processor (contract: backend/attention.hpp). One task is a run of query rows of one key head in the
// forward pass, one key head in the backward pass; no result depends on the number of threads or the length of a run.
#pragma once

#include "../../core/math.hpp"
#include "../attention.hpp"
#include "gemm.hpp"  // Transpose
#include "lanes.hpp"
#include "memory.hpp"
#include "widen.hpp"

#include <algorithm>
#include <cstring>

namespace atom::detail {

inline constexpr Index attention_tile = 8;  // query rows whose scores against a key block are in scratch at a time

// Query rows that a task of the forward pass takes: enough to repay transposing each key block.
inline constexpr Index attention_task = 128;

constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

// c (rows, columns) = [c +] a (rows, depth) b (depth, columns). Each element is one chain of fma over depth, from the
// first to the last, so it depends on neither the tile it falls into nor its neighbours.
template <class T> struct AttentionProduct {
  Index rows, columns, depth;
  const T* a;
  Index a_row, a_step = 1;
  const T* b;
  Index b_row;
  T* c;
  Index c_row;
  bool accumulate = false;
};

// Some query rows against columns from..to-1 of the key block that starts at `block`. Rows go through heads
// first_head..end_head-1 of a query before they go on to the next.
template <class T> struct AttentionScores {
  T* scores;            // (rows, key_block): q.k, becomes what softmax sees
  T* slopes = nullptr;  // (rows, key_block), where wanted
  T scale;
  Index rows, from, to;
  std::int32_t block;
  KeyRange present;
  std::int32_t query, head, first_head, end_head;  // query and head: of the first row
};

// A policy as the passes see it, so that they are compiled once for all policies.
template <class T> struct AttentionScorer {
  const void* policy;
  KeyRange (*span)(const void* policy, std::int32_t first_query, std::int32_t last_query, KeyRange present);
  void (*scores)(const void* policy, const AttentionScores<T>&);
  bool has_slope;
};

// Rows of `width` elements, `row` apart.
template <class T> void clear_rows(T* to, Index row, Index rows, Index width) {
  for (Index r = 0; r < rows; ++r) std::memset(to + r * row, 0, static_cast<std::size_t>(width) * sizeof(T));
}
template <class T> void copy_rows(const T* from, Index from_row, Index rows, Index width, T* to, Index to_row) {
  for (Index r = 0; r < rows; ++r)
    std::memcpy(to + r * to_row, from + r * from_row, static_cast<std::size_t>(width) * sizeof(T));
}

// The keys that any of these queries sees: first > last where there are none.
template <class P>
KeyRange key_span(const void* policy, std::int32_t first_query, std::int32_t last_query, KeyRange present) {
  KeyRange span = policy_range(*static_cast<const P*>(policy), first_query);
  for (std::int32_t query = first_query + 1; query <= last_query; ++query) {
    const KeyRange range = policy_range(*static_cast<const P*>(policy), query);
    span = {std::min(span.first, range.first), std::max(span.last, range.last)};
  }
  return {std::max(span.first, present.first), std::min(span.last, present.last)};
}

// The same within one key block, as columns from..to-1 of it; `from` is a multiple of 16.
struct KeyColumns {
  Index from, to;
};
template <class T> KeyColumns key_columns(const AttentionScorer<T>& scorer, std::int32_t first_query,
                                          std::int32_t last_query, KeyRange present, std::int32_t block) {
  const KeyRange span = scorer.span(scorer.policy, first_query, last_query, present);
  return {std::max(0, span.first - block) / 16 * 16, std::min(span.last - block + 1, key_block)};
}

// Where one batch row stands.
struct AttentionRow {
  std::int32_t start;
  KeyRange present;  // keys that exist

  template <class Args> AttentionRow(const Args& a, Index batch) {
    const auto s = static_cast<std::int32_t>(a.slots());
    start = a.positions.query_start ? a.positions.query_start[batch] : 0;
    const std::int32_t end = a.positions.key_end ? a.positions.key_end[batch] : s;
    present = {std::max(0, end - s), end - 1};
  }
};

// An array that lives as long as a task.
template <class T> class AttentionArray {
 public:
  AttentionArray(Cpu device, Index count)
      : device_(device), bytes_(static_cast<std::size_t>(count) * sizeof(T)), data_(allocate(device, bytes_)) {}
  AttentionArray(const AttentionArray&) = delete;
  AttentionArray& operator=(const AttentionArray&) = delete;
  ~AttentionArray() { deallocate(device_, data_, bytes_); }
  operator T*() const { return static_cast<T*>(data_); }

 private:
  Cpu device_;
  std::size_t bytes_;
  void* data_;
};

template <class T> struct AttentionForwardScratch {
  AttentionArray<T> keys, values, scores;       // (d, key_block), a part of a cache, (attention_tile, key_block)
  AttentionArray<T> q, sums, totals, greatest;  // by row: (d), (e rounded up to 16), (16), one

  // kept: elements of the part of a cache that values come from, where it does not hold them as T.
  AttentionForwardScratch(Cpu device, Index rows, Index d, Index e, Index kept)
      : keys(device, key_block * d),
        values(device, kept),
        scores(device, attention_tile * key_block),
        q(device, rows * d),
        sums(device, rows * round_up(e, 16)),
        totals(device, rows * 16),
        greatest(device, rows) {}
};

template <class T> struct AttentionBackwardScratch {
  AttentionArray<T> keys, values;      // (d, key_block), (e, key_block)
  AttentionArray<T> weights, dscores;  // (key_block queries, key_block)
  AttentionArray<T> slopes;            // (attention_tile, key_block)
  AttentionArray<T> deltas;            // (group, t): sum(dout out)

  AttentionBackwardScratch(Cpu device, Index rows, Index d, Index e)
      : keys(device, key_block * d),
        values(device, key_block * e),
        weights(device, key_block * key_block),
        dscores(device, key_block * key_block),
        slopes(device, attention_tile * key_block),

        deltas(device, rows) {}
};

}  // namespace atom::detail

#define ATOM_KERNEL_TEXT "attention_tiles.inl"
#include "each_isa.hpp"
#define ATOM_KERNEL_TEXT "attention.inl"
#include "each_isa.hpp"

namespace atom {

template <class T, ScorePolicy P> void attention_forward(Cpu device, const AttentionForward<T>& a, const P& policy) {
  const Index heads = a.kv_heads(), rows = a.q.shape[1] * (heads > 0 ? a.q.shape[2] / heads : 0);
  const Index kept = a.cache.type == CacheType::exact ? 0 : key_block * std::max(a.cache.d, a.cache.e);
  const Index tasks = (rows + detail::attention_task - 1) / detail::attention_task;
  device.pool().parallel_for(a.q.shape[0] * heads * tasks, [&](Index task) {
    const Index begin = task % tasks * detail::attention_task, end = std::min(rows, begin + detail::attention_task);
    const detail::AttentionForwardScratch<T> scratch(device, end - begin, a.q.shape[3], a.value_dim(), kept);
    ATOM_DISPATCH(attention_forward_task, a, policy, task / tasks / heads, task / tasks % heads, begin, end, scratch);
  });
}

template <class T, ScorePolicy P> void attention_backward(Cpu device, const AttentionBackward<T>& a, const P& policy) {
  const Index heads = a.k.shape[2];
  device.pool().parallel_for(a.q.shape[0] * heads, [&](Index task) {
    const Index rows = a.q.shape[1] * (a.q.shape[2] / heads);
    const detail::AttentionBackwardScratch<T> scratch(device, rows, a.q.shape[3], a.v.shape[3]);
    ATOM_DISPATCH(attention_backward_task, a, policy, task / heads, task % heads, scratch);
  });
}

template <class T> void cache_append(Cpu device, const CacheAppend<T>& a) {
  const auto append = [&](const KvPart<T>& part, Index slot, const T* x) {
    for (Index i = 0; i < part.width; i += part.group) part.store_group(slot % key_block, i, x);
  };
  const auto row = [](const View<const T>& from, Index batch, Index i, Index head) {
    return from.data + batch * from.strides[0] + i * from.strides[1] + head * from.strides[2];
  };
  device.pool().parallel_for(a.k.shape[0], [&](Index batch) {
    for (Index i = 0; i < a.counts[batch]; ++i)
      for (Index head = 0; head < a.k.shape[2]; ++head) {
        const Index slot = (a.start[batch] + i) % a.cache.slots;
        append(a.cache.keys(batch, slot, head), slot, row(a.k, batch, i, head));
        if (a.v.data) append(a.cache.values(batch, slot, head), slot, row(a.v, batch, i, head));
      }
  });
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// The passes of attention (contract: backend/attention.hpp; parts: attention_tiles.inl).

// Query rows begin..end of one key head, counted as query * group + member of the group.
template <class T> ATOM_KERNEL void attention_forward_rows(const AttentionForward<T>& a,
                                                           const detail::AttentionScorer<T>& scorer, Index batch,
                                                           Index key_head, Index begin, Index end,
                                                           const detail::AttentionForwardScratch<T>& scratch) {
  using V = Lanes<T>;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const detail::AttentionRow row(a, batch);
  const Index d = a.q.shape[3], e = a.value_dim(), group = a.q.shape[2] / a.kv_heads();
  const Index wide = detail::round_up(e, 16);  // a row of sums in scratch
  const auto position = [&](Index r) { return row.start + static_cast<std::int32_t>((begin + r) / group); };
  const auto place = [&](const auto& view, Index r) {  // of a query row in q or out
    return view.data + batch * view.strides[0] + (begin + r) / group * view.strides[1] +
           (key_head * group + (begin + r) % group) * view.strides[2];
  };

  const Index count = end - begin;
  for (Index r = 0; r < count; ++r) detail::copy_rows<T>(place(a.q, r), 0, 1, d, scratch.q + r * d, 0);
  detail::clear_rows<T>(scratch.sums, 0, 1, count * wide);
  detail::clear_rows<T>(scratch.totals, 0, 1, count * 16);
  std::fill_n(static_cast<T*>(scratch.greatest), count, -infinity);
  for (Index r = 0; a.sinks && r < count; ++r) {  // as a key that was seen before all others and had no value
    scratch.greatest[r] = a.sinks[key_head * group + (begin + r) % group];
    scratch.totals[r * 16] = scratch.greatest[r] == -infinity ? T(0) : T(1);
  }

  const KeyRange span = scorer.span(scorer.policy, position(0), position(count - 1), row.present);
  for (std::int32_t block = span.first / key_block * key_block; block <= span.last; block += key_block) {
    const Index present = std::min(key_block, row.present.last + 1 - block);
    const auto [keys, values, values_row] = attention_block<T>(a, batch, key_head, block % a.slots(), present, scratch);

    for (Index r = 0; r < count; r += detail::attention_tile) {
      const Index rows = std::min(detail::attention_tile, count - r);
      const auto [from, to] = detail::key_columns(scorer, position(r), position(r + rows - 1), row.present, block);
      if (from >= to) continue;
      attention_product<T>({.rows = rows,
                            .columns = detail::round_up(to, 16) - from,
                            .depth = d,
                            .a = scratch.q + r * d,
                            .a_row = d,
                            .b = keys + from,
                            .b_row = key_block,
                            .c = scratch.scores + from,
                            .c_row = key_block});
      const auto first_head = static_cast<std::int32_t>(key_head * group);
      scorer.scores(scorer.policy, {.scores = scratch.scores,
                                    .scale = a.scale,
                                    .rows = rows,
                                    .from = from,
                                    .to = to,
                                    .block = block,
                                    .present = row.present,
                                    .query = position(r),
                                    .head = first_head + static_cast<std::int32_t>((begin + r) % group),
                                    .first_head = first_head,
                                    .end_head = first_head + static_cast<std::int32_t>(group)});

      // Earlier sums shrink by exp(before - after). Without a key so far: exp(-inf - 0), not exp(-inf + inf).
      T before[16] = {}, after[16] = {}, shrink[16];
      for (Index i = 0; i < rows; ++i) {
        V greatest(-infinity);
        for (Index j = from; j < to; j += 16) greatest = max(V::load(scratch.scores + i * key_block + j), greatest);
        T& m = scratch.greatest[r + i];
        before[i] = m;
        m = std::max(m, max_of(greatest));
        after[i] = m == -infinity ? T(0) : m;
      }
      math::exp(V::load(before) - V::load(after)).store(shrink);
      for (Index i = 0; i < rows; ++i) {
        T* const totals = scratch.totals + (r + i) * 16;
        V total = V::load(totals) * shrink[i];
        for (Index j = from; j < to; j += 16) {
          T* const s = scratch.scores + i * key_block + j;
          const V weight = math::exp(V::load(s) - after[i]);
          weight.store(s);
          total += weight;
        }
        total.store(totals);
        if (shrink[i] != T(1)) {
          T* const sums = scratch.sums + (r + i) * wide;
          for (Index j = 0; j < wide; j += 16) (V::load(sums + j) * shrink[i]).store(sums + j);
        }
      }
      attention_product<T>({.rows = rows,
                            .columns = e,
                            .depth = to - from,
                            .a = scratch.scores + from,
                            .a_row = key_block,
                            .b = values + from * values_row,
                            .b_row = values_row,
                            .c = scratch.sums + r * wide,
                            .c_row = wide,
                            .accumulate = true});
    }
  }

  for (Index r = 0; r < count; ++r) {
    const T total = sum(V::load(scratch.totals + r * 16));
    const T divisor = total == T(0) ? T(1) : total;
    T* const out = place(a.out, r);
    for (Index j = 0; j < e; j += 16) (V::load(scratch.sums + r * wide + j) / divisor).store(out + j, e - j);
    if (a.lse)
      a.lse[(batch * a.q.shape[2] + key_head * group + (begin + r) % group) * a.q.shape[1] + (begin + r) / group] =
          scratch.greatest[r] + math::log(V(divisor))[0];
  }
}

// All gradients of one key head and its group of query heads.
//   p = exp(score - lse);  dv = p' dout;  ds = p (dout v' - sum(dout out)) slope scale;  dq = ds k;  dk = ds' q
//   dsink = -exp(sink - lse) sum(dout out)
template <class T> ATOM_KERNEL void attention_backward_head(const AttentionBackward<T>& a,
                                                            const detail::AttentionScorer<T>& scorer, Index batch,
                                                            Index key_head,
                                                            const detail::AttentionBackwardScratch<T>& scratch) {
  using V = Lanes<T>;
  constexpr Index tile = detail::attention_tile;
  const detail::AttentionRow row(a, batch);
  const Index t = a.q.shape[1], s = a.k.shape[1], d = a.q.shape[3], e = a.v.shape[3];
  const Index group = a.q.shape[2] / a.k.shape[2];
  const auto head_of = [&](const auto& view, Index head) {
    return view.data + batch * view.strides[0] + head * view.strides[2];
  };
  const T* const keys = head_of(a.k, key_head);
  const T* const values = head_of(a.v, key_head);
  T* const dk = head_of(a.dk, key_head);
  T* const dv = head_of(a.dv, key_head);
  detail::clear_rows(dk, a.dk.strides[1], s, d);
  detail::clear_rows(dv, a.dv.strides[1], s, e);
  for (Index g = 0; g < group; ++g) {
    const Index head = key_head * group + g;
    detail::clear_rows(head_of(a.dq, head), a.dq.strides[1], t, d);
    for (Index i = 0; i < t; ++i) {
      const T* const out = head_of(a.out, head) + i * a.out.strides[1];
      const T* const dout = head_of(a.dout, head) + i * a.dout.strides[1];
      V total(T(0));
      for (Index j = 0; j < e; j += 16) total = fma(V::load(out + j, e - j), V::load(dout + j, e - j), total);
      scratch.deltas[g * t + i] = sum(total);
    }
    for (Index i = 0; a.dsinks && i < t; i += 16) {
      const V sink(std::max(a.sinks[head], std::numeric_limits<T>::lowest()));
      const V lse = V::load(a.lse + (batch * a.q.shape[2] + head) * t + i, t - i);
      T parts[16];
      (-math::exp(min(sink - lse, V(T(0)))) * V::load(scratch.deltas + g * t + i, t - i)).store(parts);
      for (Index j = 0; j < std::min<Index>(16, t - i); ++j)
        a.dsinks[(batch * t + i + j) * a.q.shape[2] + head] = parts[j];
    }
  }

  for (std::int32_t block = 0; block <= row.present.last; block += key_block) {
    const Index present = std::min(key_block, row.present.last + 1 - block);
    attention_transpose<T>(keys + block * a.k.strides[1], a.k.strides[1], present, d, scratch.keys);
    attention_transpose<T>(values + block * a.v.strides[1], a.v.strides[1], present, e, scratch.values);

    // As many queries as keys at a time, of one head after the other.
    const Index query_blocks = (t + key_block - 1) / key_block;
    for (Index step = 0; step < group * query_blocks; ++step) {
      const Index g = step / query_blocks, head = key_head * group + g;
      const Index first = step % query_blocks * key_block, queries = std::min<Index>(key_block, t - first);
      const std::int32_t position = row.start + static_cast<std::int32_t>(first);
      const auto last_position = position + static_cast<std::int32_t>(queries - 1);
      if (const auto all = detail::key_columns(scorer, position, last_position, row.present, block); all.from >= all.to)
        continue;
      const T* const q = head_of(a.q, head) + first * a.q.strides[1];
      const T* const dout = head_of(a.dout, head) + first * a.dout.strides[1];
      const T* const lse = a.lse + (batch * a.q.shape[2] + head) * t + first;
      const T* const deltas = scratch.deltas + g * t + first;
      Index begin_of[4] = {}, end_of[4] = {};  // by 16 keys: queries that see any
      for (Index r = 0; r < queries; r += tile) {
        const Index rows = std::min(tile, queries - r);
        const std::int32_t query = position + static_cast<std::int32_t>(r);
        const auto [from, to] =
            detail::key_columns(scorer, query, query + static_cast<std::int32_t>(rows - 1), row.present, block);
        if (from >= to) continue;
        for (Index j = from / 16; 16 * j < to; ++j) {
          if (end_of[j] > 0)  // queries between that see none of these keys
            for (T* const gap : {static_cast<T*>(scratch.weights), static_cast<T*>(scratch.dscores)})
              detail::clear_rows(gap + end_of[j] * key_block + 16 * j, key_block, r - end_of[j], 16);
          else
            begin_of[j] = r;
          end_of[j] = r + rows;
        }
        T* const weights = scratch.weights + r * key_block;
        T* const dscores = scratch.dscores + r * key_block;
        const Index columns = detail::round_up(to, 16) - from;
        attention_product<T>({.rows = rows,
                              .columns = columns,
                              .depth = d,
                              .a = q + r * a.q.strides[1],
                              .a_row = a.q.strides[1],
                              .b = scratch.keys + from,
                              .b_row = key_block,
                              .c = weights + from,
                              .c_row = key_block});
        attention_product<T>({.rows = rows,
                              .columns = columns,
                              .depth = e,
                              .a = dout + r * a.dout.strides[1],
                              .a_row = a.dout.strides[1],
                              .b = scratch.values + from,
                              .b_row = key_block,
                              .c = dscores + from,
                              .c_row = key_block});
        const auto this_head = static_cast<std::int32_t>(head);
        scorer.scores(scorer.policy, {.scores = weights,
                                      .slopes = scratch.slopes,
                                      .scale = a.scale,
                                      .rows = rows,
                                      .from = from,
                                      .to = to,
                                      .block = block,
                                      .present = row.present,
                                      .query = query,
                                      .head = this_head,
                                      .first_head = this_head,
                                      .end_head = this_head + 1});
        for (Index i = 0; i < rows; ++i) {
          const T total = lse[r + i] == -std::numeric_limits<T>::infinity() ? T(0) : lse[r + i];
          for (Index j = from; j < to; j += 16) {
            T* const weight = weights + i * key_block + j;
            T* const dscore = dscores + i * key_block + j;
            const V p = math::exp(V::load(weight) - total);
            V ds = p * (V::load(dscore) - deltas[r + i]) * a.scale;
            if (scorer.has_slope) ds *= V::load(scratch.slopes + i * key_block + j);
            p.store(weight);
            ds.store(dscore);
          }
        }
        attention_product<T>({.rows = rows,
                              .columns = d,
                              .depth = to - from,
                              .a = dscores + from,
                              .a_row = key_block,
                              .b = keys + (block + from) * a.k.strides[1],
                              .b_row = a.k.strides[1],
                              .c = head_of(a.dq, head) + (first + r) * a.dq.strides[1],
                              .c_row = a.dq.strides[1],
                              .accumulate = true});
      }
      for (Index j = 0; j < present; j += 16) {
        const Index from = begin_of[j / 16], depth = end_of[j / 16] - from, rows = std::min<Index>(16, present - j);
        if (depth <= 0) continue;
        attention_product<T>({.rows = rows,
                              .columns = e,
                              .depth = depth,
                              .a = scratch.weights + from * key_block + j,
                              .a_row = 1,
                              .a_step = key_block,
                              .b = dout + from * a.dout.strides[1],
                              .b_row = a.dout.strides[1],
                              .c = dv + (block + j) * a.dv.strides[1],
                              .c_row = a.dv.strides[1],
                              .accumulate = true});
        attention_product<T>({.rows = rows,
                              .columns = d,
                              .depth = depth,
                              .a = scratch.dscores + from * key_block + j,
                              .a_row = 1,
                              .a_step = key_block,
                              .b = q + from * a.q.strides[1],
                              .b_row = a.q.strides[1],
                              .c = dk + (block + j) * a.dk.strides[1],
                              .c_row = a.dk.strides[1],
                              .accumulate = true});
      }
    }
  }
}

template <class T, class P> ATOM_KERNEL void attention_forward_task(const AttentionForward<T>& a, const P& policy,
                                                                    Index batch, Index key_head, Index begin, Index end,
                                                                    const detail::AttentionForwardScratch<T>& scratch) {
  attention_forward_rows<T>(a, {&policy, &detail::key_span<P>, &attention_scores<T, P>, detail::HasSlope<P>}, batch,
                            key_head, begin, end, scratch);
}

template <class T, class P>
ATOM_KERNEL void attention_backward_task(const AttentionBackward<T>& a, const P& policy, Index batch, Index key_head,
                                         const detail::AttentionBackwardScratch<T>& scratch) {
  attention_backward_head<T>(a, {&policy, &detail::key_span<P>, &attention_scores<T, P>, detail::HasSlope<P>}, batch,
                             key_head, scratch);
}

// SPDX-License-Identifier: Apache-2.0
// Layer norm and rms norm (contract: backend/norm.hpp).

// A row is read three times while it stays in the cache: mean, squares, result.
template <class T> ATOM_KERNEL void norm_forward_rows(const NormForward<T>& a, Index begin, Index end) {
  using V = Lanes<T>;
  const Index c = a.channels;
  for (Index row = begin; row < end; ++row) {
    const T* x = a.x + row * c;
    T* y = a.y + row * c;
    T mean = 0;
    if (a.centred) {
      V total(T(0));
      for_blocks(c, [&](Index i, Index count) ATOM_INLINE_LAMBDA { total = total + V::load(x + i, count); });
      mean = sum(total) / T(c);
    }
    V squares(T(0));
    for_blocks(c, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      const V d = first_lanes(V::load(x + i, count) - V(mean), count, T(0));
      squares = fma(d, d, squares);
    });
    const T rstd = T(1) / math::sqrt(sum(squares) / T(c) + a.eps);
    for_blocks(c, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      V value = (V::load(x + i, count) - V(mean)) * V(rstd);
      if (a.weight) value = value * (V::load(a.weight + i, count) + V(a.weight_offset));
      if (a.bias) value = value + V::load(a.bias + i, count);
      value.store(y + i, count);
    });
    if (a.mean) a.mean[row] = mean;
    if (a.rstd) a.rstd[row] = rstd;
  }
}

// With g = dy * weight and h = (x - mean) * rstd:  dx = rstd * (g - mean(g) - h * mean(g h)), mean(g) only if centred.
template <class T> ATOM_KERNEL void norm_backward_rows(const NormBackward<T>& a, Index begin, Index end) {
  using V = Lanes<T>;
  const Index c = a.channels;
  for (Index row = begin; row < end; ++row) {
    const T* x = a.x + row * c;
    const T* dy = a.dy + row * c;
    T* dx = a.dx + row * c;
    const T rstd = a.rstd[row];
    const T mean = a.centred ? a.mean[row] : T(0);
    const auto g_at = [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      const V d = V::load(dy + i, count);
      return a.weight ? d * (V::load(a.weight + i, count) + V(a.weight_offset)) : d;
    };
    const auto h_at = [&](Index i, Index count)
                          ATOM_INLINE_LAMBDA { return (V::load(x + i, count) - V(mean)) * V(rstd); };
    V g_total(T(0)), gh_total(T(0));
    for_blocks(c, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      const V g = g_at(i, count);  // 0 in the lanes past the end
      g_total = g_total + g;
      gh_total = fma(g, h_at(i, count), gh_total);
    });
    const V g_mean(a.centred ? sum(g_total) / T(c) : T(0)), gh_mean(sum(gh_total) / T(c));
    for_blocks(c, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      V d = (g_at(i, count) - g_mean - h_at(i, count) * gh_mean) * V(rstd);
      if (a.accumulate) d = d + V::load(dx + i, count);
      d.store(dx + i, count);
    });
  }
}

// Columns begin..end-1 of dweight = sum over rows of dy * h, and dbias = sum over rows of dy. Rows are added one after
// another within a block of rows, then the blocks: fixed, and more accurate than one long chain.
template <class T> ATOM_KERNEL void norm_backward_columns(const NormBackward<T>& a, Index begin, Index end) {
  using V = Lanes<T>;
  constexpr Index block = 256;
  for_blocks(end - begin, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
    const Index column = begin + i;
    V weight_total(T(0)), bias_total(T(0));
    for (Index first = 0; first < a.rows; first += block) {
      V weight_part(T(0)), bias_part(T(0));
      for (Index row = first; row < std::min(a.rows, first + block); ++row) {
        const V dy = V::load(a.dy + row * a.channels + column, count);
        if (a.dweight) {
          V x = V::load(a.x + row * a.channels + column, count);
          if (a.centred) x = x - V(a.mean[row]);
          weight_part = fma(dy, x * V(a.rstd[row]), weight_part);
        }
        if (a.dbias) bias_part = bias_part + dy;
      }
      weight_total = weight_total + weight_part;
      bias_total = bias_total + bias_part;
    }
    const auto deliver = [&](V total, T* to) ATOM_INLINE_LAMBDA {
      if (a.accumulate) total = total + V::load(to + column, count);
      total.store(to + column, count);
    };
    if (a.dweight) deliver(weight_total, a.dweight);
    if (a.dbias) deliver(bias_total, a.dbias);
  });
}

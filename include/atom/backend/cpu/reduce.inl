// SPDX-License-Identifier: Apache-2.0
// Reductions of dense rows and columns (contract: backend/reduce.hpp). Op is one of detail::{SumOf, SquaresOf, MaxOf}.

// *y = Op over x[0..n-1].
template <class Op, class T> ATOM_KERNEL void reduce_row(const T* x, Index n, T* y, bool accumulate) {
  using V = Lanes<T>;
  constexpr Index block = 1024;
  const V neutral(Op::template neutral<T>());
  double total = Op::template neutral<T>();
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = begin + block < n ? begin + block : n;
    V lanes = neutral;
    Index i = begin;
    for (; i + 16 <= end; i += 16) lanes = Op::take(lanes, V::load(x + i));
    if (i < end) lanes = Op::take(lanes, select(Mask<T>::first(end - i), V::load(x + i, end - i), neutral));
    total = Op::join(total, static_cast<double>(Op::fold(lanes)));
  }
  *y = accumulate ? *y + static_cast<T>(total) : static_cast<T>(total);
}

// y[j] = Op over k of x[k * stride + j], k < n, j < columns.
template <class Op, class T>
ATOM_KERNEL void reduce_columns(const T* x, Index n, Index stride, Index columns, T* y, bool accumulate) {
  using V = Lanes<T>;
  constexpr Index block = 64;
  const V neutral(Op::template neutral<T>());
  Index j = 0;
  for (; j + 64 <= columns; j += 64) {
    V t0 = neutral, t1 = neutral, t2 = neutral, t3 = neutral;
    for (Index begin = 0; begin < n; begin += block) {
      const Index end = begin + block < n ? begin + block : n;
      V a0 = neutral, a1 = neutral, a2 = neutral, a3 = neutral;
      for (Index k = begin; k < end; ++k) {
        const T* row = x + k * stride + j;
        a0 = Op::take(a0, V::load(row));
        a1 = Op::take(a1, V::load(row + 16));
        a2 = Op::take(a2, V::load(row + 32));
        a3 = Op::take(a3, V::load(row + 48));
      }
      t0 = Op::join(t0, a0), t1 = Op::join(t1, a1), t2 = Op::join(t2, a2), t3 = Op::join(t3, a3);
    }
    if (accumulate) {
      t0 = V::load(y + j) + t0, t1 = V::load(y + j + 16) + t1;
      t2 = V::load(y + j + 32) + t2, t3 = V::load(y + j + 48) + t3;
    }
    t0.store(y + j), t1.store(y + j + 16), t2.store(y + j + 32), t3.store(y + j + 48);
  }
  for (; j < columns; j += 16) {
    const Index count = columns - j;
    V total = neutral;
    for (Index begin = 0; begin < n; begin += block) {
      const Index end = begin + block < n ? begin + block : n;
      V lanes = neutral;
      for (Index k = begin; k < end; ++k) lanes = Op::take(lanes, V::load(x + k * stride + j, count));
      total = Op::join(total, lanes);
    }
    if (accumulate) total = V::load(y + j, count) + total;
    total.store(y + j, count);
  }
}

// The first place of the greatest of x[0], x[stride], ...
template <class T> ATOM_KERNEL std::int32_t argmax_of(const T* x, Index n, Index stride) {
  Index best = 0, i = 0;
  if (stride == 1) {
    // A block is looked into only if it holds something greater than all before it.
    T most = -std::numeric_limits<T>::infinity();
    for (; i + 256 <= n; i += 256) {
      Lanes<T> lanes = Lanes<T>::load(x + i);
      for (Index j = 16; j < 256; j += 16) lanes = max(lanes, Lanes<T>::load(x + i + j));
      if (!(max_of(lanes) > most)) continue;
      for (Index j = i; j < i + 256; ++j)
        if (x[j] > most) most = x[j], best = j;
    }
  }
  for (; i < n; ++i)
    if (x[i * stride] > x[best * stride]) best = i;
  return static_cast<std::int32_t>(best);
}

// SPDX-License-Identifier: Apache-2.0
// What kernels over rows share: the walk over a row in blocks of sixteen lanes, and reductions of a row. The order of
// every sum is: sixteen lanes, block after block, then one tree.

// f(i, count) for each block i..i+count-1; count is 16 but for the last block.
template <class F> ATOM_KERNEL_INLINE void for_blocks(Index n, F&& f) {
  Index i = 0;
  for (; i + 16 <= n; i += 16) f(i, Index(16));
  if (i < n) f(i, n - i);
}

// The first `count` lanes of v, `rest` in the others.
template <class T> ATOM_ALWAYS_INLINE Lanes<T> first_lanes(Lanes<T> v, Index count, T rest) {
  return count == 16 ? v : select(Mask<T>::first(count), v, Lanes<T>(rest));
}

// -inf for an empty row.
template <class T> ATOM_KERNEL_INLINE T row_max(const T* x, Index n) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  Lanes<T> greatest(lowest);
  for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
    greatest = max(greatest, first_lanes(Lanes<T>::load(x + i, count), count, lowest));
  });
  return max_of(greatest);
}

// The sum of exp(x[i] - shift). Writes the terms to `terms` unless it is null; it may be x.
template <class T> ATOM_KERNEL_INLINE T row_exp_sum(const T* x, Index n, T shift, T* terms) {
  Lanes<T> total(T(0));
  for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
    const Lanes<T> e = math::exp(Lanes<T>::load(x + i, count) - Lanes<T>(shift));
    if (terms) e.store(terms + i, count);
    total = total + first_lanes(e, count, T(0));
  });
  return sum(total);
}

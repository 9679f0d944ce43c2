// SPDX-License-Identifier: Apache-2.0
// Moving rows begin..end-1 to their experts and back (contract: backend/experts.hpp).

template <class T> ATOM_ALWAYS_INLINE T expert_weight(const ExpertPlaces<T>& a, Index row, Index at) {
  return a.weights ? a.weights[row * a.active + a.choice[at]] : T(1);
}

template <class T> ATOM_KERNEL void expert_spread_rows(const ExpertPlaces<T>& a, const T* x, T* y, bool accumulate,
                                                       Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row) {
    const T* const from = x + row * a.channels;
    for (Index at = row * a.active; at < (row + 1) * a.active; ++at) {
      T* const to = y + a.place[at] * a.channels;
      const V weight(expert_weight(a, row, at));
      for_blocks(a.channels, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
        V v = weight * V::load(from + i, count);
        if (accumulate) v = V::load(to + i, count) + v;
        v.store(to + i, count);
      });
    }
  }
}

template <class T> ATOM_KERNEL void expert_collect_rows(const ExpertPlaces<T>& a, const T* y, const T* residual, T* x,
                                                        bool accumulate, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row)
    for_blocks(a.channels, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      V total(T(0));
      for (Index at = row * a.active; at < (row + 1) * a.active; ++at)
        total = fma(V(expert_weight(a, row, at)), V::load(y + a.place[at] * a.channels + i, count), total);
      const Index to = row * a.channels + i;
      if (residual) total += V::load(residual + to, count);
      if (accumulate) total = V::load(x + to, count) + total;
      total.store(x + to, count);
    });
}

template <class T> ATOM_KERNEL void expert_dots_rows(const ExpertPlaces<T>& a, const T* x, const T* y, T* dweights,
                                                     bool accumulate, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row)
    for (Index at = row * a.active; at < (row + 1) * a.active; ++at) {
      V total(T(0));
      for_blocks(a.channels, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
        total = fma(V::load(x + row * a.channels + i, count), V::load(y + a.place[at] * a.channels + i, count), total);
      });
      T& to = dweights[row * a.active + a.choice[at]];
      to = accumulate ? to + sum(total) : sum(total);
    }
}

// SPDX-License-Identifier: Apache-2.0
// Softmax and log-softmax (contract: backend/softmax.hpp).

template <class T> ATOM_KERNEL void softmax_rows(const T* x, T* y, Index n, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row) {
    T* to = y + row * n;
    const T greatest = row_max(x + row * n, n);
    const V factor(T(1) / row_exp_sum(x + row * n, n, greatest, to));
    for_blocks(
        n, [&](Index i, Index count) ATOM_INLINE_LAMBDA { (V::load(to + i, count) * factor).store(to + i, count); });
  }
}

// dx = y * (dy - sum(y dy))
template <class T>
ATOM_KERNEL void softmax_backward_rows(const T* y, const T* dy, T* dx, Index n, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row) {
    const Index at = row * n;
    V total(T(0));
    for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      total = fma(V::load(y + at + i, count), V::load(dy + at + i, count), total);
    });
    const V mean(sum(total));
    for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      (V::load(y + at + i, count) * (V::load(dy + at + i, count) - mean)).store(dx + at + i, count);
    });
  }
}

template <class T> ATOM_KERNEL void log_softmax_rows(const T* x, T* y, Index n, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row) {
    const T* from = x + row * n;
    T* to = y + row * n;
    const T greatest = row_max(from, n);
    const V log_sum(math::log(row_exp_sum(from, n, greatest, static_cast<T*>(nullptr))));
    for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      ((V::load(from + i, count) - V(greatest)) - log_sum).store(to + i, count);
    });
  }
}

// dx = dy - exp(y) * sum(dy)
template <class T>
ATOM_KERNEL void log_softmax_backward_rows(const T* y, const T* dy, T* dx, Index n, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row) {
    const Index at = row * n;
    V total(T(0));
    for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA { total = total + V::load(dy + at + i, count); });
    const V whole(sum(total));
    for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      (V::load(dy + at + i, count) - math::exp(V::load(y + at + i, count)) * whole).store(dx + at + i, count);
    });
  }
}

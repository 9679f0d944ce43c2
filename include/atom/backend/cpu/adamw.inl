// SPDX-License-Identifier: Apache-2.0
// The AdamW update and the sum of squares (contract: backend/adamw.hpp).

template <class T> ATOM_KERNEL void adamw_segment(const AdamWSegment<T>& s, const AdamWStep<T>& step) {
  using V = Lanes<T>;
  const V keep(T(1) - step.lr * (step.weight_decay * s.decay)), rate(step.lr / step.correction1);
  const V scale(step.gradient_scale), beta1(step.beta1), beta2(step.beta2), eps(step.eps);
  const V rest1(T(1) - step.beta1), rest2(T(1) - step.beta2), spread(T(1) / step.correction2);
  for (Index i = 0; i < s.count; i += V::size) {
    const Index count = s.count - i;
    const V g = scale * V::load(s.gradient + i, count);
    V m = fma(beta1, V::load(s.m + i, count), rest1 * g);
    m = select(abs(m) < V(T(1e-30)), V(T(0)), m);
    const V v = fma(beta2, V::load(s.v + i, count), rest2 * (g * g));
    const V w = V::load(s.weight + i, count) * keep - rate * (m / (sqrt(v * spread) + eps));
    m.store(s.m + i, count);
    v.store(s.v + i, count);
    w.store(s.weight + i, count);
  }
}

// In lanes over 1024 elements, in double from there.
template <class T> ATOM_KERNEL double squares_of(const T* x, Index n) {
  using V = Lanes<T>;
  double total = 0;
  for (Index begin = 0; begin < n; begin += 1024) {
    const Index end = begin + 1024 < n ? begin + 1024 : n;
    V squares(T(0));
    for (Index i = begin; i < end; i += V::size) {
      const V a = V::load(x + i, end - i);
      squares = fma(a, a, squares);
    }
    total += static_cast<double>(sum(squares));
  }
  return total;
}

// SPDX-License-Identifier: Apache-2.0
// Cross entropy (contract: backend/cross_entropy.hpp).

template <class T> ATOM_KERNEL void cross_entropy_rows(const CrossEntropyForward<T>& a, Index begin, Index end) {
  using V = Lanes<T>;
  const T scale = a.dlogits ? a.scale[0] : T(0);
  for (Index row = begin; row < end; ++row) {
    const T* x = a.logits + row * a.v;
    T* dx = a.dlogits ? a.dlogits + row * a.v : nullptr;
    const Index target = a.targets[row];
    if (target == a.ignored) {
      a.loss[row] = 0;
      if (a.log_sum) a.log_sum[row] = 0;
      if (dx) for_blocks(a.v, [&](Index i, Index count) ATOM_INLINE_LAMBDA { V(T(0)).store(dx + i, count); });
      continue;
    }
    const T greatest = row_max(x, a.v);
    const T at_target = x[target];  // read before dx, which may be x, is written
    const T total = row_exp_sum(x, a.v, greatest, dx);
    const T log_total = math::log(total);
    a.loss[row] = log_total - (at_target - greatest);
    if (a.log_sum) a.log_sum[row] = greatest + log_total;
    if (!dx) continue;
    for_blocks(a.v, [&](Index i, Index count)
                        ATOM_INLINE_LAMBDA { (V::load(dx + i, count) * V(scale / total)).store(dx + i, count); });
    dx[target] = dx[target] - scale;
  }
}

template <class T>
ATOM_KERNEL void cross_entropy_backward_rows(const CrossEntropyBackward<T>& a, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = begin; row < end; ++row) {
    const T* x = a.logits + row * a.v;
    T* dx = a.dlogits + row * a.v;
    const Index target = a.targets[row];
    if (target == a.ignored) {
      for_blocks(a.v, [&](Index i, Index count) ATOM_INLINE_LAMBDA { V(T(0)).store(dx + i, count); });
      continue;
    }
    const T factor = (a.scale ? a.scale[0] : T(1)) * a.dloss[row * a.dloss_stride];
    const V shift(a.log_sum[row]);
    for_blocks(a.v, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      (math::exp(V::load(x + i, count) - shift) * V(factor)).store(dx + i, count);
    });
    dx[target] = dx[target] - factor;
  }
}

template <class T> ATOM_KERNEL void cross_entropy_total(Index n, const T* loss, const T* scale, T* total) {
  Lanes<T> lanes(T(0));
  for_blocks(n, [&](Index i, Index count) ATOM_INLINE_LAMBDA { lanes = lanes + Lanes<T>::load(loss + i, count); });
  total[0] = scale[0] * sum(lanes);
}

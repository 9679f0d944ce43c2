// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding (contract: backend/rope.hpp). A rotation is two products and a sum, each rounded, so that
// both pairings and both directions agree.

// Rows begin..end-1 of the b * t rows, all heads.
template <class T> ATOM_KERNEL void rope_rows(const RopeArgs<T>& a, Index begin, Index end) {
  using V = Lanes<T>;
  const Index t = a.x.shape[1], heads = a.x.shape[2], d = a.x.shape[3], half = a.rotated / 2;
  const T sign = a.backward ? T(-1) : T(1);
  for (Index row = begin; row < end; ++row) {
    const Index in_batch = row / t, in_time = row % t;
    const Index position = a.positions ? a.positions[row] : a.start + in_time;
    const T* cosines = a.cosines + position * half;
    const T* sines = a.sines + position * half;
    for (Index head = 0; head < heads; ++head) {
      const T* x = a.x.data + in_batch * a.x.strides[0] + in_time * a.x.strides[1] + head * a.x.strides[2];
      T* y = a.y.data + in_batch * a.y.strides[0] + in_time * a.y.strides[1] + head * a.y.strides[2];
      if (a.pairing == RopePairing::half_split) {
        for_blocks(half, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
          const V x1 = V::load(x + i, count), x2 = V::load(x + half + i, count);
          const V c = V::load(cosines + i, count), s = V::load(sines + i, count) * V(sign);
          (x1 * c - x2 * s).store(y + i, count);
          (x2 * c + x1 * s).store(y + half + i, count);
        });
      } else {
        for (Index i = 0; i < half; ++i) {
          const T x1 = x[2 * i], x2 = x[2 * i + 1], c = cosines[i], s = sines[i] * sign;
          y[2 * i] = x1 * c - x2 * s;
          y[2 * i + 1] = x2 * c + x1 * s;
        }
      }
      for_blocks(d - a.rotated, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
        V::load(x + a.rotated + i, count).store(y + a.rotated + i, count);
      });
    }
  }
}

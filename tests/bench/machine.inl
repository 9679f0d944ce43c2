// SPDX-License-Identifier: Apache-2.0
// What machine.hpp measures the processor itself with, on every instruction set.

// Multiply-adds in registers alone: twelve chains hide the latency. Returns how many one step makes.
template <class T> ATOM_KERNEL Index fma_steps(Index steps, T* values) {
  using N = Native<T>;
  typename N::Raw sums[12], x, y;
  ATOM_CALL_NATIVE(N::broadcast)(x, values[0]);
  ATOM_CALL_NATIVE(N::broadcast)(y, values[1]);
  ATOM_UNROLL for (int i = 0; i < 12; ++i) ATOM_CALL_NATIVE(N::broadcast)(sums[i], T(i));  // else equal chains are one
  for (; steps > 0; --steps) ATOM_UNROLL for (int i = 0; i < 12; ++i) ATOM_CALL_NATIVE(N::fma)(sums[i], x, y);
  ATOM_UNROLL for (int i = 0; i < 12; ++i) values[2] += sums[i][0];
  return 12 * Lanes<T>::per_register;
}

// Four streams at once, each a quarter of `count`, a multiple of 64.
template <class T> ATOM_KERNEL T read_all(const T* from, Index count) {
  Lanes<T> sums[4] = {0, 0, 0, 0};
  const Index quarter = count / 4;
  for (Index i = 0; i < quarter; i += 16)
    ATOM_UNROLL for (int s = 0; s < 4; ++s) sums[s] += Lanes<T>::load(from + s * quarter + i);
  return sum(sums[0] + sums[1] + sums[2] + sums[3]);
}

// SPDX-License-Identifier: Apache-2.0
// The gradient of table lookup (contract: backend/embedding.hpp).

// Columns begin..end-1. Rows are added in their order, so threads, which share the columns, never change a sum.
template <class T> ATOM_KERNEL void embedding_add_columns(Index n, Index channels, const TokenId* ids, const T* dy,
                                                          T* dweight, Index begin, Index end) {
  using V = Lanes<T>;
  for (Index row = 0; row < n; ++row) {
    const T* from = dy + row * channels + begin;
    T* to = dweight + ids[row] * channels + begin;
    for_blocks(end - begin, [&](Index i, Index count) ATOM_INLINE_LAMBDA {
      (V::load(to + i, count) + V::load(from + i, count)).store(to + i, count);
    });
  }
}

// SPDX-License-Identifier: Apache-2.0
// Table lookup over a grid (contract: backend/embedding.hpp): one output each; a gradient's column by one thread.
#pragma once

#include "../embedding.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {
template <class W, class T> struct EmbeddingElement {
  const TokenId* ids;
  const W* weight;
  T* y;
  Index channels;
  ATOM_HD void operator()(Index i) const {
    const W value = weight[ids[i / channels] * channels + i % channels];
    if constexpr (std::is_same_v<W, T>)
      y[i] = value;
    else
      y[i] = static_cast<T>(static_cast<compute_t<W>>(value));
  }
};
template <class T> struct EmbeddingColumn {
  const TokenId* ids;
  const T* dy;
  T* dweight;
  Index n, channels;
  ATOM_HD void operator()(Index c) const {
    for (Index i = 0; i < n; ++i) {
      T& place = dweight[ids[i] * channels + c];
      place = place + dy[i * channels + c];
    }
  }
};
}  // namespace detail

template <GridDevice D, class W, class T>
void embedding_forward(D device, Index n, Index channels, const TokenId* ids, const W* weight, T* y) {
  for_each(device, n * channels, detail::EmbeddingElement<W, T>{ids, weight, y, channels});
}
template <GridDevice D, class T>
void embedding_backward(D device, Index n, Index channels, const TokenId* ids, const T* dy, T* dweight) {
  for_each(device, channels, detail::EmbeddingColumn<T>{ids, dy, dweight, n, channels});
}

}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// Reading stored weights over a grid (contract: backend/dequantise.hpp): one block of values each.
#pragma once

#include "../dequantise.hpp"
#include "grid.hpp"

namespace atom {

namespace detail {

template <class Stored> struct DequantiseBlock {
  StoredPart part;
  float* to;
  Index per_row;
  ATOM_HD void operator()(Index i) const {
    const Stored& stored = part.values<Stored>(i / per_row)[i % per_row];
    float* const place = to + i * values_in<Stored>;
    if constexpr (values_in < Stored >> 1)
      stored.dequantise(place);
    else
      *place = static_cast<float>(stored);
  }
};

struct DequantiseE4m3 {
  StoredPart part;
  float* to;
  ATOM_HD void operator()(Index i) const {
    const Index row = i / part.columns, column = i % part.columns;
    const float scale = part.row_scales(row)[(part.first_column + column) / part.scale_columns];
    to[i] = float_from_e4m3(part.values<std::uint8_t>(row)[column]) * scale;
  }
};

}  // namespace detail

template <GridDevice D, class T> void dequantise(D device, const StoredPart& part, T* to) {
  static_assert(std::is_same_v<T, float>);
  if (part.type == BlockType::f8_e4m3)
    return for_each(device, part.rows * part.columns, detail::DequantiseE4m3{part, to});
  detail::with_stored(part.type, [&]<class Stored>(Stored) {
    const Index per_row = part.columns / detail::values_in<Stored>;
    for_each(device, part.rows * per_row, detail::DequantiseBlock<Stored>{part, to, per_row});
  });
}

}  // namespace atom

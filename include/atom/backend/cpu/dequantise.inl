// SPDX-License-Identifier: Apache-2.0
// Stored weights to float (contract: backend/dequantise.hpp). Every value is exact or rounded once, so all instruction
// sets give the same bits. Loops have lengths that the compiler knows and pointers that meet nowhere: it makes vectors
// of them.

template <class Block> ATOM_ALWAYS_INLINE void dequantise_run(const Block* from, Index count, float* to) {
  for (Index i = 0; i < count; ++i) from[i].dequantise(to + i * detail::values_in<Block>);
}
ATOM_ALWAYS_INLINE void dequantise_run(const float* from, Index count, float* to) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}
ATOM_ALWAYS_INLINE void dequantise_run(const half* from, Index count, float* to) {
  Index i = 0;
  for (; i + 16 <= count; i += 16) lanes_of_half(from + i).store(to + i);
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}
ATOM_ALWAYS_INLINE void dequantise_run(const bfloat16* from, Index count, float* to) {
  Index i = 0;
  for (; i + 16 <= count; i += 16)
    for (Index j = 0; j < 16; ++j) to[i + j] = static_cast<float>(from[i + j]);
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

template <class Stored>
ATOM_KERNEL void dequantise_row(const Stored* __restrict from, Index count, float* __restrict to) {
  dequantise_run(from, count, to);
}
template <class Stored> ATOM_KERNEL void dequantise_rows(const StoredPart& part, Index begin, Index end, float* to) {
  for (Index i = begin; i < end; ++i)
    dequantise_row(part.values<Stored>(i), part.columns / detail::values_in<Stored>, to + i * part.columns);
}

template <class T>
ATOM_KERNEL void dequantise_e4m3_run(const std::uint8_t* __restrict from, Index count, T scale, T* __restrict to) {
  Index i = 0;
  for (; i + 16 <= count; i += 16) (lanes_of_e4m3(from + i) * Lanes<T>(scale)).store(to + i);
  for (; i < count; ++i) to[i] = float_from_e4m3(from[i]) * scale;
}
template <class T> ATOM_KERNEL void dequantise_e4m3_rows(const StoredPart& part, Index begin, Index end, T* to) {
  for (Index i = begin; i < end; ++i)
    for (Index column = 0, next; column < part.columns; column = next) {
      const Index block = (part.first_column + column) / part.scale_columns;
      next = std::min(part.columns, (block + 1) * part.scale_columns - part.first_column);
      dequantise_e4m3_run(part.values<std::uint8_t>(i) + column, next - column, part.row_scales(i)[block],
                          to + i * part.columns + column);
    }
}

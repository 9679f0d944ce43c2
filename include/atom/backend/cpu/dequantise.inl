// SPDX-License-Identifier: Apache-2.0
// Stored weights to float (contract: backend/dequantise.hpp). Every value is exact or rounded once, so all instruction
// sets give the same bits. Loops have lengths that the compiler knows and pointers that meet nowhere: it makes vectors
// of them.

template <class W> ATOM_ALWAYS_INLINE Lanes<std::int32_t> widened(const W* p) {
  using I = Lanes<std::int32_t>;
  typedef W Loose __attribute__((vector_size(I::per_register * sizeof(W)), aligned(alignof(W)), may_alias));
  I a;
  ATOM_UNROLL for (int i = 0; i < I::registers; ++i) a.r[i] =
      __builtin_convertvector(reinterpret_cast<const Loose*>(p)[i], typename I::Raw);
  return a;
}

// A number in the low bits of `code`: a sign, an exponent with `bias`, `mantissa` bits. What is at least `special` is
// not finite: infinity or not-a-number with its mantissa, or, for one code only, the one not-a-number there is.
template <int mantissa, int bias, int sign_bit, int special, bool one_special>
ATOM_ALWAYS_INLINE Lanes<float> widened_number(Lanes<std::int32_t> code) {
  using I = Lanes<std::int32_t>;
  constexpr int up = 23 - mantissa, rebias = (127 - bias) << 23;
  constexpr float least = std::bit_cast<float>((127 - bias + 1 - mantissa) << 23);
  const I rest = code & I((1 << sign_bit) - 1), sign = (code & I(1 << sign_bit)) << (31 - sign_bit);
  const I tiny = bits_of(to_float(rest) * Lanes<float>(least)), normal = (rest << up) + I(rebias);
  const I large = one_special ? I(0x7fc00000) : (rest << up) | I(0x7f800000);
  return float_of_bits(select(rest < I(1 << mantissa), tiny, select(rest < I(special), normal, large)) | sign);
}
ATOM_ALWAYS_INLINE Lanes<float> lanes_of_half(const half* p) {
  return widened_number<10, 15, 15, 0x7c00, false>(widened(reinterpret_cast<const std::uint16_t*>(p)));
}
ATOM_ALWAYS_INLINE Lanes<float> lanes_of_e4m3(const std::uint8_t* p) {
  return widened_number<3, 7, 7, 0x7f, true>(widened(p));
}

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

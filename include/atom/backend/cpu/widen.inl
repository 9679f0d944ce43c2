// SPDX-License-Identifier: Apache-2.0
// Lanes of narrow numbers: integers, halves, 8-bit floats. All exact.

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

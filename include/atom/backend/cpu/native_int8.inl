// SPDX-License-Identifier: Apache-2.0
// Native8: what instructions do to registers of bytes, and g++ says badly or not at all in vector extensions. Called by
// ATOM_CALL_NATIVE.

struct Native8 {
  using Int = Lanes<std::int32_t>::Raw;

#if ATOM_ISA_LEVEL == 2
  // sum += w x, four bytes to a lane; unsigned w. Signed ones come with `flip`, 128 more than they are.
  static constexpr int flip = 128;
  template <bool> static ATOM_NATIVE void dot(Int& sum, const Int& w, const Int& x) {
#if defined(__clang__)
    sum = __builtin_ia32_vpdpbusd512(sum, w, x);
#else
    sum = __builtin_ia32_vpdpbusd_v16si(sum, w, x);
#endif
  }
  // Each byte of a, below 16, becomes that of a table.
  static ATOM_NATIVE void look_up(Int& a, const std::uint8_t (&table)[16]) {
    typedef char Bytes __attribute__((vector_size(64), aligned(16)));
    alignas(64) std::uint8_t four[64];
    for (int i = 0; i < 4; ++i) __builtin_memcpy(four + 16 * i, table, 16);
    Bytes tables;
    __builtin_memcpy(&tables, four, 64);
#if defined(__clang__)
    a = reinterpret_cast<Int>(__builtin_ia32_pshufb512(tables, reinterpret_cast<Bytes>(a)));
#else
    a = reinterpret_cast<Int>(
        __builtin_ia32_pshufb512_mask(tables, reinterpret_cast<Bytes>(a), tables, ~std::uint64_t{0}));
#endif
  }
  static ATOM_NATIVE void widen(Int& a, const std::uint8_t* p) {
#if defined(__clang__)
    typedef unsigned char Bytes __attribute__((vector_size(16), aligned(1), may_alias));
    a = __builtin_convertvector(*reinterpret_cast<const Bytes*>(p), Int);
#else
    typedef char Bytes __attribute__((vector_size(16), aligned(1), may_alias));
    a = __builtin_ia32_pmovzxbd512_mask(*reinterpret_cast<const Bytes*>(p), Int{}, 0xffff);
#endif
  }
#elif ATOM_ISA_LEVEL == 1
  static constexpr int flip = 0;
  typedef char Bytes __attribute__((vector_size(32), aligned(16)));
  typedef short Pairs __attribute__((vector_size(32), aligned(16)));
  template <bool is_signed> static ATOM_NATIVE void dot(Int& sum, const Int& w, const Int& x) {
    auto a = reinterpret_cast<Bytes>(w), b = reinterpret_cast<Bytes>(x);
    if constexpr (is_signed) {  // |w| and x with w's sign: pairs of products stay below 2^15
      b = __builtin_ia32_psignb256(b, a);
      a = __builtin_ia32_psignb256(a, a);
    }
    const Pairs pairs = __builtin_ia32_pmaddubsw256(a, b);
    sum += reinterpret_cast<Int>(__builtin_ia32_pmaddwd256(pairs, Pairs{} + 1));
  }
  static ATOM_NATIVE void look_up(Int& a, const std::uint8_t (&table)[16]) {
    std::uint8_t two[32];
    for (int i = 0; i < 2; ++i) __builtin_memcpy(two + 16 * i, table, 16);
    Bytes tables;
    __builtin_memcpy(&tables, two, 32);
    a = reinterpret_cast<Int>(__builtin_ia32_pshufb256(tables, reinterpret_cast<Bytes>(a)));
  }
  static ATOM_NATIVE void widen(Int& a, const std::uint8_t* p) {
#if defined(__clang__)
    typedef unsigned char Eight __attribute__((vector_size(8), aligned(1), may_alias));
    a = __builtin_convertvector(*reinterpret_cast<const Eight*>(p), Int);
#else
    typedef long long Halves __attribute__((vector_size(16), aligned(16)));
    long long low = 0;
    __builtin_memcpy(&low, p, 8);
    typedef char Sixteen __attribute__((vector_size(16), aligned(16)));
    a = __builtin_ia32_pmovzxbd256(reinterpret_cast<Sixteen>(Halves{low, 0}));
#endif
  }
#else
  static constexpr int flip = 0;
  template <bool is_signed> static ATOM_NATIVE void dot(Int& sum, const Int& w, const Int& x) {
    std::conditional_t<is_signed, std::int8_t, std::uint8_t> a[sizeof(Int)];
    std::int8_t b[sizeof(Int)];
    __builtin_memcpy(a, &w, sizeof a);
    __builtin_memcpy(b, &x, sizeof b);
    for (int i = 0; i < static_cast<int>(sizeof(Int)); ++i) sum[i / 4] += a[i] * b[i];
  }
  static ATOM_NATIVE void look_up(Int& a, const std::uint8_t (&table)[16]) {
    std::uint8_t bytes[sizeof(Int)];
    __builtin_memcpy(bytes, &a, sizeof a);
    for (auto& byte : bytes) byte = table[byte];
    __builtin_memcpy(&a, bytes, sizeof a);
  }
  static ATOM_NATIVE void widen(Int& a, const std::uint8_t* p) {
    for (int i = 0; i < 4; ++i) a[i] = p[i];
  }
#endif
};

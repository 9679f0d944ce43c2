// SPDX-License-Identifier: Apache-2.0
// Native<T>, T = float or double: one register of T, and what an instruction does to it and no operator says. Called by
// ATOM_CALL_NATIVE. Raw vectors go by reference; each typedef states its alignment, without which nvcc forgets it.

template <class T> struct Native;

#if ATOM_ISA_LEVEL == 0
template <std::floating_point T> struct Native<T> {
  typedef T Raw __attribute__((vector_size(16), aligned(16)));
  static ATOM_NATIVE void broadcast(Raw& a, T x) { a = x - Raw{}; }  // not x + 0, which loses the sign of -0
  static ATOM_NATIVE void fma(Raw& c, const Raw& a, const Raw& b) { c = a * b + c; }
  static ATOM_NATIVE void sqrt(Raw& a) {
    each(a, [](T x) ATOM_INLINE_LAMBDA { return std::sqrt(x); });
  }
  static ATOM_NATIVE void round_even(Raw& a) {
    each(a, [](T x) ATOM_INLINE_LAMBDA { return std::nearbyint(x); });
  }
  static ATOM_NATIVE void load(Raw& a, const T* p, Index count) {
    alignas(16) T lane[16 / sizeof(T)] = {};
    for (Index i = 0; i < count; ++i) lane[i] = p[i];
    __builtin_memcpy(&a, lane, sizeof a);
  }
  static ATOM_NATIVE void store(const Raw& a, T* p, Index count) {
    for (Index i = 0; i < count; ++i) p[i] = a[i];
  }
  static ATOM_NATIVE void load_half(Raw& a, const half* p) {
    for (int i = 0; i < static_cast<int>(16 / sizeof(T)); ++i) a[i] = static_cast<T>(static_cast<float>(p[i]));
  }

 private:
  template <class F> static ATOM_NATIVE void each(Raw& a, F f) {
    alignas(16) T lane[16 / sizeof(T)];
    __builtin_memcpy(lane, &a, sizeof a);
    for (T& x : lane) x = f(x);
    __builtin_memcpy(&a, lane, sizeof a);
  }
};
#endif

#if ATOM_ISA_LEVEL > 0 && !defined(__clang__)
// g++ spells x - Raw{} out lane by lane in a function that is only inlined into code of the instruction set.
#define ATOM_LANES_BROADCAST(T, call)                            \
  typedef T Short __attribute__((vector_size(16), aligned(16))); \
  static ATOM_NATIVE void broadcast(Raw& a, T x) {               \
    const Short lowest = {x};                                    \
    a = call;                                                    \
  }
#else
#define ATOM_LANES_BROADCAST(T, call) \
  static ATOM_NATIVE void broadcast(Raw& a, T x) { a = x - Raw{}; }
#endif

#if ATOM_ISA_LEVEL == 1
template <> struct Native<float> {
  typedef float Raw __attribute__((vector_size(32), aligned(16)));
  typedef float Whole __attribute__((vector_size(32), aligned(32)));
  typedef int Bits __attribute__((vector_size(32), aligned(16)));
  static ATOM_NATIVE void fma(Raw& c, const Raw& a, const Raw& b) { c = __builtin_ia32_vfmaddps256(a, b, c); }
  static ATOM_NATIVE void sqrt(Raw& a) { a = __builtin_ia32_sqrtps256(a); }
  static ATOM_NATIVE void round_even(Raw& a) { a = __builtin_ia32_roundps256(a, 8); }
  static ATOM_NATIVE void load_half(Raw& a, const half* p) {
    typedef short Halves __attribute__((vector_size(16), aligned(2), may_alias));
    a = __builtin_ia32_vcvtph2ps256(*reinterpret_cast<const Halves*>(p));
  }
  static ATOM_NATIVE void load(Raw& a, const float* p, Index count) {
    Bits first;
    mask(first, count);
    a = __builtin_ia32_maskloadps256(reinterpret_cast<const Whole*>(p), first);
  }
  static ATOM_NATIVE void store(const Raw& a, float* p, Index count) {
    Bits first;
    mask(first, count);
    __builtin_ia32_maskstoreps256(reinterpret_cast<Whole*>(p), first, a);
  }
  ATOM_LANES_BROADCAST(float, __builtin_ia32_vbroadcastss_ps256(lowest))

 private:
  typedef int Loose __attribute__((vector_size(32), aligned(4), may_alias));
  static ATOM_NATIVE void mask(Bits& first, Index count) {
    first = *reinterpret_cast<const Loose*>(detail::first_lanes<int> + 8 - count);
  }
};
template <> struct Native<double> {
  typedef double Raw __attribute__((vector_size(32), aligned(16)));
  typedef double Whole __attribute__((vector_size(32), aligned(32)));
  typedef long long Bits __attribute__((vector_size(32), aligned(16)));
  static ATOM_NATIVE void fma(Raw& c, const Raw& a, const Raw& b) { c = __builtin_ia32_vfmaddpd256(a, b, c); }
  static ATOM_NATIVE void sqrt(Raw& a) { a = __builtin_ia32_sqrtpd256(a); }
  static ATOM_NATIVE void round_even(Raw& a) { a = __builtin_ia32_roundpd256(a, 8); }
  static ATOM_NATIVE void load(Raw& a, const double* p, Index count) {
    Bits first;
    mask(first, count);
    a = __builtin_ia32_maskloadpd256(reinterpret_cast<const Whole*>(p), first);
  }
  static ATOM_NATIVE void store(const Raw& a, double* p, Index count) {
    Bits first;
    mask(first, count);
    __builtin_ia32_maskstorepd256(reinterpret_cast<Whole*>(p), first, a);
  }
  ATOM_LANES_BROADCAST(double, __builtin_ia32_vbroadcastsd_pd256(lowest))

 private:
  typedef long long Loose __attribute__((vector_size(32), aligned(8), may_alias));
  static ATOM_NATIVE void mask(Bits& first, Index count) {
    first = *reinterpret_cast<const Loose*>(detail::first_lanes<long long> + 8 - count);
  }
};
#elif ATOM_ISA_LEVEL == 2  // the last argument: in the current rounding mode
template <> struct Native<float> {
  typedef float Raw __attribute__((vector_size(64), aligned(16)));
  static ATOM_NATIVE void fma(Raw& c, const Raw& a, const Raw& b) {
    c = __builtin_ia32_vfmaddps512_mask(a, b, c, detail::all_lanes<16>, 4);
  }
#if defined(__clang__)
  static ATOM_NATIVE void sqrt(Raw& a) { a = __builtin_ia32_sqrtps512(a, 4); }
#else
  static ATOM_NATIVE void sqrt(Raw& a) { a = __builtin_ia32_sqrtps512_mask(a, a, -1, 4); }
#endif
  static ATOM_NATIVE void round_even(Raw& a) { a = __builtin_ia32_rndscaleps_mask(a, 8, a, detail::all_lanes<16>, 4); }
  static ATOM_NATIVE void load_half(Raw& a, const half* p) {
    typedef short Halves __attribute__((vector_size(32), aligned(2), may_alias));
    a = __builtin_ia32_vcvtph2ps512_mask(*reinterpret_cast<const Halves*>(p), Raw{}, detail::all_lanes<16>, 4);
  }
  static ATOM_NATIVE void load(Raw& a, const float* p, Index count) {
    a = __builtin_ia32_loadups512_mask(p, Raw{}, static_cast<unsigned short>((1U << count) - 1));
  }
  static ATOM_NATIVE void store(const Raw& a, float* p, Index count) {
    __builtin_ia32_storeups512_mask(p, a, static_cast<unsigned short>((1U << count) - 1));
  }
  ATOM_LANES_BROADCAST(float, __builtin_ia32_broadcastss512(lowest, Raw{}, 0xffff))
};
template <> struct Native<double> {
  typedef double Raw __attribute__((vector_size(64), aligned(16)));
  static ATOM_NATIVE void fma(Raw& c, const Raw& a, const Raw& b) {
    c = __builtin_ia32_vfmaddpd512_mask(a, b, c, 0xff, 4);
  }
#if defined(__clang__)
  static ATOM_NATIVE void sqrt(Raw& a) { a = __builtin_ia32_sqrtpd512(a, 4); }
#else
  static ATOM_NATIVE void sqrt(Raw& a) { a = __builtin_ia32_sqrtpd512_mask(a, a, -1, 4); }
#endif
  static ATOM_NATIVE void round_even(Raw& a) { a = __builtin_ia32_rndscalepd_mask(a, 8, a, detail::all_lanes<8>, 4); }
  static ATOM_NATIVE void load(Raw& a, const double* p, Index count) {
    a = __builtin_ia32_loadupd512_mask(p, Raw{}, static_cast<unsigned char>((1U << count) - 1));
  }
  static ATOM_NATIVE void store(const Raw& a, double* p, Index count) {
    __builtin_ia32_storeupd512_mask(p, a, static_cast<unsigned char>((1U << count) - 1));
  }
  ATOM_LANES_BROADCAST(double, __builtin_ia32_broadcastsd512(lowest, Raw{}, 0xff))
};
#endif

#undef ATOM_LANES_BROADCAST

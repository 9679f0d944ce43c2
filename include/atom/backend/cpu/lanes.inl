// SPDX-License-Identifier: Apache-2.0
// Lanes<T>: sixteen values of T (float, double or an integer of 4 or 8 bytes), in as many registers as they take: one
// zmm, two ymm or four xmm for float. Sixteen everywhere, so that sums have the same order on every instruction set.
// All functions are inlined. Pass Lanes by value; never let one cross a real call, never deduce a Raw in a template.

// The statement for i = 0 .. registers - 1, written out: what a loop indexes stays in memory until late in the
// compiler, and the passes before that take most of their time over it.
#define ATOM_EACH_REGISTER(...)                                    \
  do {                                                             \
    ATOM_ONE_REGISTER(0, __VA_ARGS__)                              \
    if constexpr (registers > 1) ATOM_ONE_REGISTER(1, __VA_ARGS__) \
    if constexpr (registers > 2) ATOM_ONE_REGISTER(2, __VA_ARGS__) \
    if constexpr (registers > 2) ATOM_ONE_REGISTER(3, __VA_ARGS__) \
    if constexpr (registers > 4) ATOM_ONE_REGISTER(4, __VA_ARGS__) \
    if constexpr (registers > 4) ATOM_ONE_REGISTER(5, __VA_ARGS__) \
    if constexpr (registers > 4) ATOM_ONE_REGISTER(6, __VA_ARGS__) \
    if constexpr (registers > 4) ATOM_ONE_REGISTER(7, __VA_ARGS__) \
  } while (false)
#define ATOM_ONE_REGISTER(index, ...) \
  {                                   \
    constexpr int i = index;          \
    __VA_ARGS__;                      \
  }

template <class T> struct Lanes;

// The answer of a comparison of Lanes<T>, all bits set where it holds.
template <class T> struct Mask {
  static constexpr int registers = 16 * static_cast<int>(sizeof(T)) / ATOM_LANE_BYTES;
  typedef detail::BitsOf<T> Raw __attribute__((vector_size(ATOM_LANE_BYTES), aligned(16)));
  Raw r[registers];

  // What masks are combined as: with elements of another size, or g++ takes comparisons apart lane by lane for avx512.
  using Same = Lanes<detail::BitsOf<T>>;
  using Other = Lanes<std::conditional_t<sizeof(T) == 4, std::int64_t, std::int32_t>>;

  Mask() = default;  // no value
  // All lanes the same.
  template <std::same_as<bool> B> ATOM_ALWAYS_INLINE Mask(B holds) {
    const auto all = Lanes<detail::BitsOf<T>>(holds ? -1 : 0);
    ATOM_EACH_REGISTER(r[i] = all.r[i]);
  }
  // The first count lanes, the others not.
  static ATOM_ALWAYS_INLINE Mask first(Index count);

  friend ATOM_ALWAYS_INLINE Mask operator&(Mask a, Mask b) {
    ATOM_EACH_REGISTER(a.r[i] = reinterpret_cast<typename Same::Raw>(reinterpret_cast<typename Other::Raw>(a.r[i]) &
                                                                     reinterpret_cast<typename Other::Raw>(b.r[i])));
    return a;
  }
  friend ATOM_ALWAYS_INLINE Mask operator|(Mask a, Mask b) {
    ATOM_EACH_REGISTER(a.r[i] = reinterpret_cast<typename Same::Raw>(reinterpret_cast<typename Other::Raw>(a.r[i]) |
                                                                     reinterpret_cast<typename Other::Raw>(b.r[i])));
    return a;
  }
  friend ATOM_ALWAYS_INLINE Mask operator!(Mask a) {
    ATOM_EACH_REGISTER(a.r[i] = reinterpret_cast<typename Same::Raw>(~reinterpret_cast<typename Other::Raw>(a.r[i])));
    return a;
  }
  // Whether it holds in any lane, in all.
  friend ATOM_ALWAYS_INLINE bool any(Mask a) {
    Raw some = a.r[0];
    ATOM_EACH_REGISTER(some |= a.r[i]);
    alignas(64) detail::BitsOf<T> lane[ATOM_LANE_BYTES / sizeof(T)];
    *reinterpret_cast<Raw*>(lane) = some;
    detail::BitsOf<T> found = 0;
    for (const auto bits : lane) found |= bits;
    return found != 0;
  }
  friend ATOM_ALWAYS_INLINE bool all(Mask a) { return !any(!a); }
};

template <class To, class From> ATOM_ALWAYS_INLINE Lanes<To> convert(Lanes<From> a);

template <class T> struct Lanes {
  using Scalar = T;
  using Bits = Lanes<detail::BitsOf<T>>;  // the integers of the same size
  static constexpr int size = 16;
  static constexpr int registers = Mask<T>::registers;
  static constexpr int per_register = size / registers;
  // Under-aligned on purpose: g++ then has no ABI of its own for it, and the stack needs no realignment.
  typedef T Raw __attribute__((vector_size(ATOM_LANE_BYTES), aligned(16)));
  typedef T Loose __attribute__((vector_size(ATOM_LANE_BYTES), aligned(alignof(T)), may_alias));  // in memory
  Raw r[registers];

  Lanes() = default;  // no value
  // All lanes the same.
  template <detail::Arithmetic U> ATOM_ALWAYS_INLINE Lanes(U value) {
    const T x = static_cast<T>(value);
    // Bits of integers travel as those of a floating-point number.
    using Float = detail::FloatOf<detail::BitsOf<T>>;
    typename Native<Float>::Raw a;
    ATOM_CALL_NATIVE(Native<Float>::broadcast)(a, std::bit_cast<Float>(x));
    ATOM_EACH_REGISTER(r[i] = __builtin_bit_cast(Raw, a));
  }
  // Lane by lane from another type: what a score policy says as S(i.query - i.key).
  template <class U>
  requires(!std::same_as<U, T>) ATOM_ALWAYS_INLINE explicit Lanes(Lanes<U> a) : Lanes(convert<T>(a)) {}
  // 0, 1, ... 15.
  static ATOM_ALWAYS_INLINE Lanes iota() {
    static constexpr T values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return load(values);
  }
  // p[0..15]. Needs no alignment.
  static ATOM_ALWAYS_INLINE Lanes load(const T* p) {
    Lanes a;
    ATOM_EACH_REGISTER(a.r[i] = reinterpret_cast<const Loose*>(p)[i]);
    return a;
  }
  ATOM_ALWAYS_INLINE void store(T* p) const { ATOM_EACH_REGISTER(reinterpret_cast<Loose*>(p)[i] = r[i]); }
  // p[0..count-1], the other lanes 0, nothing else touched. Any count: below 0 is none, above 15 is all.
  static ATOM_ALWAYS_INLINE Lanes load(const T* p, Index count) {
    if (count >= size) return load(p);
    if constexpr (std::floating_point<T>) {
      Lanes a;
      ATOM_EACH_REGISTER(ATOM_CALL_NATIVE(Native<T>::load)(a.r[i], p + i * per_register, in_register(count, i)));
      return a;
    } else {
      T part[size] = {};
      for (Index i = 0; i < count; ++i) part[i] = p[i];
      return load(part);
    }
  }
  ATOM_ALWAYS_INLINE void store(T* p, Index count) const {
    if (count >= size) return store(p);
    if constexpr (std::floating_point<T>) {
      ATOM_EACH_REGISTER(ATOM_CALL_NATIVE(Native<T>::store)(r[i], p + i * per_register, in_register(count, i)));
    } else {
      T part[size];
      store(part);
      for (Index i = 0; i < count; ++i) p[i] = part[i];
    }
  }
  // base[index[i]] for each lane.
  static ATOM_ALWAYS_INLINE Lanes gather(const T* base, Lanes<std::int32_t> index) {
    std::int32_t at[size];
    T part[size];
    index.store(at);
    ATOM_UNROLL for (int i = 0; i < size; ++i) part[i] = base[at[i]];
    return load(part);
  }
  ATOM_ALWAYS_INLINE T operator[](int lane) const { return r[lane / per_register][lane % per_register]; }

#define ATOM_LANES_OPERATOR(op)                                   \
  friend ATOM_ALWAYS_INLINE Lanes operator op(Lanes a, Lanes b) { \
    ATOM_EACH_REGISTER(a.r[i] = a.r[i] op b.r[i]);                \
    return a;                                                     \
  }                                                               \
  friend ATOM_ALWAYS_INLINE Lanes& operator op##=(Lanes& a, Lanes b) { return a = a op b; }
  ATOM_LANES_OPERATOR(+)
  ATOM_LANES_OPERATOR(-)
  ATOM_LANES_OPERATOR(*)
  ATOM_LANES_OPERATOR(/)
  ATOM_LANES_OPERATOR(&)  // these three: integers only
  ATOM_LANES_OPERATOR(|)
  ATOM_LANES_OPERATOR(^)
#undef ATOM_LANES_OPERATOR
  friend ATOM_ALWAYS_INLINE Lanes operator-(Lanes a) {
    ATOM_EACH_REGISTER(a.r[i] = -a.r[i]);
    return a;
  }
  // Integers only. The right shift of a negative number copies its sign.
  friend ATOM_ALWAYS_INLINE Lanes operator~(Lanes a) {
    ATOM_EACH_REGISTER(a.r[i] = ~a.r[i]);
    return a;
  }
  friend ATOM_ALWAYS_INLINE Lanes operator<<(Lanes a, int bits) {
    ATOM_EACH_REGISTER(a.r[i] = a.r[i] << bits);
    return a;
  }
  friend ATOM_ALWAYS_INLINE Lanes operator>>(Lanes a, int bits) {
    ATOM_EACH_REGISTER(a.r[i] = a.r[i] >> bits);
    return a;
  }

#define ATOM_LANES_COMPARISON(op)                                                              \
  friend ATOM_ALWAYS_INLINE Mask<T> operator op(Lanes a, Lanes b) {                            \
    Mask<T> mask;                                                                              \
    ATOM_EACH_REGISTER(mask.r[i] = reinterpret_cast<typename Mask<T>::Raw>(a.r[i] op b.r[i])); \
    return mask;                                                                               \
  }
  ATOM_LANES_COMPARISON(<)
  ATOM_LANES_COMPARISON(<=)
  ATOM_LANES_COMPARISON(>)
  ATOM_LANES_COMPARISON(>=)
  ATOM_LANES_COMPARISON(==)
  ATOM_LANES_COMPARISON(!=)
#undef ATOM_LANES_COMPARISON

  // mask ? a : b
  friend ATOM_ALWAYS_INLINE Lanes select(Mask<T> mask, Lanes a, Lanes b) {
    ATOM_EACH_REGISTER(a.r[i] = mask.r[i] ? a.r[i] : b.r[i]);
    return a;
  }
  // b if either is NaN, as the instruction does.
  friend ATOM_ALWAYS_INLINE Lanes min(Lanes a, Lanes b) {
    ATOM_EACH_REGISTER(a.r[i] = a.r[i] < b.r[i] ? a.r[i] : b.r[i]);
    return a;
  }
  friend ATOM_ALWAYS_INLINE Lanes max(Lanes a, Lanes b) {
    ATOM_EACH_REGISTER(a.r[i] = a.r[i] > b.r[i] ? a.r[i] : b.r[i]);
    return a;
  }
  // a * b + c, rounded once on avx2 and avx512, twice on baseline.
  friend ATOM_ALWAYS_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) {
    ATOM_EACH_REGISTER(ATOM_CALL_NATIVE(Native<T>::fma)(c.r[i], a.r[i], b.r[i]));
    return c;
  }
  friend ATOM_ALWAYS_INLINE Lanes sqrt(Lanes a) {
    ATOM_EACH_REGISTER(ATOM_CALL_NATIVE(Native<T>::sqrt)(a.r[i]));
    return a;
  }
  // To the nearest integer, halves to the even one.
  friend ATOM_ALWAYS_INLINE Lanes round_even(Lanes a) {
    ATOM_EACH_REGISTER(ATOM_CALL_NATIVE(Native<T>::round_even)(a.r[i]));
    return a;
  }
  friend ATOM_ALWAYS_INLINE Lanes abs(Lanes a) {
    return float_of_bits(bits_of(a) & std::numeric_limits<detail::BitsOf<T>>::max());
  }
  // The magnitude of a, the sign of b.
  friend ATOM_ALWAYS_INLINE Lanes copy_sign(Lanes a, Lanes b) {
    constexpr auto sign = std::numeric_limits<detail::BitsOf<T>>::min();
    return float_of_bits((bits_of(a) & ~sign) | (bits_of(b) & sign));
  }

  // The bit patterns as integers of the same size, and back: float <-> int32, double <-> int64.
  friend ATOM_ALWAYS_INLINE Bits bits_of(Lanes a) {
    Bits b;
    ATOM_EACH_REGISTER(b.r[i] = reinterpret_cast<typename Bits::Raw>(a.r[i]));
    return b;
  }
  friend ATOM_ALWAYS_INLINE auto float_of_bits(Lanes a) {
    using Float = Lanes<detail::FloatOf<T>>;
    Float b;
    ATOM_EACH_REGISTER(b.r[i] = reinterpret_cast<typename Float::Raw>(a.r[i]));
    return b;
  }
  // The value as an integer of the same size. It must be one already (round_even), below 2^31 (float), 2^51 (double).
  friend ATOM_ALWAYS_INLINE Bits to_int(Lanes a) {
    if constexpr (sizeof(T) == 4) {
      Bits b;
      ATOM_EACH_REGISTER(b.r[i] = __builtin_convertvector(a.r[i], typename Bits::Raw));
      return b;
    } else {  // avx2 has no such conversion: move the integer into the low bits of the mantissa
      const Lanes magic = 0x1.8p52;
      return bits_of(a + magic) - bits_of(magic);
    }
  }
  // The integer as a floating-point number of the same size, int64 below 2^51.
  friend ATOM_ALWAYS_INLINE auto to_float(Lanes a) {
    using Float = Lanes<detail::FloatOf<T>>;
    if constexpr (sizeof(T) == 4) {
      Float b;
      ATOM_EACH_REGISTER(b.r[i] = __builtin_convertvector(a.r[i], typename Float::Raw));
      return b;
    } else {
      const Float magic = 0x1.8p52;
      return float_of_bits(a + bits_of(magic)) - magic;
    }
  }

// One fixed tree: lane i with lane i + 8, then i + 4, i + 2, i + 1. Four lanes at a time, as far as that goes.
#define ATOM_LANES_REDUCTION(name, combine)                                                         \
  friend ATOM_ALWAYS_INLINE T name(Lanes a) {                                                       \
    typedef T Quad __attribute__((vector_size(4 * sizeof(T)), aligned(16), may_alias));             \
    alignas(64) T lane[size];                                                                       \
    a.store(lane);                                                                                  \
    const Quad* const quad = reinterpret_cast<const Quad*>(lane);                                   \
    const Quad q0 = combine(quad[0], quad[2]), q1 = combine(quad[1], quad[3]), q = combine(q0, q1); \
    const T left = combine(q[0], q[2]), right = combine(q[1], q[3]);                                \
    return combine(left, right);                                                                    \
  }
#define ATOM_LANES_ADD(x, y) ((x) + (y))
#define ATOM_LANES_MAX(x, y) ((x) > (y) ? (x) : (y))
  ATOM_LANES_REDUCTION(sum, ATOM_LANES_ADD)
  ATOM_LANES_REDUCTION(max_of, ATOM_LANES_MAX)  // no NaN in it
#undef ATOM_LANES_REDUCTION
#undef ATOM_LANES_ADD
#undef ATOM_LANES_MAX

 private:
  // How many of the first `count` lanes lie in register i.
  static ATOM_ALWAYS_INLINE Index in_register(Index count, int i) {
    const Index left = count - i * per_register;
    return left < 0 ? 0 : left > per_register ? per_register : left;
  }
};

template <class T> ATOM_ALWAYS_INLINE Mask<T> Mask<T>::first(Index count) {
  const Index clamped = count < 0 ? 0 : count > 16 ? 16 : count;
  const auto inside = Same::iota() < Same(clamped);
  Mask mask;
  ATOM_EACH_REGISTER(mask.r[i] = inside.r[i]);
  return mask;
}

// Lane by lane to another type, as static_cast does it.
template <class To, class From> ATOM_ALWAYS_INLINE Lanes<To> convert(Lanes<From> a) {
  if constexpr (sizeof(To) == 4 && sizeof(From) == 4) {
    constexpr int registers = Lanes<To>::registers;
    Lanes<To> b;
    ATOM_EACH_REGISTER(b.r[i] = __builtin_convertvector(a.r[i], typename Lanes<To>::Raw));
    return b;
  }
  typedef From FromQuad __attribute__((vector_size(4 * sizeof(From)), aligned(16), may_alias));
  typedef To ToQuad __attribute__((vector_size(4 * sizeof(To)), aligned(16), may_alias));
  alignas(64) From from[16];
  alignas(64) To to[16];
  a.store(from);
  ATOM_UNROLL for (int i = 0; i < 4; ++i) reinterpret_cast<ToQuad*>(to)[i] =
      __builtin_convertvector(reinterpret_cast<const FromQuad*>(from)[i], ToQuad);
  return Lanes<To>::load(to);
}

#undef ATOM_EACH_REGISTER
#undef ATOM_ONE_REGISTER

// SPDX-License-Identifier: Apache-2.0
// What the functions of math.hpp are made of: the primitives for scalars, and polynomials on reduced ranges.
#pragma once

#include "types.hpp"

#include <cmath>
#include <concepts>
#include <limits>

namespace atom::math {

// ---- primitives; Lanes bring their own, found by argument-dependent lookup
// ---------------------

ATOM_HD float fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}
ATOM_HD double fma(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
  return __fma_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}
ATOM_HD float sqrt(float x) { return std::sqrt(x); }
ATOM_HD double sqrt(double x) { return std::sqrt(x); }
ATOM_HD float abs(float x) { return std::fabs(x); }
ATOM_HD double abs(double x) { return std::fabs(x); }
// To the nearest integer, halves to the even one.
ATOM_HD float round_even(float x) { return std::rint(x); }
ATOM_HD double round_even(double x) { return std::rint(x); }
template <std::floating_point T> ATOM_HD T min(T a, T b) { return a < b ? a : b; }
template <std::floating_point T> ATOM_HD T max(T a, T b) { return a > b ? a : b; }
template <std::floating_point T> ATOM_HD T select(bool condition, T a, T b) { return condition ? a : b; }

ATOM_HD std::int32_t bits_of(float x) { return std::bit_cast<std::int32_t>(x); }
ATOM_HD std::int64_t bits_of(double x) { return std::bit_cast<std::int64_t>(x); }
ATOM_HD float float_of_bits(std::int32_t bits) { return std::bit_cast<float>(bits); }
ATOM_HD double float_of_bits(std::int64_t bits) { return std::bit_cast<double>(bits); }
ATOM_HD float to_float(std::int32_t x) { return static_cast<float>(x); }
ATOM_HD double to_float(std::int64_t x) { return static_cast<double>(x); }

// Sixteen values that compute like one.
template <class V>
concept Vector = std::floating_point<typename V::Scalar>;

// So that math::max(s, 0) and the like may be written with any S.
ATOM_HD_QUIET
template <Vector V> ATOM_HD V fma(V a, V b, V c) { return fma(a, b, c); }
ATOM_HD_QUIET
template <Vector V> ATOM_HD V sqrt(V x) { return sqrt(x); }
ATOM_HD_QUIET
template <Vector V> ATOM_HD V abs(V x) { return abs(x); }
ATOM_HD_QUIET
template <Vector V> ATOM_HD V round_even(V x) { return round_even(x); }
ATOM_HD_QUIET
template <Vector V> ATOM_HD V min(V a, V b) { return min(a, b); }
ATOM_HD_QUIET
template <Vector V> ATOM_HD V max(V a, V b) { return max(a, b); }
ATOM_HD_QUIET
template <class M, Vector V> ATOM_HD V select(M mask, V a, V b) { return select(mask, a, b); }

namespace detail {

template <class S> struct ScalarOf { using type = S; };
template <Vector V> struct ScalarOf<V> { using type = typename V::Scalar; };
template <class S> using scalar_t = typename ScalarOf<S>::type;
template <class S> inline constexpr bool is_single = sizeof(scalar_t<S>) == 4;

template <class S> inline constexpr scalar_t<S> infinity = std::numeric_limits<scalar_t<S>>::infinity();

// c0 + c1 x + c2 x^2 + ...
ATOM_HD_QUIET
template <class S> ATOM_HD S polynomial(S, double c0) { return S(static_cast<scalar_t<S>>(c0)); }
ATOM_HD_QUIET
template <class S, class... C> ATOM_HD S polynomial(S x, double c0, double c1, C... more) {
  return fma(polynomial(x, c1, more...), x, S(static_cast<scalar_t<S>>(c0)));
}

// The constant for S: `single` is rounded to float there.
template <class S> ATOM_HD constexpr scalar_t<S> pick(double single, double twice) {
  return static_cast<scalar_t<S>>(is_single<S> ? single : twice);
}

// 2^k for an integer k within the normal exponents: k + bias in the low bits of a number, shifted to the exponent.
ATOM_HD_QUIET
template <class S> ATOM_HD S power_of_two(S k) {
  if constexpr (is_single<S>)
    return float_of_bits(bits_of(k + S(0x1.8p23F + 127.0F)) << 23);
  else
    return float_of_bits(bits_of(k + S(0x1.8p52 + 1023.0)) << 52);
}

// x = k ln 2 + r with |r| <= ln 2 / 2; returns e^r - 1.
ATOM_HD_QUIET
template <class S> ATOM_HD S exp_reduced(S x, S& k) {
  k = round_even(x * S(pick<S>(1.4426950408889634, 1.4426950408889634)));
  S r = fma(k, S(pick<S>(-0.693359375, -0x1.62e42feep-1)), x);
  r = fma(k, S(pick<S>(2.1219444005469058e-4, -1.9082149292705877e-10)), r);
  S q(scalar_t<S>(0));
  if constexpr (is_single<S>)
    q = polynomial(r, 0.5000000062, 0.1666654253, 0.04166628122, 0.008366645772, 0.001394652173);
  else
    q = polynomial(r, 0.5, 0.166666666666666767, 0.0416666666666667019, 0.00833333333332153158, 0.00138888888888666149,
                   0.000198412698864006049, 0.0000248015873609552683, 2.75572439120829999e-6, 2.75572424401098123e-7,
                   2.51091472838119028e-8, 2.09245381074136685e-9);
  return fma(r * r, q, r);
}

// sin r for |r| <= pi / 2.
ATOM_HD_QUIET
template <class S> ATOM_HD S sin_reduced(S r) {
  const S z = r * r;
  S p(scalar_t<S>(0));
  if constexpr (is_single<S>)
    p = polynomial(z, -0.1666666663, 0.008333331108, -0.000198408681, 2.752537841e-6, -2.38887975e-8);
  else
    p = polynomial(z, -0.166666666666666667, 0.00833333333333333302, -0.000198412698412696708, 2.75573192239401806e-6,
                   -2.5052108378486265e-8, 1.60590431957929604e-10, -7.64712724490884601e-13, 2.81020262415530585e-15,
                   -7.98136093457929413e-18);
  return fma(r * z, p, r);
}

// (-1)^n a for an integer n.
ATOM_HD_QUIET
template <class S> ATOM_HD S alternate(S n, S a) {
  const S half = n * S(scalar_t<S>(0.5));
  return select(round_even(half) == half, a, -a);
}

// x - q pi, where pi is three parts short enough for exact products and a rest.
ATOM_HD_QUIET
template <class S> ATOM_HD S minus_pi_times(S x, S q) {
  x = fma(q, S(pick<S>(-0x1.92p+1, -0x1.921fb54p+1)), x);
  x = fma(q, S(pick<S>(-0x1.fb4p-11, -0x1.10b461p-29)), x);
  x = fma(q, S(pick<S>(-0x1.444p-23, -0x1.a62633p-57)), x);
  return fma(q, S(pick<S>(-0x1.68c234p-38, -0x1.45c06e0e68948p-85)), x);
}

// erf t for |t| < 1.
ATOM_HD_QUIET
template <class S> ATOM_HD S erf_small(S t) {
  const S z = t * t;
  S p(scalar_t<S>(0));
  if constexpr (is_single<S>)
    p = polynomial(z, 0.128379166, -0.3761262583, 0.1128358515, -0.02685381199, 0.005188327606, -0.0008010191758,
                   7.853852147e-5);
  else
    p = polynomial(z, 0.12837916709551257, -0.376126389031835195, 0.112837916709441843, -0.0268661706431113761,
                   0.00522397760611762541, -0.000854832592927141938, 0.000120552935755695722, -0.000014924712275907062,
                   1.64471312450101906e-6, -1.62063112415547385e-7, 1.3710969480988559e-8, -7.77944812904203806e-10);
  return fma(t, p, t);
}

template <class S> ATOM_HD S exp_of(S x);

// 1 - erf t for 0.9 <= t <= 40, where t t = a b: e^(-a b) times a polynomial in (t - 3) / (t + 3) over 1 + 2 t.
ATOM_HD_QUIET
template <class S> ATOM_HD S erfc_large(S t, S a, S b) {
  using T = scalar_t<S>;
  const S u = (t - S(T(3))) / (t + S(T(3)));
  S p(T(0));
  if constexpr (is_single<S>)
    p = polynomial(u, 1.25300805794105915, -0.135621101745681243, -0.0475622349148898241, 0.129644888301594617,
                   -0.119275378732597985, 0.0683127278508717349, -0.0237531895354648757, 0.00249594686874039333,
                   0.00181704636824737439, -0.00067501750517227654);
  else
    p = polynomial(u, 1.25300805826972965, -0.135621106124581671, -0.0475622943534498452, 0.129645158702836344,
                   -0.119273663415404321, 0.0683080273406081804, -0.0237705149144156526, 0.0025293918837181744,
                   0.00188869026531267843, -0.000779832993992525177, -0.000105158655552745146, 0.000125103704149650664,
                   4.94143783801511285e-6, -0.0000201151803452589205, -6.98477537824725095e-7, 3.49614552400714936e-6,
                   2.80334901815714396e-7, -6.23007654857373596e-7, -5.17945540754846585e-8, 7.79632869014241125e-8);
  const S square = a * b;
  const S rest = fma(a, b, -square);  // what the rounding of the square lost
  const S e = exp_of(-square);
  return fma(-rest, e, e) * p / fma(S(T(2)), t, S(T(1)));
}

// e^x; 0 below -87 (float) or -708 (double), infinity where it overflows.
ATOM_HD_QUIET
template <class S> ATOM_HD S exp_of(S x) {
  using T = scalar_t<S>;
  S k(T(0));
  const S p = exp_reduced(x, k) + S(T(1));
  const S top = min(k, S(pick<S>(127, 1023)));  // 2^k itself may overflow where the result does not
  S y = p * power_of_two(top);
  y = fma(y, k - top, y);
  y = select(x < S(pick<S>(-87, -708)), S(T(0)), y);
  return select(x > S(pick<S>(88.7228390520683, 709.782712893383996)), S(infinity<S>), y);
}

}  // namespace detail

}  // namespace atom::math

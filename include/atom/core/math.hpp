// SPDX-License-Identifier: Apache-2.0
// Elementary functions as one polynomial text for S = float, double and the sixteen lanes of a kernel, so that a policy
// computes the same bits in a scalar loop, a vector kernel and on the GPU. (The baseline kernels have no fma; theirs
// differ in the last bit.) No product here is added to anything but by fma, so no compiler can change a result.
//
// Error against the exact value, in units of the last place:           float    double
//   exp, log                                                              1.1       1.1
//   expm1, erf, sin, cos                                                  2         2
//   rsqrt, tanh, sigmoid, silu, softplus                                  3         4
//   cdf                                                                   5         5
// sin and cos hold it, as an absolute error of that many 2^-24 or 2^-53, for |x| <= 10^4 (float), 10^7 (double).
// A plain -O2 build computes a scalar fma by a library call: loops belong into lanes.
#pragma once

#include "math_reduced.hpp"

namespace atom::math {

// e^x; 0 below -87 (float) or -708 (double), infinity where it overflows.
ATOM_HD_QUIET
template <class S> ATOM_HD S exp(S x) { return detail::exp_of(x); }

// e^x - 1, accurate near 0.
ATOM_HD_QUIET
template <class S> ATOM_HD S expm1(S x) {
  using T = detail::scalar_t<S>;
  x = select(x < S(T(-40)), S(T(-40)), x);
  S k(T(0));
  const S p = detail::exp_reduced(x, k);
  const S top = min(k, S(detail::pick<S>(127, 1023)));
  const S scale = detail::power_of_two(top);
  S y = fma(p, scale, scale - S(T(1)));
  y = fma(y, k - top, y);
  return select(x > S(detail::pick<S>(88.7228390520683, 709.782712893383996)), S(detail::infinity<S>), y);
}

// Natural logarithm: -infinity of 0, NaN below.
ATOM_HD_QUIET
template <class S> ATOM_HD S log(S x) {
  using T = detail::scalar_t<S>;
  constexpr T infinity = detail::infinity<S>;
  const auto is_small = x < S(std::numeric_limits<T>::min());
  S y = select(is_small, x * S(detail::pick<S>(0x1p23, 0x1p52)), x);
  y = select((x > S(T(0))) & (x < S(infinity)), y, S(T(1)));
  // y = 2^k (1 + f), 1 + f within sqrt(1/2) .. sqrt(2)
  const auto bits = bits_of(y);
  S k(T(0)), f(T(0));
  if constexpr (detail::is_single<S>) {
    const auto exponent = (bits - 0x3f3504f3) >> 23;
    k = to_float(exponent);
    f = float_of_bits(bits - (exponent << 23)) - S(T(1));
  } else {
    const auto exponent = (bits - std::int64_t{0x3fe6a09e667f3bcd}) >> 52;
    k = to_float(exponent);
    f = float_of_bits(bits - (exponent << 52)) - S(T(1));
  }
  k = select(is_small, k - S(detail::pick<S>(23, 52)), k);
  // log(1 + f) = f - f f / 2 + s (f f / 2 + z P(z)) with s = f / (2 + f), z = s s
  const S s = f / (f + S(T(2))), z = s * s, half = f * S(T(0.5));
  S p(T(0));
  if constexpr (detail::is_single<S>)
    p = detail::polynomial(z, 0.6666666564, 0.400003362, 0.2853723949, 0.23583547);
  else
    p = detail::polynomial(z, 0.666666666666673489, 0.39999999999411058, 0.285714287432754825, 0.222221984744614627,
                           0.181835698242430688, 0.153139010122791323, 0.147975305372830034);
  const S low = fma(s, fma(half, f, z * p), k * S(detail::pick<S>(-2.1219444005469058e-4, 1.9082149292705877e-10)));
  y = fma(k, S(detail::pick<S>(0.693359375, 0x1.62e42feep-1)), f - fma(half, f, -low));
  y = select(x < S(infinity), y, x);
  return select(x > S(T(0)), y, select(x == S(T(0)), S(-infinity), S(std::numeric_limits<T>::quiet_NaN())));
}

ATOM_HD_QUIET
template <class S> ATOM_HD S rsqrt(S x) { return S(detail::scalar_t<S>(1)) / sqrt(x); }

ATOM_HD_QUIET
template <class S> ATOM_HD S tanh(S x) {
  using T = detail::scalar_t<S>;
  const S size = min(S(T(20)), abs(x));  // in this order a NaN stays one
  const S e = expm1(size + size);
  const S y = e / (e + S(T(2)));
  return select(x < S(T(0)), -y, y);
}

// 1 / (1 + e^-x)
ATOM_HD_QUIET
template <class S> ATOM_HD S sigmoid(S x) {
  const S one(detail::scalar_t<S>(1));
  return one / (one + exp(-x));
}

ATOM_HD_QUIET
template <class S> ATOM_HD S erf(S x) {
  using T = detail::scalar_t<S>;
  const S t = min(S(T(30)), abs(x)), large = S(T(1)) - detail::erfc_large(t, t, t);
  return select(t < S(T(0.9375)), detail::erf_small(x), select(x < S(T(0)), -large, large));
}

// The distribution function of the standard normal distribution, accurate in the lower tail.
ATOM_HD_QUIET
template <class S> ATOM_HD S cdf(S x) {
  using T = detail::scalar_t<S>;
  const S root_half(T(0.70710678118654752)), half(T(0.5)), size = min(S(T(40)), abs(x)), t = size * root_half;
  // From the square of x, not of t: the tail would lose digits.
  const S tail = half * detail::erfc_large(t, size * half, size);
  const S centre = fma(half, detail::erf_small(x * root_half), half);
  return select(t < S(T(0.9375)), centre, select(x < S(T(0)), tail, S(T(1)) - tail));
}

ATOM_HD_QUIET
template <class S> ATOM_HD S sin(S x) {
  using T = detail::scalar_t<S>;
  const S n = round_even(x * S(T(0.31830988618379067)));
  return detail::alternate(n, detail::sin_reduced(detail::minus_pi_times(x, n)));
}

ATOM_HD_QUIET
template <class S> ATOM_HD S cos(S x) {
  using T = detail::scalar_t<S>;
  const S half(T(0.5));
  const S n = round_even(fma(x, S(T(0.31830988618379067)), -half));
  return detail::alternate(n, -detail::sin_reduced(detail::minus_pi_times(x, n + half)));
}

// cos(2 pi u): the angle in turns, so that no reduction loses a bit.
ATOM_HD_QUIET
template <class S> ATOM_HD S cos_turns(S u) {
  using T = detail::scalar_t<S>;
  const S quarter = S(T(0.25)) - abs(u - round_even(u));
  return detail::sin_reduced(quarter * S(T(6.2831853071795865)));
}

// ---- activations and their derivatives ------------------------------------------------------------------------------

ATOM_HD_QUIET
template <class S> ATOM_HD S silu(S x) { return x * sigmoid(x); }
ATOM_HD_QUIET
template <class S> ATOM_HD S silu_slope(S x) {
  const S s = sigmoid(x), one(detail::scalar_t<S>(1));
  return s * fma(x, one - s, one);
}

// log(1 + e^x); its derivative is sigmoid.
ATOM_HD_QUIET
template <class S> ATOM_HD S softplus(S x) {
  using T = detail::scalar_t<S>;
  const S one(T(1)), e = exp(-abs(x)), u = one + e;
  const S log1p = select(u == one, e, log(u) * e / (u - one));  // the quotient repairs the rounding of 1 + e
  return max(S(T(0)), x) + log1p;
}

// x cdf(x), Hendrycks and Gimpel, arXiv 1606.08415.
ATOM_HD_QUIET
template <class S> ATOM_HD S gelu_erf(S x) { return x * cdf(x); }
ATOM_HD_QUIET
template <class S> ATOM_HD S gelu_erf_slope(S x) {
  using T = detail::scalar_t<S>;
  return fma(x * S(T(0.39894228040143268)), exp(x * x * S(T(-0.5))), cdf(x));
}

// Its approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 = x sigmoid(x (c + d x x)).
ATOM_HD_QUIET
template <class S> ATOM_HD S gelu_tanh(S x) {
  using T = detail::scalar_t<S>;
  return x * sigmoid(x * fma(x * x, S(T(0.071354816272600249)), S(T(1.5957691216057307))));
}
ATOM_HD_QUIET
template <class S> ATOM_HD S gelu_tanh_slope(S x) {
  using T = detail::scalar_t<S>;
  const S square = x * x, c(T(1.5957691216057307));
  const S s = sigmoid(x * fma(square, S(T(0.071354816272600249)), c));
  return fma(x * s * (S(T(1)) - s), fma(square, S(T(0.214064448817800746)), c), s);
}

}  // namespace atom::math

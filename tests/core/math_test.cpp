// SPDX-License-Identifier: Apache-2.0
// Elementary functions against the C library in a wider type: units in the last place over samples of every exponent,
// and the special values. (That lanes give the same bits is tests/backend/pointwise_test.cpp.)
#include <atom/core/math.hpp>

#include "../catch.hpp"

#include <cmath>
#include <string>

using namespace atom;

namespace {

// |found - exact| in units of the last place of T at exact.
template <class T, class W> double ulps(T found, W exact) {
  if (std::isnan(found) || std::isnan(exact)) return std::isnan(found) && std::isnan(exact) ? 0 : 1e9;
  const T rounded = static_cast<T>(exact);
  if (found == rounded) return 0;
  if (std::isinf(found) || std::isinf(rounded)) return 1e9;
  int exponent = 0;
  std::frexp(rounded, &exponent);
  const int least = std::numeric_limits<T>::min_exponent;
  const W unit = std::ldexp(W(1), std::max(exponent, least) - std::numeric_limits<T>::digits);
  return static_cast<double>(std::abs(W(found) - exact) / unit);
}

// The greatest error over x of both signs, all exponents in [least, most], 4 mantissas of every 2^step.
template <class T, class F, class G> double worst_ulps(T least, T most, F found, G exact, bool both_signs = true) {
  using W = std::conditional_t<sizeof(T) == 4, double, long double>;
  double worst = 0;
  const T factor = T(1) + T(0.00037);
  for (T x = least; x <= most; x *= factor)
    for (const T at : {x, std::nextafter(x, most), -x}) {
      if (at < 0 && !both_signs) continue;
      worst = std::max(worst, ulps(found(at), exact(W(at))));
    }
  return worst;
}

template <class T> void check_functions() {
  using W = std::conditional_t<sizeof(T) == 4, double, long double>;
  const bool single = sizeof(T) == 4;
  const T tiny = single ? T(1e-30) : T(1e-200), huge = single ? T(1e30) : T(1e200);
  const T deep = single ? T(87) : T(708);
  const W root_half = std::sqrt(W(0.5)), cubic = W(0.044715L);
  const auto sigmoid = [](W x) { return 1 / (1 + std::exp(-x)); };
  const auto cdf = [=](W x) { return std::erfc(-x * root_half) / 2; };
  const auto gelu_inner = [=](W x) { return 2 * std::sqrt(2 / std::acos(W(-1))) * (x + cubic * x * x * x); };

#define ATOM_WITHIN(bound, ...)                      \
  {                                                  \
    const double worst = worst_ulps<T>(__VA_ARGS__); \
    INFO(#__VA_ARGS__);                              \
    CHECK(worst <= bound);                           \
  }
  ATOM_WITHIN(
      1.1, tiny, deep, [](T x) { return math::exp(x); }, [](W x) { return std::exp(x); })
  ATOM_WITHIN(
      1.1, tiny, huge, [](T x) { return math::log(x); }, [](W x) { return std::log(x); }, false)
  ATOM_WITHIN(
      1, T(0.5), T(2), [](T x) { return math::log(x); }, [](W x) { return std::log(x); }, false)
  ATOM_WITHIN(
      2, tiny, deep, [](T x) { return math::expm1(x); }, [](W x) { return std::expm1(x); })
  ATOM_WITHIN(
      3, tiny, huge, [](T x) { return math::tanh(x); }, [](W x) { return std::tanh(x); })
  ATOM_WITHIN(
      2, tiny, huge, [](T x) { return math::erf(x); }, [](W x) { return std::erf(x); })
  ATOM_WITHIN(
      3, tiny, huge, [](T x) { return math::rsqrt(x); }, [](W x) { return 1 / std::sqrt(x); }, false)
  ATOM_WITHIN((single ? 3 : 4), tiny, deep - 1, [](T x) { return math::sigmoid(x); }, sigmoid)
  ATOM_WITHIN((single ? 3 : 4), tiny, deep - 1, [](T x) { return math::silu(x); }, [&](W x) { return x * sigmoid(x); })
  ATOM_WITHIN((single ? 3 : 4), tiny, deep - 1, [](T x) { return math::softplus(x); },
              [](W x) { return std::max(x, W(0)) + std::log1p(std::exp(-std::abs(x))); })
  ATOM_WITHIN(
      5, tiny, T(single ? 13 : 37), [](T x) { return math::cdf(x); }, cdf)
#undef ATOM_WITHIN

  // Absolute errors: where a result crosses 0 or a product of rounded factors grows.
  const double unit = std::numeric_limits<T>::epsilon() / 2;
  double sine = 0, cosine = 0, turns = 0, erf_gelu = 0, tanh_gelu = 0, slopes = 0;
  for (int i = -100000; i <= 100000; ++i) {
    const T x = T(i) * (single ? T(0.0999) : T(99.9)), y = T(i) * T(1.1e-4), turn = T(i) * T(1.01e-5);
    sine = std::max(sine, static_cast<double>(std::abs(math::sin(x) - std::sin(W(x)))) / unit);
    cosine = std::max(cosine, static_cast<double>(std::abs(math::cos(x) - std::cos(W(x)))) / unit);
    turns = std::max(
        turns, static_cast<double>(std::abs(math::cos_turns(turn) - std::cos(2 * std::acos(W(-1)) * W(turn)))) / unit);
    const W wide = y;
    const auto error = [&](T found, W exact) {
      return static_cast<double>(std::abs(found - exact)) / unit / (1 + std::abs(y));
    };
    erf_gelu = std::max(erf_gelu, error(math::gelu_erf(y), wide * cdf(wide)));
    tanh_gelu = std::max(tanh_gelu, error(math::gelu_tanh(y), wide * sigmoid(gelu_inner(wide))));
    const W h = single ? W(1e-5L) : W(1e-6L);
    const auto difference = [&](auto f) { return (f(wide + h) - f(wide - h)) / (2 * h); };
    const double loss = single ? 1 : 1e5;  // of the difference quotient
    slopes = std::max(slopes, error(math::silu_slope(y), difference([&](W v) { return v * sigmoid(v); })) / loss);
    slopes = std::max(slopes, error(math::gelu_erf_slope(y), difference([&](W v) { return v * cdf(v); })) / loss);
    slopes = std::max(
        slopes, error(math::gelu_tanh_slope(y), difference([&](W v) { return v * sigmoid(gelu_inner(v)); })) / loss);
  }
  CHECK(sine <= 2);
  CHECK(cosine <= 2);
  CHECK(turns <= 2);
  CHECK(erf_gelu <= 3);
  CHECK(tanh_gelu <= 3);
  CHECK(slopes <= 8);
}

template <class T> void check_special_values() {
  const T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T edge = sizeof(T) == 4 ? T(-87) : T(-708);
  CHECK(math::exp(T(0)) == 1);
  CHECK(math::exp(-infinity) == 0);
  CHECK(math::exp(edge) > 0);
  CHECK(math::exp(std::nextafter(edge, -infinity)) == 0);
  CHECK(math::exp(infinity) == infinity);
  CHECK(math::exp(sizeof(T) == 4 ? T(88.72284) : T(709.7827128933841)) == infinity);
  CHECK(std::isnan(math::exp(nan)));
  CHECK(math::log(T(1)) == 0);
  CHECK(math::log(T(0)) == -infinity);
  CHECK(math::log(infinity) == infinity);
  CHECK(std::isnan(math::log(T(-1))));
  CHECK(std::isnan(math::log(nan)));
  CHECK(ulps(math::log(std::numeric_limits<T>::denorm_min()),
             std::log((long double)(std::numeric_limits<T>::denorm_min()))) <= 1);
  CHECK(math::tanh(T(0)) == 0);
  CHECK(math::tanh(infinity) == 1);
  CHECK(math::tanh(-infinity) == -1);
  CHECK(std::isnan(math::tanh(nan)));
  CHECK(math::erf(infinity) == 1);
  CHECK(math::erf(-infinity) == -1);
  CHECK(math::sigmoid(infinity) == 1);
  CHECK(math::sigmoid(-infinity) == 0);
  CHECK(math::softplus(infinity) == infinity);
  CHECK(math::softplus(-infinity) == 0);
  CHECK(math::cdf(T(0)) == T(0.5));
  CHECK(math::cos_turns(T(0.25)) == 0);
  CHECK(math::cos_turns(T(1)) == math::cos_turns(T(0)));
}

}  // namespace

TEST_CASE("math: float functions keep their stated bounds", "[math]") { check_functions<float>(); }
#if !defined(__CUDACC__)  // nvcc takes lambdas for a device's too, which has no long double
TEST_CASE("math: double functions keep their stated bounds", "[math]") { check_functions<double>(); }
#endif
TEST_CASE("math: special values", "[math]") {
  check_special_values<float>();
  check_special_values<double>();
}

TEST_CASE("math: a table of rotary angles built in double is exact in float", "[math]") {
  for (double angle = 0; angle < 1e6; angle += 777.77) {
    CHECK(ulps(static_cast<float>(math::cos(angle)), std::cos(static_cast<long double>(angle))) <= 0.5001);
    CHECK(ulps(static_cast<float>(math::sin(angle)), std::sin(static_cast<long double>(angle))) <= 0.5001);
  }
}

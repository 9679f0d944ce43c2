// SPDX-License-Identifier: Apache-2.0
// Every function of Lanes, on every instruction set, against the same thing done lane by lane.
#include <atom/backend/cpu/lanes.hpp>

#include "backend/everywhere.hpp"

#define ATOM_KERNEL_TEXT "backend/lanes_test.inl"
#include <atom/backend/cpu/each_isa.hpp>

using namespace atom;

namespace {

template <class T> void arithmetic(const T* a, const T* b, const T* c, T* out) {
  ATOM_DISPATCH(lanes_arithmetic, a, b, c, out);
}
template <class T> void choices(const T* a, const T* b, T* out) { ATOM_DISPATCH(lanes_choices, a, b, out); }
template <class T> void integers(const T* a, T* out) { ATOM_DISPATCH(lanes_integers, a, out); }
template <class T> void parts(const T* a, T* out, Index count) { ATOM_DISPATCH(lanes_parts, a, out, count); }
template <class T> void reductions(const T* a, T* out) { ATOM_DISPATCH(lanes_reductions, a, out); }
template <class T> void conversions(const T* a, double* wide, float* narrow, std::int32_t* whole) {
  ATOM_DISPATCH(lanes_conversions, a, wide, narrow, whole);
}

template <class F> void on_each_isa(F f) {
  const Isa before = isa();
  for (const Isa wanted : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (wanted > best_isa()) continue;
    INFO(name_of(wanted));
    set_isa(wanted);
    f();
  }
  set_isa(before);
}

template <class T> using Sixteen = std::array<T, 16>;

template <class T> Sixteen<T> sixteen(unsigned seed, double scale = 1) {
  const auto found = test::values<T>(16, seed, scale);
  Sixteen<T> result;
  std::copy(found.begin(), found.end(), result.begin());
  return result;
}

template <class T> bool same(T a, T b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}

}  // namespace

TEMPLATE_TEST_CASE("lanes compute what scalars compute", "", float, double) {
  using T = TestType;
  auto a = sixteen<T>(1), b = sixteen<T>(2), c = sixteen<T>(3);
  a[1] = T(2.5), a[2] = T(-2.5), a[3] = T(-0.25), a[4] = T(-0.0), a[5] = INFINITY, a[6] = NAN, a[7] = T(8388609);
  b[8] = INFINITY;
  on_each_isa([&] {
    std::array<T, 11 * 16> out;
    arithmetic(a.data(), b.data(), c.data(), out.data());
    for (std::size_t i = 0; i < 16; ++i) {
      const T x = a[i], y = b[i], z = c[i];
      const T product = x * y;
      const T expected[] = {x + y,
                            x - y,
                            product,
                            x / y,
                            -x,
                            std::abs(x),
                            std::sqrt(x),
                            std::nearbyint(x),
                            T(-0.0),
                            std::copysign(x, y),
                            isa() == Isa::baseline ? product + z : std::fma(x, y, z)};
      for (std::size_t k = 0; k < std::size(expected); ++k) {
        INFO("lane " << i << ", result " << k << ": " << out[16 * k + i] << " for " << expected[k]);
        REQUIRE(same(out[16 * k + i], expected[k]));
      }
    }
  });
}

TEMPLATE_TEST_CASE("lanes compare and choose", "", float, double, std::int32_t, std::int64_t) {
  using T = TestType;
  auto a = sixteen<T>(4, 9), b = sixteen<T>(5, 9);
  a[3] = b[3];
  on_each_isa([&] {
    std::array<T, 10 * 16> out;
    choices(a.data(), b.data(), out.data());
    for (std::size_t i = 0; i < 16; ++i) {
      const T x = a[i], y = b[i];
      const bool expected[] = {x<y, x <= y, x> y, x >= y, x == y, x != y, x < y && x > 0, x < y || x > 0};
      for (std::size_t k = 0; k < std::size(expected); ++k) REQUIRE(out[16 * k + i] == (expected[k] ? x : y));
      REQUIRE(out[16 * 8 + i] == std::min(x, y));
      REQUIRE(out[16 * 9 + i] == std::max(x, y));
    }
  });
}

TEMPLATE_TEST_CASE("lanes of integers shift and mask", "", std::int32_t, std::int64_t) {
  using T = TestType;
  const auto a = sixteen<T>(6, 1e6);
  on_each_isa([&] {
    std::array<T, 7 * 16> out;
    integers(a.data(), out.data());
    for (std::size_t i = 0; i < 16; ++i) {
      const T x = a[i], expected[] = {x * 3, x & 255, x | 255, x ^ 255, ~x, x * 8, x >> 3};
      for (std::size_t k = 0; k < std::size(expected); ++k) REQUIRE(out[16 * k + i] == expected[k]);
    }
  });
}

TEMPLATE_TEST_CASE("lanes load and store a part and touch nothing else", "", float, double, std::int32_t) {
  using T = TestType;
  const auto a = sixteen<T>(7, 100);
  on_each_isa([&] {
    for (Index count = -1; count <= 17; ++count) {
      // Exactly as many elements as may be touched: the sanitizer sees one too many.
      const auto n = static_cast<std::size_t>(std::clamp<Index>(count, 0, 16));
      const std::vector<T> from(a.begin(), a.begin() + static_cast<Index>(n));
      std::vector<T> out(32 + n, T(77));
      parts(from.data(), out.data(), count);
      for (std::size_t i = 0; i < 16; ++i) REQUIRE(out[i] == (i < n ? a[i] : T(0)));
      for (std::size_t i = 0; i < 16; ++i) REQUIRE(out[16 + i] == (i < n ? T(1) : T(2)));
      for (std::size_t i = 0; i < n; ++i) REQUIRE(out[32 + i] == a[i]);
    }
  });
}

TEMPLATE_TEST_CASE("a reduction of lanes is one tree", "", float, double) {
  using T = TestType;
  const auto a = sixteen<T>(8);
  auto tree = a;
  for (std::size_t step = 8; step > 0; step /= 2)
    for (std::size_t i = 0; i < step; ++i) tree[i] += tree[i + step];
  on_each_isa([&] {
    T out[4];
    reductions(a.data(), out);
    REQUIRE(same(out[0], tree[0]));
    REQUIRE(out[1] == *std::max_element(a.begin(), a.end()));
    REQUIRE(out[2] == a[11]);
    REQUIRE(out[3] == T(1 + 2 * 0 + 4 * 1 + 8 * 0));  // any, all of some; any, all of none
  });
}

TEMPLATE_TEST_CASE("lanes convert", "", float, double) {
  using T = TestType;
  Sixteen<T> a = sixteen<T>(9, 1000);
  a[0] = T(-7), a[1] = T(2.5), a[2] = T(-2.5), a[3] = 0, a[4] = T(99999);
  on_each_isa([&] {
    std::array<double, 32> wide;
    std::array<float, 32> narrow;
    std::array<std::int32_t, 32> whole;
    conversions(a.data(), wide.data(), narrow.data(), whole.data());
    for (std::size_t i = 0; i < 16; ++i) {
      REQUIRE(wide[i] == double(a[i]));
      REQUIRE(narrow[i] == float(a[i]));
      REQUIRE(whole[i] == static_cast<std::int32_t>(a[i]));
      const T rounded = std::nearbyint(a[i]);
      REQUIRE(wide[16 + i] == double(rounded));         // to_int, to_float
      REQUIRE(whole[16 + i] == std::int32_t(rounded));  // to_int
      REQUIRE(narrow[16 + i] == float(a[15 - i]));      // gather
    }
  });
}

TEST_CASE("an instruction set is chosen by name, and only one that the machine has") {
  REQUIRE(to_text(Isa::avx2) == "avx2");
  const Isa before = isa();
  if (best_isa() != Isa::avx512) REQUIRE_THROWS_AS(set_isa(Isa::avx512), Error);
  set_isa(Isa::baseline);
  REQUIRE(isa() == Isa::baseline);
  set_isa(before);
}

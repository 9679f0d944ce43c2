// SPDX-License-Identifier: Apache-2.0
// Element-wise kernels: any strides, places, types; lanes compute the bits of scalars; threads change nothing.
#include <atom/backend/pointwise.hpp>

#include <atom/backend/for_each.hpp>

#include "../catch.hpp"

#include <atom/core/random.hpp>
#include <cstring>
#include <vector>

using namespace atom;

namespace {

struct Copy {
  template <class S> ATOM_HD S operator()(S x) const { return x; }
};
struct Mix {
  template <class S> ATOM_HD S operator()(S a, S b, S c) const { return math::fma(a, b, c - a); }
};
struct Place {
  template <math::Vector S> ATOM_HD S operator()(Elements<S> at) const { return S(at.first) + S::iota(); }
};

#define ATOM_TEST_FUNCTION(name)                                                 \
  struct name##_of {                                                             \
    template <class S> ATOM_HD S operator()(S x) const { return math::name(x); } \
  };
ATOM_TEST_FUNCTION(exp)
ATOM_TEST_FUNCTION(log)
ATOM_TEST_FUNCTION(tanh)
ATOM_TEST_FUNCTION(cos)
ATOM_TEST_FUNCTION(softplus)
ATOM_TEST_FUNCTION(gelu_erf)
ATOM_TEST_FUNCTION(gelu_tanh_slope)
#undef ATOM_TEST_FUNCTION

template <class Base> struct Random {
  RandomKey key;
  template <class S> ATOM_HD S operator()(Elements<S> at) const {
    if constexpr (Base::value)
      return normal(key, at);
    else
      return uniform(key, at);
  }
};

struct Axpy {
  double a;
  const double* x;
  double* y;
  ATOM_HD void operator()(Index i) const { y[i] += a * x[i]; }
};

template <class T> bool same_bits(const T& a, const T& b) { return std::memcmp(&a, &b, sizeof(T)) == 0; }

template <class F> void with_each_isa(F f) {
  const Isa before = isa();
  for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (set > best_isa()) continue;
    set_isa(set);
    f(set);
  }
  set_isa(before);
}

// Values of all sizes, both signs, and the special ones.
template <class T> std::vector<T> samples() {
  const T infinity = std::numeric_limits<T>::infinity();
  std::vector<T> values = {0,
                           -T(0),
                           1,
                           -1,
                           infinity,
                           -infinity,
                           std::numeric_limits<T>::quiet_NaN(),
                           std::numeric_limits<T>::min(),
                           std::numeric_limits<T>::denorm_min(),
                           std::numeric_limits<T>::max()};
  for (T x = T(1e-8); x < T(1e5); x *= T(1.0123)) values.push_back(x), values.push_back(-x);
  return values;
}

template <class T, class F> void check_scalars_agree(const char* name, F f) {
  const std::vector<T> x = samples<T>();
  std::vector<T> y(x.size());
  const Shape shape = {std::ssize(x)};
  pointwise(Cpu{}, contiguous_view(y.data(), shape), f, contiguous_view(x.data(), shape));
  INFO(name);
  int bad = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const T expected = f(x[i]);
    if (!same_bits(y[i], expected) && !(std::isnan(y[i]) && std::isnan(expected))) ++bad;
  }
  CHECK(bad == 0);
}

}  // namespace

TEST_CASE("pointwise: lanes give the bits of scalars", "[pointwise]") {
  with_each_isa([](Isa set) {
    if (set == Isa::baseline) return;  // has no fma
    check_scalars_agree<float>("exp", exp_of{});
    check_scalars_agree<float>("log", log_of{});
    check_scalars_agree<float>("tanh", tanh_of{});
    check_scalars_agree<float>("cos", cos_of{});
    check_scalars_agree<float>("softplus", softplus_of{});
    check_scalars_agree<float>("gelu_erf", gelu_erf_of{});
    check_scalars_agree<float>("gelu_tanh_slope", gelu_tanh_slope_of{});
    check_scalars_agree<double>("log", log_of{});
    check_scalars_agree<double>("tanh", tanh_of{});
    check_scalars_agree<double>("cos", cos_of{});
    check_scalars_agree<double>("gelu_erf", gelu_erf_of{});
  });
}

TEST_CASE("pointwise: any strides, repeated axes, and in place", "[pointwise]") {
  with_each_isa([](Isa) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{17}, Shape{5, 33}, Shape{3, 4, 5}, Shape{2, 1, 40, 3},
                               Shape{0, 4}, Shape{300, 100}}) {
      const Index n = element_count(shape), room = 2 * n + 8;
      std::vector<double> a(static_cast<std::size_t>(room)), b = a, c = a, y = a;
      for (Index i = 0; i < room; ++i) {
        const auto at = static_cast<std::size_t>(i);
        a[at] = double(i % 101), b[at] = double(i % 13) - 6, c[at] = double(i % 7);
      }
      Strides doubled = contiguous_strides(shape), turned = doubled, repeated = doubled;
      for (int axis = 0; axis < shape.rank(); ++axis) doubled[axis] *= 2;
      Index step = 1;
      for (int axis = 0; axis < shape.rank(); ++axis)
        turned[axis] = step, step *= shape[axis];  // the first axis fastest
      if (shape.rank() > 1) repeated[0] = 0;
      const View<const double> va{a.data(), shape, doubled}, vb{b.data(), shape, turned}, vc{c.data(), shape, repeated};
      const auto exact = [&](Index i) {
        Index pa = 0, pb = 0, pc = 0;
        for (int axis = shape.rank() - 1; axis >= 0; i /= shape[axis], --axis) {
          pa += i % shape[axis] * doubled[axis], pb += i % shape[axis] * turned[axis];
          pc += i % shape[axis] * repeated[axis];
        }
        const double x = a[static_cast<std::size_t>(pa)];
        return x * b[static_cast<std::size_t>(pb)] + c[static_cast<std::size_t>(pc)] - x;
      };
      INFO(to_text(shape));
      pointwise(Cpu{}, contiguous_view(y.data(), shape), Mix{}, va, vb, vc);
      int bad = 0;
      for (Index i = 0; i < n; ++i) bad += y[static_cast<std::size_t>(i)] == exact(i) ? 0 : 1;
      CHECK(bad == 0);
      CHECK(y[static_cast<std::size_t>(n)] == 0);  // nothing past the end
      // Into strided memory that is also the first input.
      const auto kept = y;
      pointwise(Cpu{}, View<double>{a.data(), shape, doubled}, Mix{}, va, vb, vc);
      std::fill(y.begin(), y.end(), 0.0);
      pointwise(Cpu{}, contiguous_view(y.data(), shape), Copy{}, va);
      CHECK(y == kept);
    }
  });
}

TEMPLATE_TEST_CASE("pointwise: types without lanes are copied too", "[pointwise]", bfloat16, atom::half, std::int32_t,
                   std::int64_t, std::uint8_t) {
  std::vector<TestType> x(60), y(60);
  for (std::size_t i = 0; i < 60; ++i) {
    x[i] = detail::converted<TestType>(static_cast<float>(i + 1));
  }
  pointwise(Cpu{}, contiguous_view(y.data(), {20, 3}), Copy{}, View<const TestType>{x.data(), {20, 3}, {1, 20}});
  for (std::size_t i = 0; i < 60; ++i) CHECK(same_bits(y[i], x[i % 3 * 20 + i / 3]));
}

TEST_CASE("pointwise: functions of the place", "[pointwise]") {
  with_each_isa([](Isa) {
    for (const Shape& shape : {Shape{100}, Shape{40000}, Shape{9, 35}}) {
      const Index n = element_count(shape);
      std::vector<double> y(static_cast<std::size_t>(2 * n));
      Strides doubled = contiguous_strides(shape);
      for (int axis = 0; axis < shape.rank(); ++axis) doubled[axis] *= 2;
      pointwise_indexed(Cpu{}, View<double>{y.data(), shape, doubled}, Place{});
      int bad = 0;
      for (Index i = 0; i < n; ++i) bad += y[static_cast<std::size_t>(2 * i)] == double(i) ? 0 : 1;
      CHECK(bad == 0);
    }
  });
}

TEMPLATE_TEST_CASE("pointwise: random fills are the scalar functions", "[pointwise]", float, double) {
  const RandomKey key = Rng(9).key("fill");
  std::vector<TestType> u(1003), z(1003);
  with_each_isa([&](Isa set) {
    pointwise_indexed(Cpu{}, contiguous_view(u.data(), {17, 59}), Random<std::false_type>{key});
    pointwise_indexed(Cpu{}, contiguous_view(z.data(), {1003}), Random<std::true_type>{key});
    for (std::size_t i = 0; i < u.size(); ++i) {
      REQUIRE(u[i] == TestType(uniform(key, static_cast<Index>(i))));
      if (set != Isa::baseline) REQUIRE(same_bits(z[i], normal<TestType>(key, static_cast<Index>(i))));
    }
  });
}

TEST_CASE("pointwise: threads change nothing", "[pointwise]") {
  std::vector<float> x(100001), first;
  pointwise_indexed(Cpu{}, contiguous_view(x.data(), {100001}), Random<std::true_type>{{1, 2}});
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<float> y(x.size());
    pointwise(Cpu{&pool}, contiguous_view(y.data(), {100001}), tanh_of{},
              contiguous_view<const float>(x.data(), {100001}));
    if (first.empty()) first = y;
    CHECK(y == first);
  }
}

TEST_CASE("convert: values, rounding and strides", "[convert]") {
  const std::vector<float> x = {0.0F, -1.5F, 3.14159265F, 65504.0F, 1e-7F, -2.75F, 1e30F, 0.333333F, 7.0F,
                                8.0F, 9.9F,  10.0F,       11.0F,    12.0F, 13.0F,  14.0F, 15.0F,     16.5F};
  const Shape shape = {18};
  with_each_isa([&](Isa) {
    std::vector<bfloat16> brief(18);
    std::vector<atom::half> halves(18);
    std::vector<double> wide(18);
    std::vector<float> back(18);
    const auto from = contiguous_view(x.data(), shape);
    convert(Cpu{}, contiguous_view(brief.data(), shape), from);
    convert(Cpu{}, contiguous_view(halves.data(), shape), from);
    convert(Cpu{}, contiguous_view(wide.data(), shape), from);
    for (std::size_t i = 0; i < 18; ++i) {
      CHECK(brief[i] == bfloat16(x[i]));
      CHECK(halves[i] == atom::half(x[i]));
      CHECK(wide[i] == double(x[i]));
    }
    convert(Cpu{}, contiguous_view(back.data(), shape), contiguous_view<const bfloat16>(brief.data(), shape));
    for (std::size_t i = 0; i < 18; ++i) CHECK(back[i] == float(brief[i]));
    std::vector<std::int32_t> whole(9, -1);
    const View<const float> some{x.data(), {2, 3}, {9, 2}};  // elements 0 2 4, 9 11 13
    convert(Cpu{}, contiguous_view(whole.data(), {2, 3}), some);
    CHECK(whole == std::vector<std::int32_t>{0, 3, 0, 8, 10, 12, -1, -1, -1});
    std::vector<std::int64_t> longer(9);
    convert(Cpu{}, contiguous_view(longer.data(), {9}), contiguous_view<const std::int32_t>(whole.data(), {9}));
    CHECK(longer == std::vector<std::int64_t>(whole.begin(), whole.end()));
    convert(Cpu{}, contiguous_view(brief.data(), {9}), contiguous_view<const std::int64_t>(longer.data(), {9}));
    CHECK(float(brief[4]) == 10.0F);
  });
}

TEST_CASE("for_each: every index once", "[for_each]") {
  std::vector<double> x(10001), y(10001, 1.0);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = double(i);
  for_each(Cpu{}, 10001, Axpy{2, x.data(), y.data()});
  for_each(Cpu{}, 0, Axpy{2, x.data(), y.data()});
  int bad = 0;
  for (std::size_t i = 0; i < x.size(); ++i) bad += y[i] == 1 + 2 * double(i) ? 0 : 1;
  CHECK(bad == 0);
}

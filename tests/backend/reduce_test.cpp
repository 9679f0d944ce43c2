// SPDX-License-Identifier: Apache-2.0
// Reductions against plain loops in long double, and the same bits with any number of threads and instruction set.
#include <atom/backend/reduce.hpp>

#include "../catch.hpp"

#include <atom/core/random.hpp>
#include <cmath>
#include <vector>

using namespace atom;

namespace {

template <class T> std::vector<T> numbers(Index n, std::uint64_t stream) {
  std::vector<T> values(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = T(uniform({3, stream}, i)) - T(0.4);
  return values;
}

struct Case {
  Index outer, n, inner;
};
const Case cases[] = {{1, 1, 1},   {3, 7, 1},     {5, 16, 1},   {2, 1000, 1}, {1, 70000, 1}, {1, 200003, 1},
                      {1, 3, 5},   {2, 33, 16},   {1, 100, 77}, {3, 1025, 3}, {1, 5000, 65}, {1, 3, 2100},
                      {700, 4, 1}, {40000, 1, 1}, {2, 0, 3},    {1, 40, 131}};

template <class T, class F> void with_every_setting(F f) {
  const Isa before = isa();
  std::vector<T> first;
  for (const Isa set : {Isa::avx2, Isa::avx512}) {
    if (set > best_isa()) continue;
    set_isa(set);
    for (const int threads : {1, 2, 5}) {
      ThreadPool pool(threads);
      const std::vector<T> result = f(Cpu{&pool});
      if (first.empty()) first = result;
      CHECK(std::equal(first.begin(), first.end(), result.begin(), result.end()));
    }
  }
  set_isa(before);
}

}  // namespace

TEMPLATE_TEST_CASE("reduce: sums, squares and maxima are those of plain loops", "[reduce]", float, double) {
  using T = TestType;
  const double tolerance = std::is_same_v<T, float> ? 2e-6 : 2e-15;
  for (const auto [outer, n, inner] : cases) {
    INFO(outer << " " << n << " " << inner);
    const auto x = numbers<T>(outer * n * inner, 1);
    std::vector<T> total(static_cast<std::size_t>(outer * inner), T(-1)), squares = total, most = total;
    auto added = numbers<T>(outer * inner, 2);
    const auto start = added;
    std::vector<std::int32_t> where(total.size(), -1);
    reduce_sum(Cpu{}, outer, n, inner, x.data(), total.data());
    reduce_sum(Cpu{}, outer, n, inner, x.data(), added.data(), true);
    reduce_squares(Cpu{}, outer, n, inner, x.data(), squares.data());
    reduce_max(Cpu{}, outer, n, inner, x.data(), most.data());
    if (n > 0) argmax(Cpu{}, outer, n, inner, x.data(), where.data());
    int bad = 0;
    for (Index o = 0; o < outer; ++o)
      for (Index i = 0; i < inner; ++i) {
        long double sum = 0, square = 0, size = 1e-30L;
        T top = -std::numeric_limits<T>::infinity();
        Index place = -1;
        for (Index k = 0; k < n; ++k) {
          const T value = x[static_cast<std::size_t>((o * n + k) * inner + i)];
          sum += value, square += static_cast<long double>(value) * value, size += std::abs(value);
          if (value > top) top = value, place = k;
        }
        const auto at = static_cast<std::size_t>(o * inner + i);
        if (std::abs(total[at] - sum) > tolerance * size || std::abs(squares[at] - square) > tolerance * size) ++bad;
        if (std::abs(added[at] - sum - start[at]) > tolerance * (size + 1)) ++bad;
        if (most[at] != top || where[at] != place) ++bad;
      }
    CHECK(bad == 0);
  }
}

TEST_CASE("reduce: the first of equal maxima wins, also late in a long row", "[reduce]") {
  std::vector<float> x(5000, 1.0F);
  std::int32_t where = -1;
  argmax(Cpu{}, 1, 5000, 1, x.data(), &where);
  CHECK(where == 0);
  x[4444] = x[4999] = 2;
  argmax(Cpu{}, 1, 5000, 1, x.data(), &where);
  CHECK(where == 4444);
  std::fill(x.begin(), x.end(), -std::numeric_limits<float>::infinity());
  argmax(Cpu{}, 1, 5000, 1, x.data(), &where);
  CHECK(where == 0);
}

TEST_CASE("reduce: threads and instruction sets do not change a bit", "[reduce]") {
  if (best_isa() == Isa::baseline) return;
  for (const auto [outer, n, inner] : {Case{1, 300000, 1}, Case{3, 2500, 130}, Case{64, 1000, 1}}) {
    const auto x = numbers<float>(outer * n * inner, 4);
    with_every_setting<float>([&, o = outer, count = n, i = inner](Cpu device) {
      std::vector<float> y(static_cast<std::size_t>(2 * o * i));
      reduce_sum(device, o, count, i, x.data(), y.data());
      reduce_squares(device, o, count, i, x.data(), y.data() + o * i);
      return y;
    });
  }
}

TEST_CASE("reduce: a row's sum does not depend on the rows beside it", "[reduce]") {
  const auto x = numbers<float>(64 * 1000, 5);
  std::vector<float> all(64);
  reduce_sum(Cpu{}, 64, 1000, 1, x.data(), all.data());
  for (Index row = 0; row < 64; ++row) {
    float alone = 0;
    reduce_sum(Cpu{}, 1, 1000, 1, x.data() + row * 1000, &alone);
    CHECK(alone == all[static_cast<std::size_t>(row)]);
  }
}

TEST_CASE("reduce: the gradient of a broadcast", "[reduce]") {
  const Shape full = {2, 3, 4, 5};
  const auto x = numbers<double>(120, 6);
  for (const Shape& small : {Shape{2, 3, 4, 5}, Shape{5}, Shape{4, 5}, Shape{4, 1}, Shape{2, 1, 4, 1},
                             Shape{1, 3, 1, 5}, Shape{}, Shape{1, 1, 1, 1}, Shape{2, 3, 4, 1}, Shape{3, 1, 1}}) {
    INFO(to_text(small));
    std::vector<double> y(static_cast<std::size_t>(element_count(small)), -1), expected(y.size(), 0.0);
    reduce_to(Cpu{}, contiguous_view(y.data(), small), contiguous_view(x.data(), full));
    const Strides strides = broadcast_strides(small, contiguous_strides(small), full);
    for (Index i = 0; i < 120; ++i) {
      Index rest = i, place = 0;
      for (int axis = 3; axis >= 0; --axis) {
        place += rest % full[axis] * strides[axis];
        rest /= full[axis];
      }
      expected[static_cast<std::size_t>(place)] += x[static_cast<std::size_t>(i)];
    }
    for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == Approx(expected[i]).epsilon(1e-13));
  }
}

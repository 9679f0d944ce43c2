// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/grouped_gemm.hpp>

#include "backend/everywhere.hpp"
#include "grid.hpp"

using namespace atom;
using test::values;

namespace {

std::vector<std::int32_t> offsets_of(const std::vector<std::int32_t>& sizes) {
  std::vector<std::int32_t> offsets = {0};
  for (const auto size : sizes) offsets.push_back(offsets.back() + size);
  return offsets;
}

template <class T> struct Problem {
  std::vector<std::int32_t> offsets;
  Index out, in;
  Index rows = offsets.back(), groups = static_cast<Index>(offsets.size()) - 1;
  std::vector<T> x = values<T>(rows * in, 1), weight = values<T>(groups * out * in, 2),
                 bias = values<T>(groups * out, 3);
  std::vector<T> dy = values<T>(rows * out, 4), old_x = values<T>(rows * in, 5);
  std::vector<T> old_weight = values<T>(groups * out * in, 6), old_bias = values<T>(groups * out, 7);

  GroupedRows shape() const { return {rows, groups, out, in, offsets.data()}; }
  // What one call writes over `old`, in double: f(group, row) for each row of each group.
  template <class F> std::vector<double> expected(const std::vector<T>& old, F f) const {
    std::vector<double> result(old.begin(), old.end());
    for (Index g = 0; g < groups; ++g)
      for (Index r = offsets[static_cast<std::size_t>(g)]; r < offsets[static_cast<std::size_t>(g) + 1]; ++r)
        f(result, g, r);
    return result;
  }
};

double at(const auto& all, Index i) { return static_cast<double>(all[static_cast<std::size_t>(i)]); }
double& at(std::vector<double>& all, Index i) { return all[static_cast<std::size_t>(i)]; }

template <class T, class Device> struct Results {
  const Problem<T>& p;
  Device device;
  bool accumulate;

  std::vector<T> forward(bool with_bias) const {
    std::vector<T> y(p.dy.size());
    grouped_gemm(device, p.shape(), p.x.data(), p.weight.data(), with_bias ? p.bias.data() : nullptr, y.data());
    return y;
  }
  std::vector<T> input() const {
    auto dx = p.old_x;
    grouped_gemm_input(device, p.shape(), p.dy.data(), p.weight.data(), dx.data(), accumulate);
    return dx;
  }
  std::vector<T> weight() const {
    auto dweight = p.old_weight;
    grouped_gemm_weight(device, p.shape(), p.dy.data(), p.x.data(), dweight.data(), accumulate);
    return dweight;
  }
  std::vector<T> bias() const {
    auto dbias = p.old_bias;
    grouped_sum_rows(device, p.shape(), p.dy.data(), dbias.data(), accumulate);
    return dbias;
  }
};

template <class T> struct Expected {
  std::vector<double> forward, with_bias, input, weight, bias;

  Expected(const Problem<T>& p, bool accumulate) {
    const Index out = p.out, in = p.in;
    const auto kept = [&](std::vector<T> old) {
      if (!accumulate) std::fill(old.begin(), old.end(), T(0));
      return old;
    };
    for (const bool biased : {false, true})
      (biased ? with_bias : forward) = p.expected(std::vector<T>(p.dy.size()), [&](auto& y, Index g, Index r) {
        for (Index o = 0; o < out; ++o) {
          double sum = biased ? at(p.bias, g * out + o) : 0;
          for (Index i = 0; i < in; ++i) sum += at(p.x, r * in + i) * at(p.weight, (g * out + o) * in + i);
          at(y, r * out + o) = sum;
        }
      });
    input = p.expected(kept(p.old_x), [&](auto& dx, Index g, Index r) {
      for (Index i = 0; i < in; ++i)
        for (Index o = 0; o < out; ++o)
          at(dx, r * in + i) += at(p.dy, r * out + o) * at(p.weight, (g * out + o) * in + i);
    });
    weight = p.expected(kept(p.old_weight), [&](auto& dweight, Index g, Index r) {
      for (Index o = 0; o < out; ++o)
        for (Index i = 0; i < in; ++i)
          at(dweight, (g * out + o) * in + i) += at(p.dy, r * out + o) * at(p.x, r * in + i);
    });
    bias = p.expected(kept(p.old_bias), [&](auto& dbias, Index g, Index r) {
      for (Index o = 0; o < out; ++o) at(dbias, g * out + o) += at(p.dy, r * out + o);
    });
  }
};

template <class T> std::vector<Problem<T>> problems() {
  std::vector<Problem<T>> all;
  all.push_back({offsets_of({1}), 1, 1});
  all.push_back({offsets_of({0, 5, 0, 17, 1}), 50, 33});
  all.push_back({offsets_of({0, 0, 70}), 49, 300});  // all in one; several blocks of k
  all.push_back({offsets_of({0, 0}), 5, 7});
  all.push_back({offsets_of({530, 3, 2, 4, 9}), 20, 16});  // several tiles of rows
  std::vector<std::int32_t> many;
  for (int i = 0; i < 512; ++i) many.push_back(i % 7 == 0 ? 3 : i % 3 == 0 ? 1 : 0);
  all.push_back({offsets_of(many), 6, 18});
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("grouped products agree with their definition, on any threads and instruction set", "", float,
                   double) {
  using T = TestType;
  const double bar = sizeof(T) == 4 ? 2e-5 : 1e-13;
  for (const Problem<T>& p : problems<T>())
    for (const bool accumulate : {false, true}) {
      INFO(p.groups << " groups, " << p.rows << " rows" << (accumulate ? ", accumulating" : ""));
      const Expected<T> expected(p, accumulate);
      const auto compare = [&](const char* name, auto run, const std::vector<double>& with) {
        INFO(name);
        test::everywhere(
            [&](Cpu cpu) {
              return run(Results<T, Cpu>{p, cpu, accumulate});
            },
            [&](const auto& found) { REQUIRE(test::difference(found, with) < bar); });
        REQUIRE(test::difference(run(Results<T, test::Grid>{p, {}, accumulate}), with) < bar);
      };
      compare(
          "forward", [](const auto& r) { return r.forward(false); }, expected.forward);
      compare(
          "with bias", [](const auto& r) { return r.forward(true); }, expected.with_bias);
      compare(
          "input", [](const auto& r) { return r.input(); }, expected.input);
      compare(
          "weight", [](const auto& r) { return r.weight(); }, expected.weight);
      compare(
          "bias", [](const auto& r) { return r.bias(); }, expected.bias);
    }
}

TEMPLATE_TEST_CASE("a grouped product has the bits of the products of its groups, whatever the rows", "", float,
                   double) {
  using T = TestType;
  for (const Problem<T>& p : problems<T>()) {
    const auto part = [](const std::vector<T>& all, Index from, Index count) {
      return std::vector<T>(all.begin() + from, all.begin() + from + count);
    };
    const Results<T, Cpu> found{p, {}, true};
    const auto y = found.forward(true), dx = found.input(), dweight = found.weight();
    const Index out = p.out, in = p.in;
    for (Index g = 0; g < p.groups; ++g) {
      const Index begin = p.offsets[static_cast<std::size_t>(g)];
      const Index rows = p.offsets[static_cast<std::size_t>(g) + 1] - begin;
      const T *x = p.x.data() + begin * in, *dy = p.dy.data() + begin * out, *w = p.weight.data() + g * out * in;
      for (const Index some : {Index(1), rows}) {  // a row alone, and all
        if (some > rows) continue;
        std::vector<T> alone(static_cast<std::size_t>(some * out));
        gemm(Cpu{}, {some, out, in}, GemmInput<T>{x, in}, {w, in, 0, true}, GemmOutput<T>{alone.data(), out}, false,
             {.bias = p.bias.data() + g * out});
        REQUIRE(test::same_bits(alone, part(y, begin * out, some * out)));
        alone = part(p.old_x, begin * in, some * in);
        gemm(Cpu{}, {some, in, out}, GemmInput<T>{dy, out}, {w, in}, GemmOutput<T>{alone.data(), in}, true);
        REQUIRE(test::same_bits(alone, part(dx, begin * in, some * in)));
      }
      auto alone = part(p.old_weight, g * out * in, out * in);
      gemm(Cpu{}, {out, in, rows}, GemmInput<T>{dy, out, 0, true}, {x, in}, GemmOutput<T>{alone.data(), in}, true);
      REQUIRE(test::same_bits(alone, part(dweight, g * out * in, out * in)));
    }
  }
}

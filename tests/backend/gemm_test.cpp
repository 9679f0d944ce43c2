// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/gemm.hpp>

#include "backend/everywhere.hpp"

using namespace atom;
using test::values;

namespace {

struct Case {
  Index m, n, k;
  bool a_transposed, b_transposed;
  Index batch = 1, padding = 0;  // elements between rows
  bool shared_b = false;         // by all products of the batch
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const Index shapes[][3] = {{1, 1, 1},    {0, 5, 3},    {5, 0, 3},    {5, 7, 0},   {1, 65, 33},
                             {2, 48, 16},  {3, 47, 5},   {7, 100, 31}, {8, 17, 64}, {33, 49, 9},
                             {64, 64, 64}, {5, 40, 600}, {70, 1, 300}};
  for (const auto& [m, n, k] : shapes)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) all.push_back({m, n, k, ta, tb, 1, m % 3});
  all.push_back({520, 97, 20, false, true});   // several tiles of rows, a ragged one
  all.push_back({270, 450, 10, true, false});  // a packed block ends within a tile
  all.push_back({12, 24, 20, false, false, 6, 1});
  all.push_back({12, 24, 20, true, true, 6, 1, true});
  return all;
}

template <class T> struct Problem {
  Case c;
  GemmShape shape{c.m, c.n, c.k, c.batch};
  Index a_ld = (c.a_transposed ? c.m : c.k) + c.padding, b_ld = (c.b_transposed ? c.k : c.n) + c.padding,
        c_ld = c.n + c.padding;
  Index a_size = (c.a_transposed ? c.k : c.m) * a_ld, b_size = (c.b_transposed ? c.n : c.k) * b_ld;
  std::vector<T> a = values<T>(c.batch * a_size, 1), b = values<T>((c.shared_b ? 1 : c.batch) * b_size, 2);
  std::vector<T> old = values<T>(c.batch * c.m * c_ld, 3), residual = values<T>(c.batch * c.m * c_ld, 4);
  std::vector<T> bias = values<T>(c.n, 5);

  GemmInput<T> a_input() const { return {a.data(), a_ld, a_size, c.a_transposed}; }
  GemmInput<T> b_input() const { return {b.data(), b_ld, c.shared_b ? 0 : b_size, c.b_transposed}; }
  GemmOutput<T> output(std::vector<T>& to) const { return {to.data(), c_ld, c.m * c_ld}; }

  double product(Index batch, Index i, Index j) const {
    double sum = 0;
    for (Index p = 0; p < c.k; ++p) {
      const Index at_a = batch * a_size + (c.a_transposed ? p * a_ld + i : i * a_ld + p);
      const Index at_b = (c.shared_b ? 0 : batch * b_size) + (c.b_transposed ? j * b_ld + p : p * b_ld + j);
      sum += double(a[static_cast<std::size_t>(at_a)]) * double(b[static_cast<std::size_t>(at_b)]);
    }
    return sum;
  }

  // The elements of C by the definition `f(batch, i, j, place)`; what lies between the rows as it was.
  template <class F> std::vector<double> expected(F f) const {
    std::vector<double> result(old.begin(), old.end());
    for (Index z = 0; z < c.batch; ++z)
      for (Index i = 0; i < c.m; ++i)
        for (Index j = 0; j < c.n; ++j) {
          const auto place = static_cast<std::size_t>((z * c.m + i) * c_ld + j);
          result[place] = f(z, i, j, place);
        }
    return result;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a product agrees with its definition, on any threads and instruction set", "", float, double) {
  using T = TestType;
  for (const Case& c : cases()) {
    INFO(c.m << " x " << c.n << " x " << c.k << (c.a_transposed ? " T" : " N") << (c.b_transposed ? "T" : "N"));
    const Problem<T> p{c};
    const double bar = sizeof(T) == 4 ? 2e-5 : 1e-13;
    for (const bool accumulate : {false, true}) {
      const auto run = [&](Cpu cpu) {
        auto out = p.old;
        gemm(cpu, p.shape, p.a_input(), p.b_input(), p.output(out), accumulate);
        return out;
      };
      const auto expected = p.expected([&](Index z, Index i, Index j, std::size_t at) {
        return p.product(z, i, j) + (accumulate ? double(p.old[at]) : 0);
      });
      test::everywhere(run, [&](const auto& found) { REQUIRE(test::difference(found, expected) < bar); });
    }
  }
}

TEMPLATE_TEST_CASE("small integers multiply exactly", "", float, double) {
  using T = TestType;
  const Index m = 37, n = 101, k = 700;
  Problem<T> p{{m, n, k, false, true}};
  const auto round = [](std::vector<T>& all) {
    for (T& x : all) x = std::round(2 * x);
  };
  round(p.a), round(p.b);
  test::everywhere(
      [&](Cpu cpu) {
        auto out = p.old;
        gemm(cpu, p.shape, p.a_input(), p.b_input(), p.output(out));
        return out;
      },
      [&](const auto& found) {
        REQUIRE(test::difference(found, p.expected([&](Index z, Index i, Index j, std::size_t) {
                  return p.product(z, i, j);
                })) == 0);
      });
}

TEMPLATE_TEST_CASE("the epilogue adds a bias, activates and adds a residual", "", float, double) {
  using T = TestType;
  const auto activate = [](Activation activation, double x) {
    switch (activation) {
      case Activation::relu: return std::max(x, 0.0);
      case Activation::gelu_erf: return x * std::erfc(-x / std::sqrt(2.0)) / 2;
      case Activation::gelu_tanh: return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
      case Activation::silu: return x / (1 + std::exp(-x));
      case Activation::none: break;
    }
    return x;
  };
  const double bar = sizeof(T) == 4 ? 1e-5 : 1e-13;
  for (const Case& c : {Case{9, 70, 300, false, true, 2, 3}, Case{5, 96, 8, false, false}}) {
    const Problem<T> p{c};
    using enum Activation;
    for (const Activation activation : {none, relu, gelu_erf, gelu_tanh, silu})
      for (const bool accumulate : {false, true})
        for (const bool in_place : {false, true}) {  // the residual may be C itself
          INFO(name_of(activation) << (accumulate ? ", accumulating" : "") << (in_place ? ", in place" : ""));
          std::vector<T> pre;
          const auto run = [&](Cpu cpu) {
            auto out = p.old;
            pre = p.old;
            const T* residual = in_place ? out.data() : p.residual.data();
            gemm(cpu, p.shape, p.a_input(), p.b_input(), p.output(out), accumulate,
                 {.bias = p.bias.data(),
                  .pre = p.output(pre),
                  .activation = activation,
                  .residual = {residual, p.c_ld, c.m * p.c_ld}});
            return out;
          };
          const auto before = p.expected([&](Index z, Index i, Index j, std::size_t at) {
            return p.product(z, i, j) + (accumulate ? double(p.old[at]) : 0) +
                   double(p.bias[static_cast<std::size_t>(j)]);
          });
          const auto after = p.expected([&](Index, Index, Index, std::size_t at) {
            return activate(activation, before[at]) + double(in_place ? p.old[at] : p.residual[at]);
          });
          test::everywhere(run, [&](const auto& found) {
            REQUIRE(test::difference(found, after) < bar);
            REQUIRE(test::difference(pre, before) < bar);
          });
        }
  }
}

TEMPLATE_TEST_CASE("an element's bits depend on its row and column alone", "", float, double) {
  using T = TestType;
  for (const bool transposed : {false, true}) {
    const Problem<T> p{{270, 130, 530, false, transposed}};
    test::everywhere(
        [&](Cpu cpu) {
          auto out = p.old;
          gemm(cpu, p.shape, p.a_input(), p.b_input(), p.output(out));
          return out;
        },
        [&](const std::vector<T>& whole) {
          for (const auto& [row, rows, column, columns] :
               {std::array<Index, 4>{0, 1, 0, 130}, {269, 1, 0, 130}, {13, 5, 7, 60}, {100, 170, 129, 1}}) {
            std::vector<T> part(static_cast<std::size_t>(rows * columns));
            gemm(Cpu{}, {rows, columns, p.c.k}, GemmInput<T>{p.a.data() + row * p.a_ld, p.a_ld},
                 {p.b.data() + column * (transposed ? p.b_ld : 1), p.b_ld, 0, transposed},
                 GemmOutput<T>{part.data(), columns});
            for (Index i = 0; i < rows; ++i)
              REQUIRE(std::memcmp(part.data() + i * columns, whole.data() + (row + i) * p.c_ld + column,
                                  static_cast<std::size_t>(columns) * sizeof(T)) == 0);
          }
        });
  }
}

TEST_CASE("each element is a sum of blocks of k, each one chain of fma begun at 0") {
  if (best_isa() == Isa::baseline) return;
  const Case some[] = {{11, 50, 777, true, true}, {11, 50, 512, false, true}, {2, 50, 777, false, true},
                       {3, 50, 517, false, true}, {1, 32, 512, false, true},  {4, 50, 256, false, true}};
  for (const Case& c : some) {
    const Problem<float> p{c};
    auto out = p.old;
    gemm(Cpu{}, p.shape, p.a_input(), p.b_input(), p.output(out), true);
    for (Index i = 0; i < c.m; ++i)
      for (Index j = 0; j < c.n; ++j) {
        float sum = 0;
        for (Index first = 0; first < c.k; first += gemm_block) {
          float block = 0;
          for (Index k = first; k < std::min(first + gemm_block, c.k); ++k) {
            const Index at_a = c.a_transposed ? k * p.a_ld + i : i * p.a_ld + k;
            block = std::fma(p.a[static_cast<std::size_t>(at_a)], p.b[static_cast<std::size_t>(j * p.b_ld + k)], block);
          }
          sum += block;
        }
        const auto at = static_cast<std::size_t>(i * p.c_ld + j);
        REQUIRE(out[at] == p.old[at] + sum);
      }
  }
}

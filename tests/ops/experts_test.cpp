// SPDX-License-Identifier: Apache-2.0
// The operations of mixtures of experts: choice and order by hand, and a whole layer against its plain text.
#include <atom/ops/experts_plain.hpp>

#include "backend/everywhere.hpp"
#include "grid.hpp"
#include "ops/op_cases.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/ops/top_k.hpp>
#include <numeric>

using namespace test;
using Catch::Contains;

namespace {

using Ids = Tensor<TokenId, Cpu>;
using Numbers = std::vector<std::int32_t>;

template <class T> Tensor<T, Cpu> random(const Shape& shape, unsigned seed, Cpu cpu = {}) {
  return Tensor<T, Cpu>::from(values<T>(element_count(shape), seed), shape, cpu);
}
Numbers numbers(const Buffer<std::int32_t, Cpu>& buffer) { return constant(buffer).to_vector(); }

// ids (n, k), different in each row. With one_only all rows go to expert 1 and those after it.
Numbers chosen(Index n, Index k, Index experts, bool one_only) {
  Numbers ids;
  for (Index r = 0; r < n; ++r)
    for (Index j = 0; j < k; ++j)
      ids.push_back(static_cast<TokenId>((1 + (one_only ? 0 : r * r * 3 + r) + (k - 1 - j)) % experts));
  return ids;
}

template <class T> struct Layer {
  Index n, k, experts, channels = 5, width = 7;
  bool biased = true, scale_input = false;
  Tensor<T, Cpu> x, weights;
  ops::PlainExperts<T, Cpu> parts;

  Layer(Index rows, Index active, Index count, bool with_bias, bool scaled, Cpu cpu = {}, Index c = 5, Index f = 7)
      : n(rows), k(active), experts(count), channels(c), width(f), biased(with_bias), scale_input(scaled) {
    x = random<T>({n, c}, 1, cpu);
    weights = random<T>({n, k}, 2, cpu);
    parts = {random<T>({experts, f, c}, 3, cpu),
             random<T>({experts, f, c}, 4, cpu),
             random<T>({experts, c, f}, 5, cpu),
             {},
             {},
             {}};
    if (biased) {
      parts.gate_bias = random<T>({experts, f}, 6, cpu);
      parts.up_bias = random<T>({experts, f}, 7, cpu);
      parts.down_bias = random<T>({experts, c}, 8, cpu);
    }
    for (auto* leaf : leaves()) leaf->require_grad();
  }
  std::vector<Tensor<T, Cpu>*> leaves() {
    std::vector<Tensor<T, Cpu>*> all = {&x, &weights, &parts.gate, &parts.up, &parts.down};
    if (biased) all.insert(all.end(), {&parts.gate_bias, &parts.up_bias, &parts.down_bias});
    return all;
  }
  Tensor<T, Cpu> grouped(const Ids& ids) const {
    const auto order = ops::expert_order(ids, experts);
    const auto in = scale_input ? ops::dispatch_scaled(x, weights, order) : ops::dispatch(x, order);
    const auto gate = ops::grouped_linear(in, parts.gate, parts.gate_bias, order);
    const auto up = ops::grouped_linear(in, parts.up, parts.up_bias, order);
    const auto out = ops::grouped_linear(ops::swiglu(gate, up), parts.down, parts.down_bias, order);
    return scale_input ? ops::combine(out, {}, order) : ops::combine(out, weights, order);
  }
  Tensor<T, Cpu> plain(const Ids& ids) const {
    return ops::experts_plain(x, ids, weights, parts, Activation::silu, scale_input);
  }
  // Result and gradients, one after another.
  std::vector<std::vector<T>> outcome(const Tensor<T, Cpu>& y) {
    backward(y, random<T>(y.shape(), 9));
    std::vector<std::vector<T>> all = {y.to_vector()};
    for (auto* leaf : leaves()) {
      all.push_back(leaf->grad().to_vector());
      leaf->clear_grad();
    }
    return all;
  }
};

}  // namespace

TEST_CASE("top_k chooses the largest of each row, of equals the first") {
  const auto x = Tensor<float>::from({1, 3, 2, 3, -1,  //
                                      0, 0, 0, 0, 0,   //
                                      NAN, 1, -INFINITY, NAN, INFINITY},
                                     {3, 5});
  CHECK(ops::top_k(x, 1).to_vector() == Numbers{1, 0, 4});
  CHECK(ops::top_k(x, 3).to_vector() == Numbers{1, 3, 2, 0, 1, 2, 4, 1, 2});
  CHECK(ops::top_k(x, 5).to_vector() == Numbers{1, 3, 2, 0, 4, 0, 1, 2, 3, 4, 4, 1, 2, 0, 3});
  CHECK(ops::top_k(ops::transpose(x), 2).to_vector() == Numbers{0, 1, 0, 2, 0, 1, 0, 1, 2, 1});
  CHECK(ops::top_k(Tensor<float>::zeros({0, 4}), 2).shape() == Shape{0, 2});

  // Against a stable sort.
  const Index n = 50, e = 37, k = 8;
  auto some = values<double>(n * e, 3);
  for (auto& value : some) value = std::round(3 * value);  // with many equals
  const auto found = ops::top_k(Tensor<double>::from(some, {n, e}), k).to_vector();
  for (Index r = 0; r < n; ++r) {
    Numbers order(static_cast<std::size_t>(e));
    std::iota(order.begin(), order.end(), 0);
    const double* const row = some.data() + r * e;
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return row[a] > row[b]; });
    order.resize(static_cast<std::size_t>(k));
    REQUIRE(Numbers(found.begin() + r * k, found.begin() + (r + 1) * k) == order);
  }
}

TEST_CASE("top_k with groups chooses from those with the largest sums of two") {
  const auto x = Tensor<float>::from({9, 0, 0, 5, 5, 0, 4, 4, 4,  // sums 9, 10, 8
                                      1, 1, 1, 1, 1, 1, 1, 1, 1},
                                     {2, 9});
  CHECK(ops::top_k(x, 2, {.groups = 3, .top_groups = 1}).to_vector() == Numbers{3, 4, 0, 1});
  CHECK(ops::top_k(x, 4, {.groups = 3, .top_groups = 2}).to_vector() == Numbers{0, 3, 4, 1, 0, 1, 2, 3});
  CHECK(ops::top_k(x, 3, {.groups = 3, .top_groups = 3}).to_vector() == ops::top_k(x, 3).to_vector());
  CHECK(ops::top_k(x, 2, {.groups = 9, .top_groups = 2}).to_vector() == Numbers{0, 3, 0, 1});
  CHECK(ops::top_k(Tensor<float>::from({-1, -2, -3, -1}, {1, 4}), 1, {.groups = 2}).to_vector() == Numbers{0});
}

TEST_CASE("top_k says what is wrong") {
  const auto x = Tensor<float>::zeros({2, 6});
  CHECK_THROWS_WITH(ops::top_k(x, 0), "[top_k] k out of range: found 0, expected 1..6");
  CHECK_THROWS_WITH(ops::top_k(x, 7), "[top_k] k out of range: found 7, expected 1..6");
  CHECK_THROWS_WITH(ops::top_k(x, 5, {.groups = 3, .top_groups = 2}), "[top_k] k out of range: found 5, expected 1..4");
  CHECK_THROWS_WITH(ops::top_k(x, 1, {.groups = 4}),
                    Contains("groups divide the columns") && Contains("4 groups of 6"));
  CHECK_THROWS_WITH(ops::top_k(x, 1, {.groups = 2, .top_groups = 3}),
                    "[top_k] top_groups out of range: found 3, expected 1..2");
  CHECK_THROWS_WITH(ops::top_k(Tensor<float>::zeros({6}), 1), Contains("x has shape (6), expected (n, e)"));
}

TEST_CASE("assignments are sorted by expert, in the order of rows") {
  const auto order = ops::expert_order(Ids::from({2, 0, 0, 3, 2, 2}, {3, 2}), 5);
  CHECK(numbers(order.offsets) == Numbers{0, 2, 2, 5, 6, 6});
  CHECK(numbers(order.row) == Numbers{0, 1, 0, 2, 2, 1});
  CHECK(numbers(order.place) == Numbers{0, 2, 1, 5, 3, 4});
  CHECK(numbers(order.choice) == Numbers{1, 0, 0, 1, 0, 1});
  CHECK(numbers(ops::expert_order(Ids::zeros({0, 2}), 3).offsets) == Numbers{0, 0, 0, 0});

  // The grid sorts in another way, to the same end.
  const Index n = 41, k = 6, e = 9;
  const auto here = some_order(n, k, e, Cpu{});
  const auto there = some_order(n, k, e, OtherDevice{});
  CHECK(numbers(here.offsets) == constant(there.offsets).to_vector());
  CHECK(numbers(here.row) == constant(there.row).to_vector());
  CHECK(numbers(here.place) == constant(there.place).to_vector());
  CHECK(numbers(here.choice) == constant(there.choice).to_vector());

  CHECK_THROWS_WITH(ops::expert_order(Ids::from({0, 4}, {1, 2}), 4),
                    "[expert_order] id out of range: found 4 at (0, 1), expected 0..3");
  CHECK_THROWS_WITH(ops::expert_order(Ids::zeros({3}), 4), "[expert_order] ids has shape (3), expected (n, k)");
}

TEST_CASE("operations on experts say what is wrong") {
  const auto order = ops::expert_order(Ids::zeros({3, 2}), 4);
  const auto x = Tensor<float, Cpu>::zeros({6, 5}), w = Tensor<float, Cpu>::zeros({4, 7, 5});
  CHECK_THROWS_WITH(ops::dispatch(x, order), "[dispatch] x has shape (6, 5), expected 3 rows");
  CHECK_THROWS_WITH(ops::dispatch_scaled(Tensor<float, Cpu>::zeros({3, 5}), x, order),
                    Contains("weights have shape (6, 5)"));
  CHECK_THROWS_WITH(ops::grouped_linear(Tensor<float, Cpu>::zeros({3, 5}), w, {}, order), Contains("expected 6 rows"));
  CHECK_THROWS_WITH(ops::grouped_linear(x, Tensor<float, Cpu>::zeros({4, 5, 7}), {}, order),
                    Contains("weight has shape (4, 5, 7), expected (4, out, 5)"));
  CHECK_THROWS_WITH(ops::grouped_linear(x, w, Tensor<float, Cpu>::zeros({7}), order), Contains("bias has shape (7)"));
  CHECK_THROWS_WITH(ops::combine(x, x, order), Contains("weights have shape (6, 5), expected (3, 2)"));
  CHECK_THROWS_WITH(ops::combine(x, Tensor<float, Cpu>::zeros({3, 2}), order, x),
                    Contains("residual has shape (6, 5), expected (3, 5)"));
}

TEST_CASE("a layer of experts agrees with its plain text, values and gradients") {
  struct Case {
    Index n, k, experts;
    bool one_only;
  };
  for (const Case& c : {Case{1, 1, 4, false}, Case{1, 2, 4, false}, Case{6, 1, 1, false}, Case{9, 1, 5, true},
                        Case{11, 2, 5, false}, Case{7, 2, 6, true}, Case{13, 8, 16, false}, Case{6, 8, 8, false}})
    for (const bool biased : {false, true})
      for (const bool scale_input : {false, true}) {
        INFO(c.n << " rows, " << c.k << " of " << c.experts << (c.one_only ? ", the same" : "")
                 << (biased ? ", biased" : "") << (scale_input ? ", scaled before" : ""));
        const auto ids = Ids::from(chosen(c.n, c.k, c.experts, c.one_only), {c.n, c.k});
        Layer<double> layer(c.n, c.k, c.experts, biased, scale_input);
        const auto found = layer.outcome(layer.grouped(ids)), expected = layer.outcome(layer.plain(ids));
        for (std::size_t i = 0; i < found.size(); ++i) {
          INFO((i == 0 ? "values" : "gradient of input ") << i);
          CHECK(difference(found[i], expected[i]) <= 1e-12);
        }
      }
}

TEMPLATE_TEST_CASE("a layer of experts has the same bits on any threads and instruction set", "", float, double) {
  using T = TestType;
  const Index n = 150, k = 3, e = 6;
  std::vector<double> wide;
  everywhere(
      [&](Cpu cpu) {
        Layer<T> layer(n, k, e, true, false, cpu, 70, 33);
        std::vector<T> all;
        for (const auto& part : layer.outcome(layer.grouped(Ids::from(chosen(n, k, e, false), {n, k}, cpu))))
          all.insert(all.end(), part.begin(), part.end());
        return all;
      },
      [&](const std::vector<T>& found) {
        if (wide.empty()) wide.assign(found.begin(), found.end());
        CHECK(difference(found, wide) < (sizeof(T) == 4 ? 1e-3 : 1e-11));
      });
}

TEMPLATE_TEST_CASE("a row has the same bits alone as among others", "", float, double) {
  using T = TestType;
  const Index n = 40, k = 2, e = 3, c = 20;
  for (const bool scale_input : {false, true}) {
    Layer<T> all(n, k, e, true, scale_input, {}, c, 50);
    const auto ids = chosen(n, k, e, false);
    const auto together = all.outcome(all.grouped(Ids::from(ids, {n, k})));
    const auto dy = random<T>({n, c}, 9).to_vector();
    for (const Index r : {Index(0), Index(17), Index(39)}) {
      Layer<T> one(1, k, e, true, scale_input, {}, c, 50);
      const auto part = [](const std::vector<T>& from, Index begin, Index count) {
        return std::vector<T>(from.begin() + begin, from.begin() + begin + count);
      };
      one.x.assign(part(all.x.to_vector(), r * c, c));
      one.weights.assign(part(all.weights.to_vector(), r * k, k));
      const auto y = one.grouped(
          Ids::from({ids[static_cast<std::size_t>(r * k)], ids[static_cast<std::size_t>(r * k + 1)]}, {1, k}));
      backward(y, Tensor<T, Cpu>::from(part(dy, r * c, c), {1, c}));
      CHECK(same_bits(y.to_vector(), part(together[0], r * c, c)));
      CHECK(same_bits(one.x.grad().to_vector(), part(together[1], r * c, c)));
      CHECK(same_bits(one.weights.grad().to_vector(), part(together[2], r * k, k)));
    }
  }
}

TEST_CASE("the residual is added after the sum, and undefined weights are one") {
  const auto order = ops::expert_order(Ids::from({1, 0, 0, 1}, {2, 2}), 2);
  const auto y = Tensor<float, Cpu>::from({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2});  // places of rows 0, 1 and 0, 1
  const auto weights = Tensor<float, Cpu>::from({10, 1, 2, 3}, {2, 2});
  CHECK(ops::combine(y, {}, order).to_vector() == std::vector<float>{6, 8, 10, 12});
  CHECK(ops::combine(y, weights, order).to_vector() == std::vector<float>{51, 62, 27, 32});
  const auto residual = Tensor<float, Cpu>::from({100, 200, 300, 400}, {2, 2});
  CHECK(ops::combine(y, weights, order, residual).to_vector() == std::vector<float>{151, 262, 327, 432});
}

TEST_CASE("clamped_swiglu is gpt-oss's") {
  auto gate = Tensor<double>::from({1, -2, 9, 0.25, 3}, {5}), up = Tensor<double>::from({0, 0.5, 3, -20, 8}, {5});
  gate.require_grad(), up.require_grad();
  const auto y = ops::clamped_swiglu(gate, up);
  const std::vector<double> expected = {0.8457957659328212, -0.09651206528368779, 27.99981251321327,
                                        -0.9071978994011651, 23.85542952233771};
  CHECK(difference(y.to_vector(), expected) < 1e-13);
  backward(y, Tensor<double>::full({5}, 1));
  const auto by_gate = gate.grad().to_vector(), by_up = up.grad().to_vector();
  CHECK(by_gate[2] == 0);  // cut off
  CHECK(by_gate[4] != 0);
  CHECK(by_up[2] != 0);
  CHECK((by_up[3] == 0 && by_up[4] == 0));
  CHECK(std::isnan(ops::clamped_swiglu(Tensor<float>::full({}, NAN), Tensor<float>::full({}, 1.F)).item()));
  CHECK(std::isnan(ops::clamped_swiglu(Tensor<float>::full({}, 1.F), Tensor<float>::full({}, NAN)).item()));
  CHECK_THROWS_WITH(ops::clamped_swiglu(y, Tensor<double>::zeros({4})), Contains("shapes differ: gate (5), up (4)"));
}

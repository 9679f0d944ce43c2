// SPDX-License-Identifier: Apache-2.0
// Layers over stored weights against the same layers over the tensor of their values: equal bits, forward and backward.
#include "stored.hpp"

#include <atom/autograd/backward.hpp>
#include <atom/autograd/gradcheck.hpp>
#include <atom/ops/embedding.hpp>
#include <atom/ops/experts.hpp>
#include <atom/ops/linear.hpp>
#include <atom/ops/shape.hpp>

#include "catch.hpp"
#include "grid.hpp"

using namespace test;

namespace {

template <class T, class D = Cpu> Tensor<T, D> wave(const Shape& shape, double step, D device = {}) {
  std::vector<T> values;
  for (Index i = 0; i < element_count(shape); ++i) values.push_back(static_cast<T>(std::sin(step * double(i + 1))));
  return Tensor<T, D>::from(values, shape, device);
}

template <class T> using Values = std::vector<std::vector<T>>;

// y and the gradients of x, bias and residual.
template <class T, class D> Values<T> linear_results(const ops::Weight<T, D>& weight, const Shape& lead, D device) {
  Shape of_x = lead, of_y = lead;
  of_x.push_back(weight.shape()[1]);
  of_y.push_back(weight.shape()[0]);
  auto x = wave<T>(of_x, 0.7, device), bias = wave<T>({weight.shape()[0]}, 0.3, device);
  auto residual = wave<T>(of_y, 0.9, device);
  x.require_grad(), bias.require_grad(), residual.require_grad();
  const auto y = ops::linear(x, weight, bias, {.activation = Activation::silu, .residual = residual});
  backward(y, wave<T>(of_y, 0.4, device));
  return {y.to_vector(), x.grad().to_vector(), bias.grad().to_vector(), residual.grad().to_vector()};
}

// Matrices that take one panel and several, in rows and in columns.
std::vector<Shape> matrix_shapes(BlockType type) {
  const int values = info_of(type).values;
  std::vector<Shape> shapes = {{1, some_columns(type)}, {33, some_columns(type)}};
  if (type == BlockType::q8_0 || type == BlockType::q4_k || type == BlockType::f8_e4m3) {
    shapes.push_back({300, 6144});
    shapes.push_back({5000, values == 1 ? 517 : 512});
  }
  return shapes;
}

}  // namespace

TEMPLATE_TEST_CASE("a linear layer over a stored weight has the bits of one over its values", "", float, double) {
  using T = TestType;
  for (const BlockType type : stored_types)
    for (const Shape& shape : matrix_shapes(type)) {
      INFO(name_of(type) << to_text(" ", shape));
      const auto s = stored_values(type, shape);
      for (const Shape& lead : {Shape{}, Shape{2, 3}}) {
        const auto wanted = linear_results<T, Cpu>({s.tensor<T>()}, lead, {});
        for (int threads = 1; threads <= 4; ++threads) {
          ThreadPool pool(threads);
          CHECK(linear_results<T, Cpu>({{}, s.matrix(Cpu{&pool})}, lead, Cpu{&pool}) == wanted);
        }
      }
    }
}

TEST_CASE("a linear layer over stored rows is that of the rows") {
  const auto s = stored_values(BlockType::q5_k, {20, 512});
  const auto all = s.tensor<float>();
  const auto x = wave<float>({3, 512}, 0.7);
  const auto rows = ops::linear(x, ops::Weight<float, Cpu>{{}, s.matrix().rows(4, 9)}, {});
  CHECK(rows.to_vector() == ops::linear(x, ops::slice(all, 0, 4, 9), {}).to_vector());

  auto leaf = wave<float>({3, 512}, 0.7).require_grad();
  const auto none = ops::linear(leaf, ops::Weight<float, Cpu>{{}, s.matrix().rows(4, 0)}, {});
  CHECK(none.shape() == Shape{3, 0});
  backward(none, Tensor<float, Cpu>::zeros({3, 0}));
  CHECK(leaf.grad().to_vector() == std::vector<float>(3 * 512, 0.F));
}

TEST_CASE("a row has the same bits alone and in a batch, over a stored weight") {
  for (const BlockType type : {BlockType::q4_0, BlockType::f8_e4m3}) {
    const ops::Weight<float, Cpu> weight{{}, stored_values(type, {300, 6144}).matrix()};
    const auto x = wave<float>({7, 6144}, 0.7);
    const auto y = ops::linear(x, weight, {});
    for (Index row = 0; row < 7; ++row)
      CHECK(ops::linear(ops::slice(x, 0, row, 1), weight, {}).to_vector() == ops::slice(y, 0, row, 1).to_vector());
  }
}

TEST_CASE("the gradient of x through stored weights is finite differences") {
  for (const BlockType type : {BlockType::q4_1, BlockType::f8_e4m3}) {
    const auto s = stored_values(type, {5, 64});
    auto x = wave<double>({3, 64}, 0.7);
    const ops::Weight<double, Cpu> weight{{}, s.matrix()};
    CHECK(gradcheck([&] { return ops::linear(x, weight, {}, {.activation = Activation::silu}); }, x) <= 1);
    const auto stack = stored_values(type, {4, 5, 64}).matrix();
    const auto order = ops::expert_order(Tensor<TokenId, Cpu>::from({2, 0, 2}, {3, 1}), 4);
    CHECK(gradcheck([&] { return ops::grouped_linear(x, ops::Weight<double, Cpu>{{}, stack}, {}, order); }, x) <= 1);
  }
}

TEMPLATE_TEST_CASE("rows of a stored table are its values", "", float, double) {
  using T = TestType;
  const auto ids = Tensor<TokenId, Cpu>::from({3, 0, 8, 8, 5, 1}, {2, 3});
  for (const BlockType type : stored_types) {
    INFO(name_of(type));
    const auto s = stored_values(type, {9, some_columns(type)});
    const auto wanted = ops::embedding(ids, s.tensor<T>());
    const auto found = ops::embedding(ids, ops::Weight<T, Cpu>{{}, s.matrix()});
    CHECK(found.shape() == wanted.shape());
    CHECK(found.to_vector() == wanted.to_vector());
    const auto other = ops::embedding(Tensor<TokenId, OtherDevice>::from({3, 0, 8, 8, 5, 1}, {2, 3}),
                                      ops::Weight<T, OtherDevice>{{}, s.matrix(OtherDevice{})});
    CHECK(other.to_vector() == wanted.to_vector());
    CHECK_THROWS_WITH(ops::embedding(Tensor<TokenId, Cpu>::from({9}, {1}), ops::Weight<T, Cpu>{{}, s.matrix()}),
                      "[embedding] id out of range: found 9 at (0), expected 0..8");
  }
}

namespace {
// y and the gradients of x and bias: of 11 rows to 2 of 6 experts, one of which has none and one almost all.
template <class T, class D> Values<T> experts_results(const ops::Weight<T, D>& weight, D device) {
  const auto ids =
      Tensor<TokenId, D>::from({0, 1, 1, 4, 1, 4, 1, 5, 1, 0, 3, 1, 1, 5, 0, 1, 1, 4, 1, 0, 5, 1}, {11, 2}, device);
  const auto order = ops::expert_order(ids, 6);
  auto x = wave<T>({22, weight.shape()[2]}, 0.7, device), bias = wave<T>({6, weight.shape()[1]}, 0.3, device);
  x.require_grad(), bias.require_grad();
  const auto y = ops::grouped_linear(x, weight, bias, order);
  backward(y, wave<T>(y.shape(), 0.4, device));
  return {y.to_vector(), x.grad().to_vector(), bias.grad().to_vector()};
}
}  // namespace

TEMPLATE_TEST_CASE("experts over stored weights have the bits of those over their values", "", float, double) {
  using T = TestType;
  for (const BlockType type : stored_types) {
    INFO(name_of(type));
    const auto s = stored_values(type, {6, 7, some_columns(type)});
    const auto wanted = experts_results<T, Cpu>({s.tensor<T>()}, {});
    for (int threads = 1; threads <= 4; ++threads) {
      ThreadPool pool(threads);
      CHECK(experts_results<T, Cpu>({{}, s.matrix(Cpu{&pool})}, Cpu{&pool}) == wanted);
    }
  }
}

TEST_CASE("stored weights give on the other device what they give on the processor") {
  const auto agree = [](const Values<double>& found, const Values<double>& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      for (std::size_t j = 0; j < wanted[i].size(); ++j) CHECK(found[i][j] == Approx(wanted[i][j]).epsilon(1e-12));
  };
  for (const BlockType type : {BlockType::q6_k, BlockType::f8_e4m3, BlockType::bf16}) {
    const auto s = stored_values(type, {6, 7, some_columns(type)});
    agree(experts_results<double, OtherDevice>({{}, s.matrix(OtherDevice{})}, {}),
          experts_results<double, Cpu>({{}, s.matrix()}, {}));
    const auto m = stored_values(type, {7, some_columns(type)});
    agree(linear_results<double, OtherDevice>({{}, m.matrix(OtherDevice{})}, {2, 3}, {}),
          linear_results<double, Cpu>({{}, m.matrix()}, {2, 3}, {}));
  }
}

TEST_CASE("a stored weight never becomes a float copy of its whole") {
  constexpr Index rows = 4096, columns = 4096;
  const auto matrix = stored_values(BlockType::q8_0, {rows, columns}).matrix();
  auto x = wave<float>({2, columns}, 0.7).require_grad();
  const auto dy = wave<float>({2, rows}, 0.4);
  release_cached(Cpu{});
  const auto before = memory_stats(Cpu{});
  const auto y = ops::linear(x, ops::Weight<float, Cpu>{{}, matrix}, {});
  backward(y, dy);
  const auto after = memory_stats(Cpu{});
  CHECK(after.live + after.cached - before.live - before.cached < rows * columns * sizeof(float) / 2);
}

TEST_CASE("a weight that is not there, or of another shape, is said") {
  const auto x = wave<float>({2, 64}, 0.7);
  using Weight = ops::Weight<float, Cpu>;
  const Weight place{{}, StoredMatrix<Cpu>::place({3, 64})};
  const Weight other{{}, stored_values(BlockType::q8_0, {3, 32}).matrix()};
  const auto order = ops::expert_order(Tensor<TokenId, Cpu>::from({0, 0}, {2, 1}), 1);
  CHECK_THROWS_WITH(ops::linear(x, place, {}), "[linear] the weight (3, 64) is not loaded");
  CHECK_THROWS_WITH(ops::linear(x, other, {}), "[linear] inner sizes differ: x (2, 64), weight (3, 32)");
  CHECK_THROWS_WITH(ops::grouped_linear(x, place, {}, order), "[grouped_linear] the weight (3, 64) is not loaded");
  CHECK_THROWS_WITH(ops::embedding(Tensor<TokenId, Cpu>::from({0}, {1}), place),
                    "[embedding] the weight (3, 64) is not loaded");
}

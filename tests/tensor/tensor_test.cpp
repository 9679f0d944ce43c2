// SPDX-License-Identifier: Apache-2.0
#include <atom/tensor/tensor.hpp>

#include "catch.hpp"

#include <atom/ops/shape.hpp>

using namespace atom;

TEST_CASE("a tensor is made from values and gives them back", "[tensor]") {
  const auto x = Tensor<float>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(x.shape() == Shape{2, 3});
  CHECK(x.to_vector() == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(Tensor<double>::zeros({2}).to_vector() == std::vector<double>{0, 0});
  CHECK(Tensor<std::int32_t>::full({3}, 7).to_vector() == std::vector<std::int32_t>{7, 7, 7});
  CHECK(Tensor<float>::from({2.5F}, {}).item() == 2.5F);
  CHECK(Tensor<float>::zeros({0, 4}).to_vector().empty());
}

TEST_CASE("copies share memory, clones do not", "[tensor]") {
  auto x = Tensor<float, Cpu>::zeros({3});
  const auto shared = x;
  const auto copied = x.clone();
  x.mutable_span()[1] = 5;
  CHECK(shared.to_vector() == std::vector<float>{0, 5, 0});
  CHECK(copied.to_vector() == std::vector<float>{0, 0, 0});
  x.assign(std::vector<float>{1, 2, 3});
  CHECK(shared.span()[2] == 3);
}

TEST_CASE("strided views read in row-major order", "[tensor]") {
  const auto x = Tensor<float>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(ops::transpose(x).to_vector() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(ops::slice(x, 1, 1, 2).clone().to_vector() == std::vector<float>{2, 3, 5, 6});
}

TEST_CASE("wrong use says what was found and expected", "[tensor]") {
  CHECK_THROWS_WITH(Tensor<float>::from({1, 2}, {3}), Catch::Contains("found 2, expected 3"));
  CHECK_THROWS_WITH(Tensor<float>::zeros({2}).item(), Catch::Contains("found shape (2)"));
  CHECK_THROWS_WITH(Tensor<float>::zeros({-1}), Catch::Contains("not negative"));
  CHECK_THROWS_WITH(Tensor<float>::zeros({Index{1} << 40, Index{1} << 40}), Catch::Contains("too many elements"));
  const auto turned = ops::transpose(Tensor<float, Cpu>::zeros({2, 3}));
  CHECK_THROWS_WITH(turned.span(), Catch::Contains("contiguous"));
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/tensor/stored_matrix.hpp>

#include "catch.hpp"
#include "stored.hpp"

using namespace test;
using Matrix = StoredMatrix<Cpu>;

namespace {
template <class T> std::vector<T> values_of(const Matrix& matrix) {
  return constant(matrix.to_buffer<T>()).to_vector();
}
std::vector<float> rows_of(const std::vector<float>& values, Index columns, Index first, Index count) {
  return {values.begin() + first * columns, values.begin() + (first + count) * columns};
}
}  // namespace

TEST_CASE("a stored matrix reads in float and double, and by rows") {
  for (const BlockType type : stored_types) {
    INFO(name_of(type));
    const Index columns = some_columns(type);
    const auto s = stored_values(type, {9, columns});
    const Matrix matrix = s.matrix();
    CHECK(matrix.shape() == s.shape);
    CHECK(matrix.type() == type);
    CHECK(matrix.bytes() == s.bytes.size());
    CHECK(values_of<float>(matrix) == s.values);
    CHECK(values_of<double>(matrix) == std::vector<double>(s.values.begin(), s.values.end()));
    CHECK(values_of<float>(matrix.rows(2, 5)) == rows_of(s.values, columns, 2, 5));
    CHECK(values_of<float>(matrix.rows(2, 5).rows(3, 1)) == rows_of(s.values, columns, 5, 1));
    CHECK(matrix.rows(2, 5).bytes() == s.bytes.size() / 9 * 5);
    CHECK_THROWS_WITH(matrix.rows(5, 5), to_text("[stored_matrix] rows 5 to 10 of shape ", s.shape));
  }
}

TEST_CASE("a view keeps its owner alive and copies nothing") {
  for (const BlockType type : {BlockType::q8_0, BlockType::f8_e4m3}) {
    const auto s = stored_values(type, {4, 64});
    auto file = std::make_shared<std::vector<std::byte>>(s.bytes);
    const std::weak_ptr<const void> alive = file;
    {
      const Matrix part = Matrix::view_of(type, s.shape, *file, file, s.grid()).rows(1, 2);
      CHECK(part.part().data == file->data());
      file.reset();
      CHECK(values_of<float>(part) == rows_of(s.values, 64, 1, 2));
      CHECK(!alive.expired());
    }
    CHECK(alive.expired());
  }
}

TEST_CASE("bytes that are not aligned are copied") {
  const auto s = stored_values(BlockType::f32, {2, 3});
  const auto file = std::make_shared<std::vector<std::byte>>(s.bytes.size() + 1);
  std::ranges::copy(s.bytes, file->begin() + 1);
  const Matrix matrix = Matrix::view_of(BlockType::f32, s.shape, std::span(*file).subspan(1), file);
  CHECK(matrix.part().data != file->data() + 1);
  CHECK(values_of<float>(matrix) == s.values);
}

TEST_CASE("a stack has members, from one piece or from several") {
  for (const BlockType type : {BlockType::q6_k, BlockType::f8_e4m3, BlockType::bf16}) {
    const Index columns = some_columns(type);
    const auto s = stored_values(type, {3, 4, columns});
    const Matrix stack = s.matrix();
    CHECK(stack.shape() == Shape{3, 4, columns});
    CHECK(stack.bytes() == s.bytes.size());
    CHECK(stack.type() == type);
    for (Index i = 0; i < 3; ++i) {
      const auto wanted = rows_of(s.values, columns, 4 * i, 4);
      CHECK(values_of<float>(stack.member(i)) == wanted);
      CHECK(values_of<float>(Matrix::stack({stack.member(2), stack.member(i)}).member(1)) == wanted);
    }
  }
  CHECK_THROWS_WITH(Matrix::stack({}), "[stored_matrix] a stack has members");
  const auto a = stored_values(BlockType::f32, {2, 3}).matrix(), b = stored_values(BlockType::f32, {3, 2}).matrix();
  CHECK_THROWS_WITH(Matrix::stack({a, b}),
                    "[stored_matrix] a stack has shape (2, 3) and (3, 2), expected defined matrices of one shape");
}

TEST_CASE("what does not fit is refused") {
  const std::vector<std::byte> bytes(68);
  const std::vector<float> scales(2);
  const auto copy = [&](BlockType type, const Shape& shape, std::size_t count, const ScaleGrid& grid = {}) {
    return Matrix::copy_of(type, shape, std::span(bytes).first(count), grid);
  };
  CHECK_NOTHROW(copy(BlockType::q8_0, {2, 32}, 68));
  CHECK_THROWS_WITH(
      copy(BlockType::q8_0, {2, 32}, 34),
      "[stored_matrix] Q8_0: found 34 bytes for shape (2, 32), expected rows of blocks of 34 for 32 values");
  CHECK_THROWS_WITH(
      copy(BlockType::q8_0, {4, 16}, 68),
      "[stored_matrix] Q8_0: found 68 bytes for shape (4, 16), expected rows of blocks of 34 for 32 values");
  CHECK_THROWS_WITH(
      copy(BlockType::q8_0, {0, 32}, 0),
      "[stored_matrix] Q8_0: found 0 bytes for shape (0, 32), expected rows of blocks of 34 for 32 values");
  CHECK_THROWS_WITH(copy(BlockType::q8_0, {64}, 68), "[stored_matrix] found shape (64), expected 2 or 3 axes");
  CHECK_THROWS_WITH(copy(BlockType::iq2_xs, {1, 256}, 66), "[stored_matrix] values of type IQ2_XS cannot be read");
  CHECK_THROWS_WITH(copy(BlockType::q8_0, {2, 32}, 68, {scales, {1, 32}}),
                    "[stored_matrix] Q8_0: found 2 scales for shape (2, 32), expected 0");
  CHECK_NOTHROW(copy(BlockType::f8_e4m3, {2, 32}, 64, {scales, {1, 32}}));
  CHECK_THROWS_WITH(copy(BlockType::f8_e4m3, {2, 32}, 64),
                    "[stored_matrix] F8_E4M3: found 0 scales for shape (2, 32), expected 64");
  CHECK_THROWS_WITH(copy(BlockType::f8_e4m3, {2, 32}, 64, {scales, {0, 32}}),
                    "[stored_matrix] scales are for blocks of 0 x 32");
  constexpr Index huge = Index{1} << 62;
  CHECK_THROWS_WITH(copy(BlockType::f32, {1, huge}, 68),
                    "[stored_matrix] F32: found 68 bytes for shape (1, 4611686018427387904), expected rows of blocks "
                    "of 4 for 1 values");
}

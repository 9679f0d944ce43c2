// SPDX-License-Identifier: Apache-2.0
// Packed matrices: their values, and products that compute on them, by the definition of backend/packed_gemm.hpp.
#include <atom/io/file.hpp>
#include <atom/tensor/pack.hpp>

#include "../backend/everywhere.hpp"
#include "../stored.hpp"

#include <filesystem>
#include <fstream>

using namespace atom;
using test::stored_values;

namespace {

const std::vector<BlockType> packed_types = {BlockType::f32,  BlockType::f16,  BlockType::bf16, BlockType::q8_0,
                                             BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1,
                                             BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::mxfp4};

struct Case {
  test::StoredValues w;
  Index m, n = w.shape[0], k = w.shape[1];
  std::vector<float> x = test::values<float>(m * k, 3), bias = test::values<float>(n, 4),
                     residual = test::values<float>(m * n, 5);

  GemmEpilogue<float> epilogue() const { return {.bias = bias.data(), .residual = {.data = residual.data(), .ld = n}}; }

  // One number for each 16 elements of x, and the integers that it is times.
  std::vector<double> rounded() const {
    std::vector<double> result;
    for (std::size_t at = 0; at < x.size(); at += 16) {
      float largest = 0;
      for (std::size_t i = at; i < at + 16; ++i) largest = std::max(largest, std::abs(x[i]));
      const float d = largest / 127, scale = 127 / largest;
      for (std::size_t i = at; i < at + 16; ++i) result.push_back(double(d) * double(std::nearbyint(x[i] * scale)));
    }
    return result;
  }
  // In double, with x as the kernel rounds it.
  std::vector<double> expected() const {
    const auto values = is_float(w.type) ? std::vector<double>(x.begin(), x.end()) : rounded();
    std::vector<double> y;
    for (Index r = 0; r < m; ++r)
      for (Index column = 0; column < n; ++column) {
        double sum = 0;
        for (Index p = 0; p < k; ++p)
          sum +=
              values[static_cast<std::size_t>(r * k + p)] * double(w.values[static_cast<std::size_t>(column * k + p)]);
        y.push_back(sum + double(bias[static_cast<std::size_t>(column)]) +
                    double(residual[static_cast<std::size_t>(r * n + column)]));
      }
    return y;
  }
  std::vector<float> product(Cpu device, const StoredMatrix<Cpu>& matrix, Index first, Index rows) const {
    std::vector<float> y(static_cast<std::size_t>(rows * n), NAN);
    auto e = epilogue();
    e.residual.data += first * n;
    packed_gemm(device, rows, x.data() + first * k, detail::packed_part(matrix.part()),
                GemmOutput<float>{.data = y.data(), .ld = n}, e);
    return y;
  }
};

std::vector<float> values_of(const StoredMatrix<Cpu>& matrix) {
  const auto all = matrix.to_buffer<float>();
  return {all.data(), all.data() + all.size()};
}

}  // namespace

TEST_CASE("pack: the values of every type stay what they are, in any part") {
  for (const BlockType type : test::stored_types) {
    INFO(name_of(type));
    const Index columns = test::some_columns(type), block = info_of(type).values;
    for (const Index rows : {1, 16, 48, 53}) {
      const auto stored = stored_values(type, {rows, columns});
      const auto matrix = stored.matrix(), packed = pack(matrix);
      CHECK(packed.is_packed() == can_pack(type));
      CHECK(packed.shape() == matrix.shape());
      CHECK(values_of(packed) == values_of(matrix));
      StoredPart some = packed.part(), same = matrix.part();
      const std::vector<TokenId> ids = {static_cast<TokenId>(rows - 1), 0, static_cast<TokenId>(rows / 2)};
      for (StoredPart* part : {&some, &same}) {
        part->ids = ids.data();
        part->rows = 3;
        part->first_column = columns / block / 2 * block;
        part->columns -= part->first_column;
      }
      std::vector<float> a(static_cast<std::size_t>(3 * some.columns)), b = a;
      packed.read(some, a.data());
      matrix.read(same, b.data());
      CHECK(a == b);
    }
  }
}

TEST_CASE("packed products: by their definition, in any row, with any number of threads and rows") {
  for (const BlockType type : packed_types) {
    const Index columns = is_float(type) ? 300 : 512;
    for (const Index m : {1, 2, 3, 4, 5, 13}) {
      const Case c{stored_values(type, {m == 13 ? 150 : 21, columns}), m};
      const auto matrix = pack(c.w.matrix());
      INFO(name_of(type) << ", " << m << " rows");
      const auto expected = c.expected();
      test::everywhere([&](Cpu device) { return c.product(device, matrix, 0, m); },
                       [&](const std::vector<float>& y) {
                         CHECK(test::difference(y, expected) < 2e-5);
                         std::vector<float> alone;
                         for (Index row = 0; row < m; ++row) {
                           const auto one = c.product(Cpu{}, matrix, row, 1);
                           alone.insert(alone.end(), one.begin(), one.end());
                         }
                         CHECK(test::same_bits(alone, y));
                       });
    }
  }
}

TEST_CASE("packed products: the bits of gemm where nothing is rounded") {
  for (const BlockType type : {BlockType::f32, BlockType::f16, BlockType::bf16})
    for (const Index m : {1, 4, 60}) {
      const Case c{stored_values(type, {100, 700}), m};
      const auto matrix = pack(c.w.matrix());
      std::vector<float> y(static_cast<std::size_t>(m * c.n));
      gemm(Cpu{}, {m, c.n, c.k}, {.data = c.x.data(), .ld = c.k},
           {.data = c.w.values.data(), .ld = c.k, .transposed = true}, GemmOutput<float>{.data = y.data(), .ld = c.n},
           false, c.epilogue());
      CHECK(test::same_bits(c.product(Cpu{}, matrix, 0, m), y));
    }
}

TEST_CASE("packed products: zeros, and the largest integers") {
  for (const BlockType type : packed_types) {
    if (is_float(type)) continue;
    INFO(name_of(type));
    Case c{stored_values(type, {16, 512}), 3};
    for (std::size_t i = 0; i < c.x.size(); ++i) c.x[i] = i < 512 ? 0.F : i % 2 == 0 || i < 1024 ? 5.F : -5.F;
    for (auto& byte : c.w.bytes)
      if (type == BlockType::q8_0) byte = std::byte{0x80};  // -128, also in the scale: then -0
    if (type == BlockType::q8_0) {
      for (std::size_t block = 0; block < c.w.bytes.size(); block += 34) {
        const atom::half one(1);
        std::memcpy(&c.w.bytes[block], &one, 2);
      }
      std::ranges::fill(c.w.values, -128.F);
    }
    const auto matrix = pack(c.w.matrix());
    std::vector<double> expected;
    for (Index r = 0; r < 3; ++r)
      for (Index column = 0; column < 16; ++column) {
        double sum = 0;
        for (Index p = 0; p < 512; ++p)
          sum += double(c.x[static_cast<std::size_t>(r * 512 + p)]) *
                 double(c.w.values[static_cast<std::size_t>(column * 512 + p)]);
        expected.push_back(sum + double(c.bias[static_cast<std::size_t>(column)]) +
                           double(c.residual[static_cast<std::size_t>(r * 16 + column)]));
      }
    test::everywhere([&](Cpu device) { return c.product(device, matrix, 0, 3); },
                     [&](const std::vector<float>& y) { CHECK(test::difference(y, expected) < 1e-5); });
  }
}

TEST_CASE("pack: a mapped file is read and given back") {
  const auto path = std::filesystem::temp_directory_path() / ("atom_pack_" + std::to_string(std::random_device()()));
  const auto stored = stored_values(BlockType::q8_0, {160, 512});
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(stored.bytes.data()), std::ssize(stored.bytes));
  const auto map = io::File(path.string()).map();
  const auto matrix = StoredMatrix<Cpu>::view_of(stored.type, stored.shape, {map.get(), stored.bytes.size()}, map);
  CHECK(values_of(pack(matrix)) == stored.values);
  CHECK(values_of(matrix) == stored.values);  // pages come back
  std::filesystem::remove(path);
}

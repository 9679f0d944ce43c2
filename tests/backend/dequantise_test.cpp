// SPDX-License-Identifier: Apache-2.0
#include <atom/backend/dequantise.hpp>

#include "backend/everywhere.hpp"
#include "grid.hpp"
#include "stored.hpp"

using namespace atom;
using test::stored_values;

namespace {

// What a part of stored values must give.
std::vector<float> expected(const test::StoredValues& s, const StoredPart& part) {
  std::vector<float> values;
  for (Index i = 0; i < part.rows; ++i)
    for (Index column = 0; column < part.columns; ++column)
      values.push_back(s.values[static_cast<std::size_t>(part.row(i) * s.shape[1] + part.first_column + column)]);
  return values;
}

template <class D> std::vector<float> read(D device, const StoredPart& part) {
  std::vector<float> values(static_cast<std::size_t>(part.rows * part.columns), -1.F);
  dequantise(device, part, values.data());
  return values;
}

void check_part(const test::StoredValues& s, const StoredPart& part) {
  const auto wanted = expected(s, part);
  test::everywhere([&](Cpu device) { return read(device, part); },
                   [&](const auto& found) { REQUIRE(test::same_bits(found, wanted)); });
  REQUIRE(test::same_bits(read(test::Grid{}, part), wanted));
}

}  // namespace

TEST_CASE("every type reads as in io/blocks, on any threads, instruction set and grid") {
  for (const BlockType type : test::stored_types) {
    INFO(name_of(type));
    const Index columns = test::some_columns(type), step = info_of(type).values;
    const auto s = stored_values(type, {50, columns});
    const auto matrix = s.matrix();
    const StoredPart all = matrix.part();
    check_part(s, all);

    StoredPart rows = all;
    rows.first_row = 7, rows.rows = 11;
    check_part(s, rows);
    StoredPart some = rows;  // f8_e4m3: begins and ends within a block of the scales
    some.first_column = step == 1 ? 5 : step, some.columns = step == 1 ? 41 : step;
    check_part(s, some);

    const std::vector<TokenId> ids = {3, 49, 0, 0, 20};
    StoredPart chosen = all;
    chosen.ids = ids.data(), chosen.rows = std::ssize(ids);
    check_part(s, chosen);
    chosen.first_row = 5, chosen.rows = 1;
    check_part(s, chosen);
    chosen.rows = 0;
    check_part(s, chosen);
  }
}

TEST_CASE("numbers of 8 and 16 bits read as their types convert, of any code") {
  std::vector<atom::half> halves(1U << 16U);
  std::vector<bfloat16> bfloats(halves.size());
  std::vector<std::uint8_t> eights(256);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i].bits = bfloats[i].bits = static_cast<std::uint16_t>(i);
  for (std::size_t i = 0; i < eights.size(); ++i) eights[i] = static_cast<std::uint8_t>(i);
  const auto check_codes = [](BlockType type, const auto& codes, auto value) {
    INFO(name_of(type));
    std::vector<float> wanted;
    for (const auto code : codes) wanted.push_back(value(code));
    const Index columns = 256;
    const float one = 1;
    const StoredPart part{.type = type,
                          .data = reinterpret_cast<const std::byte*>(codes.data()),
                          .row_bytes = columns * info_of(type).bytes,
                          .rows = std::ssize(codes) / columns,
                          .columns = columns,
                          .scales = &one,
                          .scale_rows = 1000,
                          .scale_columns = columns};
    test::everywhere([&](Cpu device) { return read(device, part); },
                     [&](const auto& found) { CHECK(test::same_bits(found, wanted)); });
  };
  const auto converted = [](auto code) { return static_cast<float>(code); };
  check_codes(BlockType::f16, halves, converted);
  check_codes(BlockType::bf16, bfloats, converted);
  check_codes(BlockType::f8_e4m3, eights, [](std::uint8_t code) { return float_from_e4m3(code); });
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/io/byte_reader.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

using namespace atom;

TEST_CASE("checked arithmetic") {
  constexpr std::uint64_t most = ~std::uint64_t{0};
  CHECK(io::checked_add(most - 1, 1) == most);
  CHECK_FALSE(io::checked_add(most, 1));
  CHECK(io::checked_multiply(std::uint64_t{1} << 32U, (std::uint64_t{1} << 32U) - 1));
  CHECK_FALSE(io::checked_multiply(std::uint64_t{1} << 32U, std::uint64_t{1} << 32U));
  CHECK(io::checked_multiply(most, 0) == 0);
  CHECK(io::checked_cast<std::int32_t>(std::uint64_t{5}) == 5);
  CHECK_FALSE(io::checked_cast<std::int32_t>(std::uint64_t{1} << 31U));
  CHECK_FALSE(io::checked_cast<std::uint8_t>(-1));
}

TEST_CASE("bytes are read in order, and never more than there are") {
  const unsigned char raw[] = {1, 2, 0, 0, 0x80, 0x3f, 7, 8, 9};
  io::ByteReader reader(std::as_bytes(std::span(raw)), "file.bin", 100);
  CHECK(reader.read<std::uint16_t>("count") == 513);
  CHECK(reader.read<float>("scale") == 1.0F);
  CHECK(reader.offset() == 106);
  CHECK(reader.remaining() == 3);
  CHECK(error_of([&] { reader.read<std::uint32_t>("length"); }) ==
        "[file.bin] length ends early: found 3 bytes, expected 4 at offset 106");
  CHECK(error_of([&] { reader.take(~std::uint64_t{0}, "block"); }) ==
        "[file.bin] block ends early: found 3 bytes, expected 18446744073709551615 at offset 106");
  CHECK(error_of([&] { reader.take(std::uint64_t{1} << 62U, 4, "table"); }) ==
        "[file.bin] table is larger than any file: found 4611686018427387904 x 4 bytes at offset 106");
  CHECK(reader.take(3, 1, "rest").size() == 3);
  CHECK(reader.remaining() == 0);
}

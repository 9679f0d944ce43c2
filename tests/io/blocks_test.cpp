// SPDX-License-Identifier: Apache-2.0
#include <atom/io/blocks.hpp>
#include <atom/io/gguf.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

using namespace atom;

namespace {

// golden/every_type.gguf: blocks and what gguf 0.19.0 decodes them to.
const io::Gguf& golden() {
  static const io::Gguf file(ATOM_TEST_DIR "/io/golden/every_type.gguf");
  return file;
}

std::vector<std::byte> bytes_of(std::string_view name) {
  const io::GgufTensor* tensor = golden().find(name);
  REQUIRE(tensor != nullptr);
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor->bytes()));
  golden().read(*tensor, bytes);
  return bytes;
}
std::vector<float> floats_of(std::string_view name) {
  const std::vector<std::byte> bytes = bytes_of(name);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

}  // namespace

TEST_CASE("every format decodes to the bits of the format's own library") {
  int types = 0;
  for (std::uint32_t id = 0; id < block_infos.size(); ++id) {
    const auto type = block_type_of(id);
    if (!type || !io::can_dequantise(*type) || type == BlockType::f32) continue;
    const std::string name(name_of(*type));
    CAPTURE(name);
    const io::GgufTensor* tensor = golden().find(name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->type == *type);
    const std::vector<float> expected = floats_of(name + ".values");
    CHECK(expected.size() >= 128);
    std::vector<float> found(expected.size());
    io::read_elements(golden(), *tensor, std::span(found));
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i, found[i], expected[i]);
      REQUIRE(bits_of(found[i]) == bits_of(expected[i]));
    }
    ++types;
  }
  CHECK(types == 14);
}

TEST_CASE("numbers in 8 bits") {
  for (unsigned code = 0; code < 256; ++code) {
    const int exponent = static_cast<int>(code >> 3U & 15U), mantissa = static_cast<int>(code & 7U);
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    const float found = float_from_e4m3(static_cast<std::uint8_t>(code));
    CAPTURE(code);
    CHECK(std::signbit(found) == (code >= 128));
    if ((code & 127U) == 127)
      CHECK(std::isnan(found));
    else
      CHECK(std::abs(found) == magnitude);
    const float scale = float_from_e8m0(static_cast<std::uint8_t>(code));
    if (code == 255)
      CHECK(std::isnan(scale));
    else
      CHECK(scale == std::ldexp(1.0, static_cast<int>(code) - 127));
  }
  CHECK(float_from_e4m3(0x7e) == 448);
}

TEST_CASE("FP8 weights with a scale for each block") {
  const auto code = [](Index row, Index column) { return static_cast<std::byte>((row * 37 + column * 11) % 127); };
  for (const auto& [rows, columns] : {std::pair<Index, Index>{1, 1}, {5, 7}, {6, 8}, {4, 3}, {0, 5}, {3, 0}}) {
    for (const std::array<Index, 2> block : {std::array<Index, 2>{2, 4}, {1, 1}, {3, 2}, {128, 128}}) {
      const Index across = (columns + block[1] - 1) / block[1], down = (rows + block[0] - 1) / block[0];
      std::vector<float> scales(static_cast<std::size_t>(across * down));
      for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = 0.1F * static_cast<float>(i + 1);
      for (Index first = 0; first <= rows; ++first) {
        std::vector<std::byte> stored;
        std::vector<float> expected;
        for (Index row = first; row < rows; ++row) {
          for (Index column = 0; column < columns; ++column) {
            stored.push_back(code(row, column));
            expected.push_back(float_from_e4m3(std::to_integer<std::uint8_t>(stored.back())) *
                               scales[static_cast<std::size_t>(row / block[0] * across + column / block[1])]);
          }
        }
        std::vector<float> found(stored.size());
        io::dequantise_e4m3(stored, {rows, columns}, scales, block, found, first);
        CHECK(found == expected);
      }
    }
  }
  std::vector<std::byte> stored(12);
  std::vector<float> found(12), scales(4);
  const auto error = [&](const Shape& shape, std::size_t count, std::array<Index, 2> block, Index first) {
    return error_of(
        [&] { io::dequantise_e4m3(stored, shape, std::span(scales).first(count), block, found, first, "f"); });
  };
  CHECK(error({3, 4}, 4, {2, 2}, 0) == "no error");
  CHECK(error({3, 4}, 3, {2, 2}, 0) == "[f] found 3 scales, expected 2 x 2");
  CHECK(error({3, 4}, 4, {2, 2}, 1) == "[f] found 12 bytes for 12 values from row 1, expected whole rows of (3, 4)");
  CHECK(error({3, 4}, 4, {2, 2}, -1) == "[f] found 12 bytes for 12 values from row -1, expected whole rows of (3, 4)");
  CHECK(error({3, 5}, 4, {2, 3}, 0) == "[f] found 12 bytes for 12 values from row 0, expected whole rows of (3, 5)");
  CHECK(error({3, 4}, 4, {0, 2}, 0) ==
        "[f] found shape (3, 4) in blocks of 0 x 2, expected a matrix in blocks of at least 1 x 1");
  CHECK(error({12}, 1, {1, 12}, 0) ==
        "[f] found shape (12) in blocks of 1 x 12, expected a matrix in blocks of at least 1 x 1");
}

TEST_CASE("MXFP4 weights: pairs of values in a byte, the low half first") {
  std::vector<std::byte> codes(32), scales = {std::byte{127}, std::byte{130}};
  for (std::size_t i = 0; i < 16; ++i) {
    codes[i] = static_cast<std::byte>(i);
    codes[16 + i] = static_cast<std::byte>(i << 4U);
  }
  std::vector<float> values(64);
  io::dequantise_mxfp4(codes, scales, values);
  const float expected[16] = {0.F,  0.5F,  1.F,  1.5F,  2.F,  3.F,  4.F,  6.F,
                              -0.F, -0.5F, -1.F, -1.5F, -2.F, -3.F, -4.F, -6.F};
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(bits_of(values[2 * i]) == bits_of(expected[i]));
    CHECK(bits_of(values[2 * i + 1]) == 0);
    CHECK(bits_of(values[32 + 2 * i]) == 0);
    CHECK(bits_of(values[32 + 2 * i + 1]) == bits_of(expected[i] * 8));
  }
  CHECK(error_of([&] { io::dequantise_mxfp4(codes, std::span(scales).first(1), values); }) ==
        "[dequantise_mxfp4] found 32 bytes and 1 scales for 64 values, expected 16 and 1 for 32");
  CHECK(error_of([&] { io::dequantise_mxfp4(codes, scales, std::span(values).first(63)); }) != "no error");
}

TEST_CASE("sizes and types that do not fit are refused") {
  std::vector<std::byte> bytes(36);
  std::vector<float> values(64);
  const auto read = [&](BlockType type, std::size_t size, std::size_t count) {
    return error_of([&] { io::dequantise(type, std::span(bytes).first(size), std::span(values).first(count), "f"); });
  };
  CHECK(read(BlockType::q4_0, 36, 64) == "no error");
  CHECK(read(BlockType::q4_0, 0, 0) == "no error");
  CHECK(read(BlockType::q4_0, 18, 64) == "[f] Q4_0: found 18 bytes for 64 values, expected blocks of 18 for 32");
  CHECK(read(BlockType::q4_0, 9, 16) == "[f] Q4_0: found 9 bytes for 16 values, expected blocks of 18 for 32");
  CHECK(read(BlockType::iq2_xs, 0, 0) == "[f] values of type IQ2_XS cannot be read");
  CHECK(read(BlockType::i32, 4, 1) == "[f] values of type I32 cannot be read");
  CHECK_FALSE(io::block_bytes(BlockType::q6_k, 255));
  CHECK(io::block_bytes(BlockType::q6_k, 512) == 420);
  CHECK_FALSE(io::block_bytes(BlockType::f64, std::uint64_t{1} << 61U));
  CHECK(block_type_of(39) == BlockType::mxfp4);
  for (const std::uint32_t id : {4U, 5U, 31U, 33U, 36U, 38U, 43U, 0xffffffffU}) CHECK_FALSE(block_type_of(id));
}

TEST_CASE("MXFP4 weights of safetensors files become blocks of the same values") {
  std::vector<std::byte> codes(16 * 300), scales(300), blocks(17 * 300);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(i * 73 + i / 251);
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = static_cast<std::byte>(i % 255);
  std::vector<float> wanted(32 * 300), found(32 * 300);
  io::dequantise_mxfp4(codes, scales, wanted);
  io::mxfp4_blocks(codes, scales, blocks);
  io::dequantise(BlockType::mxfp4, blocks, found);
  CHECK(found == wanted);
  CHECK_THROWS_WITH(io::mxfp4_blocks(codes, scales, std::span(blocks).first(17)),
                    "[mxfp4_blocks] found 4800 bytes and 300 scales for 17 bytes, expected 16 and 1 for 17");
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/io/gguf.hpp>
#include <atom/io/quantise.hpp>
#include <random>

#include "catch.hpp"
#include "io/scratch.hpp"

using namespace atom;

namespace {

// golden/every_type.gguf: values and what gguf 0.19.0 makes of them; golden/quantised.gguf: what ggml itself does.
struct Golden {
  io::Gguf file;
  explicit Golden(const std::string& name) : file(ATOM_TEST_DIR "/io/golden/" + name) {}

  const io::GgufTensor& tensor(const std::string& name) const {
    const io::GgufTensor* found = file.find(name);
    REQUIRE(found != nullptr);
    return *found;
  }
  std::vector<std::byte> bytes(const std::string& name) const {
    std::vector<std::byte> read(static_cast<std::size_t>(tensor(name).bytes()));
    file.read(tensor(name), read);
    return read;
  }
  std::vector<float> floats(const std::string& name) const {
    std::vector<float> read(static_cast<std::size_t>(element_count(tensor(name).shape)));
    io::read_elements(file, tensor(name), std::span(read));
    return read;
  }
};

constexpr BlockType all_blocks[] = {BlockType::q8_0, BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1,
                                    BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::mxfp4};

std::vector<std::byte> quantised(BlockType type, std::span<const float> values) {
  std::vector<std::byte> stored(static_cast<std::size_t>(io::block_bytes(type, values.size()).value()));
  io::quantise(type, values, stored);
  return stored;
}
std::vector<float> there_and_back(BlockType type, std::span<const float> values) {
  std::vector<float> back(values.size(), 1.F);
  io::dequantise(type, quantised(type, values), back);
  return back;
}
double mean_squared_error(BlockType type, std::span<const float> values) {
  const std::vector<float> back = there_and_back(type, values);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = static_cast<double>(values[i]) - static_cast<double>(back[i]);
    sum += error * error;
  }
  return sum / static_cast<double>(values.size());
}

std::vector<float> normal(std::size_t count, float scale = 1, float mean = 0) {
  std::mt19937 random(5);
  std::vector<float> values(count);
  for (float& value : values) {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(random() >> 8U) * 0x1p-24F;
    value = mean + scale * sum;
  }
  return values;
}

}  // namespace

TEST_CASE("blocks of 32 values are byte for byte what the format's own library writes") {
  const Golden of_package("every_type.gguf"), of_ggml("quantised.gguf");
  const auto same = [](const Golden& golden, BlockType type) {
    CAPTURE(name_of(type));
    CHECK(quantised(type, golden.floats("values")) == golden.bytes("values." + std::string(name_of(type))));
  };
  for (const BlockType type : {BlockType::f16, BlockType::bf16, BlockType::q8_0, BlockType::q4_0})
    same(of_package, type);
  for (const BlockType type :
       {BlockType::q8_0, BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1, BlockType::mxfp4})
    same(of_ggml, type);
}

TEST_CASE("blocks of 256 values err no more than those of ggml") {
  const Golden golden("quantised.gguf");
  const std::vector<float> weights = golden.floats("weights");
  for (const BlockType type : {BlockType::q4_k, BlockType::q5_k, BlockType::q6_k}) {
    const std::vector<float> errors = golden.floats("weights." + std::string(name_of(type)));
    REQUIRE(errors.size() == 4);
    for (std::size_t row = 0; row < 4; ++row) {
      const double found = mean_squared_error(type, std::span(weights).subspan(row * 2048, 2048));
      CAPTURE(name_of(type), row);
      CHECK(found / static_cast<double>(errors[row]) < 1.02);
    }
  }
}

TEST_CASE("quantised values are near, at any size that the scale can say") {
  for (const BlockType type : all_blocks) {
    const double of_one = mean_squared_error(type, normal(2048));
    CAPTURE(name_of(type), of_one);
    CHECK(of_one < (type == BlockType::mxfp4 ? 0.02 : 0.01));
    for (const float scale : {0x1p-6F, 0x1p6F}) {
      const double found = mean_squared_error(type, normal(2048, scale)) / static_cast<double>(scale * scale);
      CAPTURE(scale, found);
      CHECK(std::abs(found / of_one - 1) < 0.02);
    }
    const double near_one = mean_squared_error(type, normal(2048, 0.01F, 1));
    CAPTURE(near_one);
    CHECK(near_one < 0.02);
  }
}

TEST_CASE("what a format can say exactly stays as it is") {
  for (const BlockType type : all_blocks) {
    CAPTURE(name_of(type));
    for (const float value : {0.F, -0.F, 1.F, -1.F, 0.375F}) {
      const std::vector<float> values(256, value);
      for (const float found : there_and_back(type, values))
        CHECK(std::abs(found - value) <= std::abs(value) * 0x1p-9F);
    }
    if (info_of(type).values == 256) continue;  // searched again, the scales may differ
    const std::vector<float> back = there_and_back(type, normal(2048));
    CHECK(there_and_back(type, back) == back);
  }
  // Runs of a scale that is a number of units: the codes are found.
  std::vector<float> values(256);
  for (std::size_t i = 0; i < 256; ++i) values[i] = static_cast<float>(i % 32 % 16) * (i < 32 ? 63.F : 21.F) - 2;
  CHECK(mean_squared_error(BlockType::q4_k, values) < 1e-3);
  for (std::size_t i = 0; i < 256; ++i) values[i] = static_cast<float>(i % 32) * (i < 32 ? 63.F : 21.F) - 2;
  CHECK(mean_squared_error(BlockType::q5_k, values) < 1e-3);
  for (std::size_t i = 0; i < 256; ++i) values[i] = (static_cast<float>(i % 16 * 4) - 32) * (i < 32 ? -128.F : 32.F);
  CHECK(mean_squared_error(BlockType::q6_k, values) < 1e-3);
}

TEST_CASE("zeros are stored as llama.cpp stores them: in Q4_0 and Q5_0 with a scale of minus zero") {
  for (const float zero : {0.F, -0.F}) {
    const std::vector<float> values(256, zero);
    for (const BlockType type : {BlockType::q8_0, BlockType::mxfp4, BlockType::q4_k, BlockType::q5_k})
      CHECK(quantised(type, values) == std::vector<std::byte>(*io::block_bytes(type, 256)));
    std::vector<std::byte> expected(18, std::byte{0x88});
    expected[0] = std::byte{0};
    expected[1] = std::byte{0x80};
    CHECK(quantised(BlockType::q4_0, std::span(values).first(32)) == expected);
    expected = std::vector<std::byte>(22);
    expected[1] = std::byte{0x80};
    std::fill_n(&expected[2], 4, std::byte{0xff});
    CHECK(quantised(BlockType::q5_0, std::span(values).first(32)) == expected);
  }
}

TEST_CASE("values too small for a scale become zero, and small ones keep the precision that is left") {
  for (const BlockType type : all_blocks) {
    CAPTURE(name_of(type));
    for (const float tiny : {1e-45F, -1e-45F, 1e-40F, 1e-38F, 1e-8F}) {
      std::vector<float> values(256, tiny);
      values[5] = 0;
      const bool in_reach = type == BlockType::mxfp4 && std::abs(tiny) > 1e-39F;
      for (const float value : there_and_back(type, values)) CHECK((in_reach || value == 0));
    }
  }
  for (const BlockType type : {BlockType::q4_k, BlockType::q5_k, BlockType::q6_k}) {
    const double error = mean_squared_error(type, normal(2048, 1e-5F));
    CAPTURE(name_of(type), error);
    CHECK(error < 1e-12);
  }
}

TEST_CASE("a run of near equal values far from zero keeps its differences") {
  for (const BlockType type : {BlockType::q4_k, BlockType::q5_k}) {
    const double error = mean_squared_error(type, normal(256, 0.1F, -1000));
    CAPTURE(name_of(type), error);
    CHECK(error < 1);  // the offset's 11 bits
  }
}

TEST_CASE("sizes, types and numbers that cannot be quantised are refused") {
  std::vector<std::byte> bytes(256);
  std::vector<float> values(256);
  const auto write = [&](BlockType type, std::size_t size, std::size_t count) {
    return error_of([&] { io::quantise(type, std::span(values).first(count), std::span(bytes).first(size), "f"); });
  };
  CHECK(write(BlockType::q8_0, 34, 32) == "no error");
  CHECK(write(BlockType::q8_0, 34, 64) == "[f] Q8_0: found 34 bytes for 64 values, expected blocks of 34 for 32");
  CHECK(write(BlockType::q4_k, 0, 0) == "no error");
  CHECK(write(BlockType::q4_k, 144, 128) == "[f] Q4_K: found 144 bytes for 128 values, expected blocks of 144 for 256");
  CHECK(write(BlockType::q2_k, 0, 0) == "[f] values of type Q2_K cannot be written");
  values[40] = 8.4e6F;
  CHECK(write(BlockType::q4_0, 36, 64) == "[f] Q4_0 holds no number as large: found 8400000");
  values[40] = 5.2e5F;
  CHECK(write(BlockType::q4_0, 36, 64) == "no error");
  values[1] = 8.4e6F;
  CHECK(write(BlockType::q8_0, 34, 32) == "[f] Q8_0 holds no number as large: found 8400000");
  const auto whole = [&](BlockType type) {
    return write(type, static_cast<std::size_t>(*io::block_bytes(type, 256)), 256);
  };
  for (const BlockType type : all_blocks) {
    const std::string name(name_of(type));
    for (const float wrong : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
      values[1] = wrong;
      CHECK(whole(type) == "[f] " + name + " holds finite numbers: found infinity or not-a-number");
    }
    for (const float large : {1e9F, -1e9F, 1e30F, 3.4e38F, -3.4e38F}) {
      values[1] = large;
      CHECK((whole(type) == "no error") == (type == BlockType::mxfp4));
    }
  }
  std::ranges::fill(values, -5e6F);  // offsets in reach of the search, out of that of the block
  CHECK(whole(BlockType::q4_k).starts_with("[f] Q4_K holds no number as large"));
  CHECK(whole(BlockType::q5_1).starts_with("[f] Q5_1 holds no number as large"));
}

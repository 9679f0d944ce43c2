// SPDX-License-Identifier: Apache-2.0
#include <atom/io/quantise.hpp>

#include "catch.hpp"

using namespace atom;

TEST_CASE("quantised values are the same bits for any number of threads") {
  std::vector<float> values(3 * 16384 + 512);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i * (i % 101)));
  for (const BlockType type : {BlockType::f16, BlockType::q8_0, BlockType::q5_1, BlockType::q4_k, BlockType::q6_k}) {
    std::vector<std::byte> one(static_cast<std::size_t>(*io::block_bytes(type, values.size()))), four = one;
    set_default_threads(1);
    io::quantise(type, values, one);
    set_default_threads(4);
    io::quantise(type, values, four);
    CHECK(one == four);
    values.back() = std::numeric_limits<float>::infinity();
    if (type != BlockType::f16) CHECK_THROWS(io::quantise(type, values, four));
    values.back() = 0;
  }
  set_default_threads(default_thread_count());
}

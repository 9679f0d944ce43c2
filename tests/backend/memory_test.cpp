// SPDX-License-Identifier: Apache-2.0
// The caching allocator: alignment, reuse, what is held against what is live, threads, failure.
#include <atom/backend/memory.hpp>

#include "../catch.hpp"

#include <numeric>
#include <vector>

using namespace atom;

namespace {

struct Block {
  unsigned char* data;
  std::size_t bytes;
  unsigned char tag;
};

Block make(std::size_t bytes, unsigned char tag) {
  auto* data = static_cast<unsigned char*>(allocate(Cpu{}, bytes));
  if (bytes > 0) {
    data[0] = tag;
    data[bytes - 1] = tag;
  }
  return {data, bytes, tag};
}

bool intact(const Block& block) {
  return block.bytes == 0 || (block.data[0] == block.tag && block.data[block.bytes - 1] == block.tag);
}

void drop(const Block& block) { deallocate(Cpu{}, block.data, block.bytes); }

// A cheap sequence of numbers to drive the tests.
struct Sequence {
  std::uint64_t state;
  std::uint64_t operator()(std::uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33U) % below;
  }
};

}  // namespace

TEST_CASE("memory: blocks are aligned and do not overlap", "[memory]") {
  Sequence next{1};
  std::vector<Block> blocks;
  for (int round = 0; round < 20000; ++round) {
    if (blocks.size() < 200 || next(2) == 0) {
      const std::size_t bytes = next(4) == 0 ? next(300000) : next(3000);
      blocks.push_back(make(bytes, static_cast<unsigned char>(next(256))));
      REQUIRE(reinterpret_cast<std::uintptr_t>(blocks.back().data) % 64 == 0);
    } else {
      const std::size_t victim = next(blocks.size());
      REQUIRE(intact(blocks[victim]));
      drop(blocks[victim]);
      blocks[victim] = blocks.back();
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) {
    REQUIRE(intact(block));
    drop(block);
  }
}

TEST_CASE("memory: size classes cover what they are asked for", "[memory]") {
  using detail::SmallHeap;
  for (std::size_t bytes = 0; bytes <= SmallHeap::most; ++bytes) {
    const std::size_t index = SmallHeap::class_of(bytes);
    REQUIRE(index < SmallHeap::classes);
    REQUIRE(SmallHeap::bytes_of(index) >= bytes);
    if (index > 0) REQUIRE(SmallHeap::bytes_of(index - 1) < bytes);
  }
}

TEST_CASE("memory: live bytes return to where they were", "[memory]") {
  const auto before = memory_stats(Cpu{}).live;
  const auto small = make(100, 1), large = make(1 << 20, 2), nothing = make(0, 3);
  CHECK(memory_stats(Cpu{}).live >= before + 100 + (1 << 20));
  drop(small), drop(large), drop(nothing);
  deallocate(Cpu{}, nullptr, 10);
  CHECK(memory_stats(Cpu{}).live == before);
}

TEST_CASE("memory: repeated steps reuse, and hold little more than the peak", "[memory]") {
  if (!detail::caches_memory) return;
  release_cached(Cpu{});
  Sequence next{7};
  std::vector<std::size_t> sizes;  // of a step: activations of a few widths, freed in reverse among temporaries
  for (int i = 0; i < 400; ++i) sizes.push_back((next(3) == 0 ? 98304 : 393216) + next(4) * 65536);
  const auto base = memory_stats(Cpu{});
  std::size_t peak = 0, held = 0;
  for (int step = 0; step < 6; ++step) {
    std::vector<Block> blocks;
    for (const std::size_t bytes : sizes) {
      blocks.push_back(make(bytes, 5));
      if (next(3) == 0) drop(make(bytes / 3, 6));
    }
    peak = std::max(peak, memory_stats(Cpu{}).live - base.live);
    while (!blocks.empty()) {
      const auto gradient = make(blocks.back().bytes * 2, 7);
      peak = std::max(peak, memory_stats(Cpu{}).live - base.live);
      drop(blocks.back());
      drop(gradient);
      blocks.pop_back();
    }
    const auto now = memory_stats(Cpu{});
    CHECK(now.live == base.live);
    held = now.cached + now.live - base.cached - base.live;
    CHECK(static_cast<double>(held) < 1.1 * static_cast<double>(peak));
  }
  release_cached(Cpu{});
  CHECK(memory_stats(Cpu{}).cached < base.cached + (1 << 20));
}

TEST_CASE("memory: a freed block is the next one of its size", "[memory]") {
  if (!detail::caches_memory) return;
  for (const std::size_t bytes : {64U, 1000U, 20000U, 100000U, 5000000U}) {
    const auto first = make(bytes, 1);
    drop(first);
    const auto second = make(bytes, 1);
    CHECK(first.data == second.data);
    drop(second);
  }
}

TEST_CASE("memory: blocks may be freed on another thread", "[memory][threads]") {
  ThreadPool pool(4);
  std::vector<Block> blocks(512);
  for (int round = 0; round < 20; ++round) {
    const auto size_of = [round](Index i) {
      return static_cast<std::size_t>((i * 997 + round) % 5000 * (i % 5 + 1) * 3);
    };
    pool.parallel_for(
        512, [&](Index i) { blocks[static_cast<std::size_t>(i)] = make(size_of(i), static_cast<unsigned char>(i)); });
    std::atomic<int> bad = 0;
    pool.parallel_for(512, [&](Index i) {
      const Block& block = blocks[static_cast<std::size_t>(511 - i)];
      if (!intact(block)) ++bad;
      drop(block);
    });
    REQUIRE(bad == 0);
  }
}

TEST_CASE("memory: what cannot be had is an error that says so", "[memory]") {
  CHECK_THROWS_WITH(allocate(Cpu{}, std::size_t{1} << 60U),
                    Catch::Contains("[memory] out of memory: asked for 1152921504606846976 bytes"));
}

TEST_CASE("memory: copies and zeros", "[memory]") {
  for (const std::size_t bytes : {0U, 1U, 4096U, 5000001U}) {
    const auto from = make(bytes, 0), to = make(bytes, 0);
    for (std::size_t i = 0; i < bytes; ++i) from.data[i] = static_cast<unsigned char>(i * 7);
    copy(Cpu{}, to.data, from.data, bytes);
    CHECK(std::equal(from.data, from.data + bytes, to.data));
    fill_zero(Cpu{}, to.data, bytes);
    CHECK(std::accumulate(to.data, to.data + bytes, 0) == 0);
    drop(from), drop(to);
  }
}

TEST_CASE("memory: great blocks of changing size do not pile up", "[memory]") {
  if (!detail::caches_memory) return;
  release_cached(Cpu{});
  const auto before = memory_stats(Cpu{}).cached;
  for (std::size_t mebibytes = 300; mebibytes < 400; mebibytes += 10) drop(make(mebibytes << 20U, 1));
  CHECK(memory_stats(Cpu{}).cached - before < std::size_t{400} << 20U);
  release_cached(Cpu{});
}

// SPDX-License-Identifier: Apache-2.0
// The thread pool: every chunk once, exceptions, nesting, several callers, resizing, no allocation.
#include <atom/core/thread_pool.hpp>

#include "../catch.hpp"

#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <string>

using namespace atom;

namespace {
std::size_t at(Index i) { return static_cast<std::size_t>(i); }
}  // namespace

TEST_CASE("thread pool: every chunk runs once, with any number of threads", "[threads]") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (const Index chunks : {Index(0), Index(1), Index(2), Index(7), Index(1000)}) {
      std::vector<int> runs(at(chunks));
      for (int round = 0; round < 20; ++round) pool.parallel_for(chunks, [&](Index chunk) { ++runs[at(chunk)]; });
      CHECK(std::count(runs.begin(), runs.end(), 20) == chunks);
    }
  }
}

TEST_CASE("thread pool: what chunks wrote is there afterwards", "[threads]") {
  ThreadPool pool(4);
  std::vector<Index> values(64);
  for (Index round = 0; round < 2000; ++round) {
    pool.parallel_for(64, [&](Index chunk) { values[at(chunk)] = chunk + round; });
    REQUIRE(std::accumulate(values.begin(), values.end(), Index(0)) == 2016 + 64 * round);
  }
}

TEST_CASE("thread pool: several threads do take part", "[threads]") {
  ThreadPool pool(2);
  std::atomic<int> inside = 0;
  bool met = false;
  for (int tries = 0; tries < 50 && !met; ++tries) {
    std::atomic<bool> both = false;
    pool.parallel_for(2, [&](Index) {
      ++inside;
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
      while (!both && std::chrono::steady_clock::now() < end) {
        if (inside == 2) both = true;
        std::this_thread::yield();
      }
      --inside;
    });
    met = both;
  }
  CHECK(met);
}

TEST_CASE("thread pool: an exception reaches the caller and stops the rest", "[threads]") {
  // Days of chunks: that the loop ends at all shows that the rest is skipped, however long the throwing thread sleeps.
  constexpr auto chunks = Index(1) << 45;
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 100; ++round) {
      std::atomic<Index> runs = 0;
      std::string text;
      try {
        pool.parallel_for(chunks, [&](Index chunk) {
          ++runs;
          if (chunk == 5) fail("chunk", "number ", chunk);
        });
      } catch (const Error& error) {
        text = error.what();
      }
      REQUIRE(text == "[chunk] number 5");
      REQUIRE(runs < chunks);
    }
    Index total = 0;  // and the pool still works
    pool.parallel_for(1, [&](Index) { ++total; });
    CHECK(total == 1);
  }
}

TEST_CASE("thread pool: a loop inside a chunk runs there", "[threads]") {
  ThreadPool pool(4);
  std::vector<Index> totals(50);
  pool.parallel_for(50, [&](Index outer) {
    const auto thread = std::this_thread::get_id();
    pool.parallel_for(20, [&](Index inner) {
      totals[at(outer)] += inner;
      if (std::this_thread::get_id() != thread) totals[at(outer)] += 1000;
    });
  });
  CHECK(std::count(totals.begin(), totals.end(), 190) == 50);
}

TEST_CASE("thread pool: callers on several threads", "[threads]") {
  ThreadPool pool(3);
  std::atomic<Index> total = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) pool.parallel_for(8, [&](Index chunk) { total += chunk; });
    });
  for (auto& caller : callers) caller.join();
  CHECK(total == 4 * 500 * 28);
}

TEST_CASE("thread pool: resizing, and what is refused", "[threads]") {
  ThreadPool pool(2);
  for (const int threads : {3, 1, 2}) {
    pool.resize(threads);
    CHECK(pool.size() == threads);
    std::atomic<int> runs = 0;
    pool.parallel_for(10, [&](Index) { ++runs; });
    CHECK(runs == 10);
  }
  CHECK_THROWS_WITH(pool.parallel_for(2, [&](Index) { pool.resize(1); }),
                    "[thread pool] resize while the pool is at work");
  CHECK_THROWS_WITH(ThreadPool(0), "[thread pool] threads must be 1 to 1024: found 0");
  CHECK_THROWS_WITH(pool.resize(-3), "[thread pool] threads must be 1 to 1024: found -3");
  CHECK(pool.size() == 2);
}

TEST_CASE("thread pool: the default one", "[threads]") {
  CHECK(default_thread_count() >= 1);
  CHECK(default_pool().size() == default_thread_count());
  set_default_threads(3);
  CHECK(default_pool().size() == 3);
  set_default_threads(default_thread_count());
}

TEST_CASE("thread pool: cpu quotas of cgroups", "[threads]") {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / ("atom_cgroup_test_" + std::to_string(std::random_device()()));
  const auto write = [&](const fs::path& file, const char* text) {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  };
  write("cpu.max", "max 100000\n");
  write("job/cpu.max", "250000 100000\n");
  write("job/part/cpu.max", "max 100000\n");
  write("cpu/old/cpu.cfs_quota_us", "100000\n");
  write("cpu/old/cpu.cfs_period_us", "100000\n");
  write("cpu/cpu.cfs_quota_us", "-1\n");
  write("cpu/cpu.cfs_period_us", "100000\n");
  const auto limit = [&](const char* listing) { return detail::cgroup_limit(listing, root.string(), 8); };
  CHECK(limit("0::/\n") == 8);
  CHECK(limit("0::/job\n") == 3);
  CHECK(limit("0::/job/part\n") == 3);
  CHECK(limit("0::/elsewhere\n") == 8);
  CHECK(limit("5:memory:/old\n4:cpuacct,cpu:/old\n0::/\n") == 1);
  CHECK(limit("4:cpu:/\n") == 8);
  CHECK(limit("3:cpuset:/old\n") == 8);
  CHECK(limit("") == 8);
  CHECK(limit("nonsense\n::\n:") == 8);
  fs::remove_all(root);
}

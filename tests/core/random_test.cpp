// SPDX-License-Identifier: Apache-2.0
// Random numbers: the published answers of Philox, pinned values, moments, and permutations.
#include <atom/core/random.hpp>

#include "../catch.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

using namespace atom;

TEST_CASE("random: philox gives the published answers", "[random]") {
  // kat_vectors of the Random123 distribution, philox4x32 with 10 rounds.
  const auto answer = [](RandomBlock counter, std::uint32_t key0, std::uint32_t key1) {
    const RandomBlock block = philox(counter, key0, key1);
    return std::vector<std::uint32_t>(block.word, block.word + 4);
  };
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(answer({{0, 0, 0, 0}}, 0, 0) == std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(answer({{ones, ones, ones, ones}}, ones, ones) ==
        std::vector<std::uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(answer({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0) ==
        std::vector<std::uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: seed, purpose, step and element all matter", "[random]") {
  const Rng rng(42);
  CHECK(rng.key("weights") == Rng(42).key("weights"));
  std::vector<float> values;
  for (const RandomKey key : {rng.key("weights"), rng.key("weight"), rng.key("weights", 1), Rng(43).key("weights")})
    for (const Index element : {Index(0), Index(1), Index(4), Index(1) << 40}) values.push_back(uniform(key, element));
  std::sort(values.begin(), values.end());
  CHECK(std::adjacent_find(values.begin(), values.end()) == values.end());
}

TEST_CASE("random: uniform numbers are uniform", "[random]") {
  const RandomKey key = Rng(1).key("uniform");
  constexpr int n = 1 << 18;
  double total = 0, squares = 0, neighbours = 0;
  std::vector<int> bins(64);
  float least = 1, most = 0, last = 0.5F;
  for (Index i = 0; i < n; ++i) {
    const float u = uniform(key, i);
    least = std::min(least, u), most = std::max(most, u);
    total += u, squares += double(u) * u, neighbours += (double(u) - 0.5) * (double(last) - 0.5);
    ++bins[static_cast<std::size_t>(u * 64)];
    last = u;
  }
  CHECK(least >= 0);
  CHECK(most < 1);
  CHECK(std::abs(total / n - 0.5) < 0.002);
  CHECK(std::abs(squares / n - 1.0 / 3) < 0.002);
  CHECK(std::abs(neighbours / n) < 0.001);
  double chi_squared = 0;  // 63 degrees of freedom
  for (const int count : bins) chi_squared += (count - n / 64.0) * (count - n / 64.0) / (n / 64.0);
  CHECK(chi_squared < 110);
}

TEMPLATE_TEST_CASE("random: normal numbers are normal", "[random]", float, double) {
  const RandomKey key = Rng(2).key("normal");
  constexpr int n = 1 << 17;
  double moment[5] = {}, neighbours = 0, last = 0;
  int inside = 0;
  for (Index i = 0; i < n; ++i) {
    const double x = normal<TestType>(key, i);
    double power = 1;
    for (double& sum : moment) sum += power, power *= x;
    neighbours += x * last;
    inside += std::abs(x) < 1 ? 1 : 0;
    last = x;
  }
  CHECK(std::abs(moment[1] / n) < 0.01);
  CHECK(std::abs(moment[2] / n - 1) < 0.015);
  CHECK(std::abs(moment[3] / n) < 0.04);
  CHECK(std::abs(moment[4] / n - 3) < 0.15);
  CHECK(std::abs(neighbours / n) < 0.01);
  CHECK(std::abs(double(inside) / n - 0.682689) < 0.005);
}

TEST_CASE("random: the bits of normal numbers are these, on every machine", "[random]") {
  const RandomKey key{7, 9};
  std::uint64_t single = 0, twice = 0;
  for (Index i = 0; i < 1000; ++i) {
    single = mix_bits(single + static_cast<std::uint32_t>(math::bits_of(normal<float>(key, i))));
    twice = mix_bits(twice + static_cast<std::uint64_t>(math::bits_of(normal<double>(key, i))));
  }
  CHECK(single == 0x4e00a5d1283230a4);
  CHECK(twice == 0xc31289d7090a6d3d);
}

TEST_CASE("random: indices stay below their bound and reach all of it", "[random]") {
  const RandomKey key = Rng(3).key("index");
  for (const Index n : {Index(1), Index(2), Index(10), Index(1000)}) {
    std::vector<int> seen(static_cast<std::size_t>(n));
    for (Index i = 0; i < 20 * n; ++i) ++seen.at(static_cast<std::size_t>(uniform_index(key, i, n)));
    CHECK(*std::min_element(seen.begin(), seen.end()) > 0);
  }
  const Index huge = (Index(1) << 62) + 12345;
  double total = 0;
  for (Index i = 0; i < 4000; ++i) {
    const Index value = uniform_index(key, i, huge);
    REQUIRE((value >= 0 && value < huge));
    total += static_cast<double>(value) / static_cast<double>(huge);
  }
  CHECK(std::abs(total / 4000 - 0.5) < 0.02);
}

TEST_CASE("random: a permutation meets every element once", "[random]") {
  for (const Index n : {Index(1), Index(2), Index(3), Index(5), Index(64), Index(1000), Index(65537)}) {
    const Permutation permutation(Rng(4).key("shuffle"), n);
    std::vector<bool> seen(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) {
      const Index place = permutation(i);
      REQUIRE((place >= 0 && place < n));
      REQUIRE(!seen[static_cast<std::size_t>(place)]);
      seen[static_cast<std::size_t>(place)] = true;
    }
  }
  CHECK(Permutation(Rng(4).key("shuffle"), 0).size() == 0);
  CHECK_THROWS_WITH(Permutation({}, -1), "[permutation] the size is not negative: found -1");
}

TEST_CASE("random: permutations of different epochs are unlike, and unlike the identity", "[random]") {
  constexpr Index n = 1000;
  const Permutation first(Rng(5).key("shuffle", 0), n), second(Rng(5).key("shuffle", 1), n);
  int fixed = 0, same = 0, neighbours = 0;
  for (Index i = 0; i < n; ++i) {
    fixed += first(i) == i ? 1 : 0;
    same += first(i) == second(i) ? 1 : 0;
    neighbours += i > 0 && std::abs(first(i) - first(i - 1)) == 1 ? 1 : 0;
  }
  CHECK(fixed < 10);
  CHECK(same < 10);
  CHECK(neighbours < 15);
  // Each of three elements comes first about as often.
  int firsts[3] = {};
  for (std::uint64_t epoch = 0; epoch < 3000; ++epoch) ++firsts[Permutation(Rng(6).key("shuffle", epoch), 3)(0)];
  for (const int count : firsts) CHECK(std::abs(count - 1000) < 150);
}

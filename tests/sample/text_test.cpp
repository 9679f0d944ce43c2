// SPDX-License-Identifier: Apache-2.0
// Generation around a model that is no network: token i is always followed by i + 1, so that every result is known.
#include <atom/sample/text.hpp>

#include "catch.hpp"

using namespace atom;

namespace {

struct Counting {
  using Scalar = float;
  using DeviceType = Device;
  struct Shape_ {
    Index capacity = 16;
  };
  struct Cache {
    std::vector<std::int32_t> counts;
    Shape_ sizes;
    const Shape_& shape() const { return sizes; }
    std::span<const std::int32_t> lengths() const { return counts; }
    void truncate(Index b, Index length) { counts[static_cast<std::size_t>(b)] = static_cast<std::int32_t>(length); }
  };

  Device device() const { return {}; }
  Cache make_cache(Index batch) const { return {std::vector<std::int32_t>(static_cast<std::size_t>(batch)), {}}; }
  Tensor<float> next_logits(const Tensor<TokenId>& ids, std::span<const std::int32_t> counts, Cache& cache) const {
    const auto values = ids.to_vector();
    std::vector<float> logits(counts.size() * 26, 0.0F);
    for (std::size_t b = 0; b < counts.size(); ++b) {
      cache.counts[b] += counts[b];
      REQUIRE(cache.counts[b] <= cache.sizes.capacity);
      if (counts[b] == 0) continue;
      const TokenId last = values[b * static_cast<std::size_t>(ids.dim(1)) + static_cast<std::size_t>(counts[b] - 1)];
      logits[b * 26 + static_cast<std::size_t>((last + 1) % 26)] = 100;
    }
    return Tensor<float>::from(logits, {static_cast<Index>(counts.size()), 26});
  }
};

struct Letters {
  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> ids;
    for (const char letter : text) ids.push_back(letter - 'a');
    return ids;
  }
  std::string decode(std::span<const TokenId> ids) const {
    std::string text;
    for (const TokenId id : ids) text += static_cast<char>('a' + id);
    return text;
  }
};

}  // namespace

TEST_CASE("generate continues a prompt, past the cache's capacity too", "[generate]") {
  const auto ids = sample::generate(Counting(), {3}, {.tokens = 60});
  REQUIRE(ids.size() == 60);
  for (std::size_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == static_cast<TokenId>((4 + i) % 26));
  CHECK(sample::generate(Counting(), {3}, {.tokens = 0}).empty());
}

TEST_CASE("a batch of prompts of different lengths", "[generate]") {
  const std::vector<std::vector<TokenId>> prompts = {{0}, {1, 2, 3, 4, 5, 6, 7}, {24, 25}};
  std::vector<TokenId> second;
  sample::GenerateOptions options{.tokens = 5, .stop_ids = {2}};
  options.on_batch_token = [&](Index row, TokenId id) {
    if (row == 1) second.push_back(id);
    return row != 1 || second.size() < 3;
  };
  const auto results = sample::generate_batch(Counting(), std::span(prompts), options);
  CHECK(results[0] == std::vector<TokenId>{1});         // ended by stop_ids
  CHECK(results[1] == std::vector<TokenId>{8, 9, 10});  // ended by the callback
  CHECK(results[2] == std::vector<TokenId>{0, 1});      // stop_ids again
  CHECK(second == results[1]);
}

TEST_CASE("stop strings end a text, and nothing of them is shown", "[generate]") {
  std::string shown;
  sample::TextOptions options{.generate = {.tokens = 20}, .stop = {"hij", "xyz"}};
  options.on_text = [&](std::string_view piece) {
    shown += piece;
    return true;
  };
  REQUIRE(sample::generate_text(Counting(), Letters(), "abc", options) == "defg");
  CHECK(shown == "defg");
  shown.clear();
  options.stop = {"hiX"};
  REQUIRE(sample::generate_text(Counting(), Letters(), "abc", options) == "defghijklmnopqrstuvw");
  CHECK(shown == "defghijklmnopqrstuvw");
}

TEST_CASE("an empty prompt is refused", "[generate]") {
  CHECK_THROWS_WITH(sample::generate(Counting(), std::initializer_list<TokenId>{}),
                    Catch::Contains("at least one token"));
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/sample/sampler.hpp>

#include "catch.hpp"

#include <atom/core/random.hpp>
#include <set>

using namespace atom;
using sample::Sampler;
using sample::SamplerOptions;

namespace {

const std::vector<float> logits = {1, 3, 2, 3, -1};

// Every token that some uniform number draws.
std::set<TokenId> reachable(const SamplerOptions& options, std::vector<TokenId> seen = {}) {
  Sampler sampler(options);
  std::set<TokenId> found;
  for (int i = 0; i < 4096; ++i) found.insert(sampler(logits, seen, static_cast<float>(i) / 4096));
  return found;
}

}  // namespace

TEST_CASE("temperature 0 takes the most likely token, the lower id of equals", "[sampler]") {
  CHECK(Sampler({.temperature = 0})(logits, {}, 0.99F) == 1);
}

TEST_CASE("draws follow the softmax of the logits over the temperature", "[sampler]") {
  for (const double temperature : {0.5, 1.0, 2.0}) {
    Sampler sampler({.temperature = temperature});
    std::vector<double> expected, counts(logits.size());
    double total = 0;
    for (const float x : logits) total += expected.emplace_back(std::exp(static_cast<double>(x) / temperature));
    constexpr int draws = 100'000;
    for (int i = 0; i < draws; ++i)
      ++counts[static_cast<std::size_t>(sampler(logits, {}, (static_cast<float>(i) + 0.5F) / draws))];
    for (std::size_t i = 0; i < counts.size(); ++i)
      CHECK(counts[i] / draws == Approx(expected[i] / total).margin(1e-4));
  }
}

TEST_CASE("top-k, top-p and min-p keep the tokens they promise", "[sampler]") {
  CHECK(reachable({}) == std::set<TokenId>{0, 1, 2, 3, 4});
  CHECK(reachable({.top_k = 1}) == std::set<TokenId>{1});
  CHECK(reachable({.top_k = 3}) == std::set<TokenId>{1, 2, 3});
  CHECK(reachable({.top_k = 99}) == std::set<TokenId>{0, 1, 2, 3, 4});
  CHECK(reachable({.top_p = 1e-6}) == std::set<TokenId>{1});
  CHECK(reachable({.top_p = 0.5}) == std::set<TokenId>{1, 3});  // 0.40 + 0.40
  CHECK(reachable({.top_p = 0.9}) == std::set<TokenId>{1, 2, 3});
  CHECK(reachable({.min_p = 0.3}) == std::set<TokenId>{1, 2, 3});  // e^-1 = 0.37 stays, e^-2 goes
  CHECK(reachable({.min_p = 1}) == std::set<TokenId>{1, 3});
}

TEST_CASE("a repetition penalty makes what was seen less likely", "[sampler]") {
  CHECK(Sampler({.temperature = 0, .repetition_penalty = 2})(logits, std::vector<TokenId>{1, 1}, 0) == 3);
  CHECK(Sampler({.temperature = 0, .repetition_penalty = 2})(logits, std::vector<TokenId>{1, 3}, 0) == 2);
}

TEST_CASE("options out of range are refused", "[sampler]") {
  CHECK_THROWS_WITH(Sampler({.temperature = -1}), Catch::Contains("temperature is at least 0: found -1"));
  CHECK_THROWS_WITH(Sampler({.top_k = -1}), Catch::Contains("top_k"));
  CHECK_THROWS_WITH(Sampler({.top_p = 0}), Catch::Contains("top_p"));
  CHECK_THROWS_WITH(Sampler({.min_p = 2}), Catch::Contains("min_p"));
  CHECK_THROWS_WITH(Sampler({.repetition_penalty = 0}), Catch::Contains("repetition_penalty"));
}

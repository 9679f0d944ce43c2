// SPDX-License-Identifier: Apache-2.0
#include <atom/data/examples.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <set>

using namespace atom;
using data::Example;
using data::ExampleBatches;
using data::ignored_target;

namespace {

// Ids 10 n + 1, 10 n + 2, ..., of which the last `learnt` count.
Example example(TokenId n, std::size_t length, std::size_t learnt) {
  Example result;
  for (std::size_t i = 0; i < length; ++i) {
    result.ids.push_back(10 * n + static_cast<TokenId>(i) + 1);
    result.counts.push_back(i + learnt >= length);
  }
  return result;
}

std::vector<Example> examples(TokenId count) {
  std::vector<Example> result;
  for (TokenId n = 0; n < count; ++n) result.push_back(example(n, static_cast<std::size_t>(2 + n * 5 % 7), 1));
  return result;
}

struct Ids {
  std::vector<TokenId> x, y;
  Index length = 0;
  friend bool operator==(const Ids&, const Ids&) = default;
};
Ids next(ExampleBatches<Cpu>& batches) {
  const auto [x, y] = batches.next();
  return {x.to_vector(), y.to_vector(), x.dim(1)};
}

}  // namespace

TEST_CASE("rows are padded to the longest, with ignored targets", "[data]") {
  constexpr TokenId none = ignored_target;
  ExampleBatches<Cpu> batches({example(0, 3, 1), example(1, 5, 2), example(2, 2, 2)},
                              {.batch = 3, .context = 8, .shuffle = false});
  const auto [x, y] = batches.next();
  CHECK(x.shape() == Shape{3, 4});
  CHECK(y.shape() == Shape{3, 4});
  CHECK(x.to_vector() == std::vector<TokenId>{1, 2, 0, 0, 11, 12, 13, 14, 21, 0, 0, 0});
  CHECK(y.to_vector() == std::vector<TokenId>{none, 3, none, none, none, none, 14, 15, 22, none, none, none});
  CHECK(batches.targets() == 4);
}

TEST_CASE("what is beyond the context is cut off, and left out if nothing is left to learn", "[data]") {
  ExampleBatches<Cpu> batches({example(0, 9, 6), example(1, 9, 4), example(2, 1, 1), {}},
                              {.batch = 1, .context = 4, .shuffle = false});
  CHECK(batches.size() == 1);
  CHECK(batches.left_out() == 3);
  CHECK(next(batches).x == std::vector<TokenId>{1, 2, 3, 4});
  CHECK(batches.targets() == 2);
}

TEST_CASE("an epoch has each example once, in an order of its own", "[data]") {
  ExampleBatches<Cpu> batches(examples(50), {.batch = 1, .context = 16, .seed = 3});
  std::set<std::vector<TokenId>> orders;
  for (Index epoch = 0; epoch < 4; ++epoch) {
    std::vector<TokenId> firsts;
    CHECK(batches.cursor() == data::BatchCursor{epoch, 0});
    for (Index i = 0; i < 50; ++i) firsts.push_back(next(batches).x[0]);
    orders.insert(firsts);
    std::ranges::sort(firsts);
    for (std::size_t i = 0; i < 50; ++i) CHECK(firsts[i] == 10 * static_cast<TokenId>(i) + 1);
  }
  CHECK(orders.size() == 4);
}

TEST_CASE("a cursor leads back to exactly the examples that followed it", "[data]") {
  for (const bool shuffle : {true, false}) {
    const data::BatchOptions options{.batch = 4, .context = 6, .seed = 9, .shuffle = shuffle};
    ExampleBatches<Cpu> batches(examples(11), options);
    std::vector<std::pair<data::BatchCursor, Ids>> seen;
    for (int i = 0; i < 20; ++i) {
      const auto cursor = batches.cursor();
      seen.emplace_back(cursor, next(batches));
    }
    CHECK(seen.back().first.epoch > 1);
    for (auto it = seen.rbegin(); it != seen.rend(); ++it) {
      ExampleBatches<Cpu> resumed(examples(11), options);
      resumed.seek(it->first);
      CHECK(next(resumed) == it->second);
    }
  }
}

TEST_CASE("in order, the last batch of an epoch has what is left", "[data]") {
  ExampleBatches<Cpu> batches(examples(5), {.batch = 3, .context = 7, .shuffle = false});
  next(batches);
  CHECK(batches.cursor() == data::BatchCursor{0, 3});
  const Ids last = next(batches);
  CHECK(batches.cursor() == data::BatchCursor{1, 0});
  CHECK(batches.targets() == 2);
  CHECK(last.x.size() == static_cast<std::size_t>(3 * last.length));
  for (std::size_t i = 2 * static_cast<std::size_t>(last.length); i < last.y.size(); ++i)
    CHECK(last.y[i] == ignored_target);
}

TEST_CASE("what makes no examples", "[data]") {
  const auto wrong = [](std::vector<Example> given, const data::BatchOptions& options) {
    return error_of([&] { ExampleBatches<Cpu>(std::move(given), options); });
  };
  CHECK(wrong(examples(2), {.batch = 0}) == "[examples] batch and context are at least 1: found 0 and 64");
  CHECK(wrong(examples(2), {.boundary = {0}}) == "[examples] found a boundary: examples have none inside them");
  CHECK(wrong({{{1, 2}, {true}}}, {}) == "[examples] found 2 ids and 1 marks, expected as many");
  CHECK(wrong({}, {}) ==
        "[examples] nothing to learn within a context of 64: found 0 examples without a token that counts");
  CHECK(wrong({example(0, 9, 1)}, {.context = 4}) ==
        "[examples] nothing to learn within a context of 4: found 1 examples without a token that counts");
  ExampleBatches<Cpu> batches(examples(2), {});
  CHECK(error_of([&] {
          batches.seek({0, 2});
        }) == "[examples] no such cursor: epoch 0, position 2, expected a position below 2");
}

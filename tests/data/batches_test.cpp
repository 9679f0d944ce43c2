// SPDX-License-Identifier: Apache-2.0
#include <atom/data/batches.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/data/char_vocab.hpp>

#include <map>
#include <numeric>
#include <set>

using namespace atom;
using data::Batches;
using data::ignored_target;

namespace {

std::vector<TokenId> ramp(Index count) {
  std::vector<TokenId> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

struct Filled {
  std::vector<TokenId> x, y;
  friend bool operator==(const Filled&, const Filled&) = default;
};

template <class D> Filled fill(Batches<D>& batches, Index size) {
  Filled filled{std::vector<TokenId>(static_cast<std::size_t>(size)),
                std::vector<TokenId>(static_cast<std::size_t>(size))};
  batches.fill(filled.x, filled.y);
  return filled;
}

// Documents 1 1 1 0 0, 2 2 2 2 0 0, ...: a boundary is 0 0.
std::vector<TokenId> documents(TokenId count, TokenId longest) {
  std::vector<TokenId> ids;
  for (TokenId i = 1; i <= count; ++i) {
    ids.insert(ids.end(), static_cast<std::size_t>(1 + i * 7 % longest), i);
    ids.insert(ids.end(), 2, 0);
  }
  return ids;
}

}  // namespace

TEST_CASE("targets are inputs one token later, as tensors", "[data]") {
  Batches<Cpu> batches(ramp(1000), {.batch = 3, .context = 5, .seed = 1});
  const auto [x, y] = batches.next();
  CHECK(x.shape() == Shape{3, 5});
  CHECK(y.shape() == Shape{3, 5});
  for (std::size_t i = 0; i < 15; ++i) {
    CHECK(y.to_vector()[i] == x.to_vector()[i] + 1);
    if (i % 5 > 0) CHECK(x.to_vector()[i] == x.to_vector()[i - 1] + 1);
  }
  CHECK(batches.targets() == 15);
}

TEST_CASE("the device is the default one, unless named", "[data]") {
  const data::CharVocab vocab("hello");
  const auto batches = Batches(vocab.encode("hello"), {.batch = 1, .context = 2});
  static_assert(std::is_same_v<decltype(batches), const Batches<Device>>);
}

TEST_CASE("an epoch has each window once, in an order of its own", "[data]") {
  for (const Index size : {6, 7, 10, 11, 100, 101, 104, 1003}) {
    Batches<Cpu> batches(ramp(size), {.batch = 1, .context = 5, .seed = 3});
    std::set<std::vector<TokenId>> orders;
    for (Index epoch = 0; epoch < 4; ++epoch) {
      std::vector<TokenId> starts;
      CHECK(batches.cursor() == data::BatchCursor{epoch, 0});
      for (Index i = 0; i < batches.windows(); ++i) starts.push_back(fill(batches, 5).x[0]);
      orders.insert(starts);
      std::ranges::sort(starts);
      for (std::size_t i = 1; i < starts.size(); ++i) CHECK(starts[i] == starts[i - 1] + 5);
      CHECK(starts.front() < 5);
      CHECK(starts.back() + 6 <= size);
    }
    CHECK(size - 1 - 5 * batches.windows() < 10);  // left out, less than two windows
    if (size > 100) CHECK(orders.size() == 4);
  }
}

TEST_CASE("epochs shift their windows, so that every token begins one", "[data]") {
  Batches<Cpu> batches(ramp(64), {.batch = 1, .context = 8, .seed = 5});
  std::set<TokenId> first;
  while (batches.cursor().epoch < 100) first.insert(fill(batches, 8).x[0] % 8);
  CHECK(first.size() == 8);
}

TEST_CASE("seeds differ, equal seeds agree", "[data]") {
  const auto draw = [](std::uint64_t seed) {
    Batches<Cpu> batches(ramp(5000), {.batch = 8, .context = 10, .seed = seed});
    return fill(batches, 80);
  };
  CHECK(draw(1) == draw(1));
  CHECK_FALSE(draw(1) == draw(2));
}

TEST_CASE("a cursor leads back to exactly the batch that followed it", "[data]") {
  for (const bool shuffle : {true, false})
    for (const auto& boundary : {std::vector<TokenId>{}, std::vector<TokenId>{0, 0}}) {
      const data::BatchOptions options{.batch = 3, .context = 8, .seed = 9, .shuffle = shuffle, .boundary = boundary};
      const auto ids = documents(40, 6);
      Batches<Cpu> batches(ids, options);
      std::vector<std::pair<data::BatchCursor, Filled>> seen;
      for (int i = 0; i < 60; ++i) {
        const auto cursor = batches.cursor();
        seen.emplace_back(cursor, fill(batches, 24));
      }
      CHECK(seen.back().first.epoch > 1);
      for (auto it = seen.rbegin(); it != seen.rend(); ++it) {
        Batches<Cpu> resumed(ids, options);
        resumed.seek(it->first);
        CHECK(fill(resumed, 24) == it->second);
        batches.seek(it->first);
        CHECK(fill(batches, 24) == it->second);
      }
    }
}

TEST_CASE("in order, every token is a target exactly once", "[data]") {
  for (const Index size : {6, 7, 11, 12, 100})
    for (const Index batch : {1, 3}) {
      Batches<Cpu> batches(ramp(size), {.batch = batch, .context = 5, .shuffle = false});
      TokenId expected = 1;
      Index targets = 0;
      while (batches.cursor().epoch == 0) {
        const auto [x, y] = fill(batches, batch * 5);
        targets += batches.targets();
        for (std::size_t i = 0; i < y.size(); ++i) {
          if (y[i] == ignored_target) continue;
          CHECK(x[i] == expected - 1);
          CHECK(y[i] == expected++);
        }
      }
      CHECK(expected == size);
      CHECK(targets == size - 1);
    }
}

TEST_CASE("windows begin with a document where one begins in their place", "[data]") {
  const auto ids = documents(300, 7);
  Batches<Cpu> batches(ids, {.batch = 2, .context = 12, .seed = 2, .boundary = {0, 0}});
  std::map<TokenId, int> begun;
  while (batches.cursor().epoch < 20) {
    const auto [x, y] = fill(batches, 24);
    for (std::size_t row = 0; row < 24; row += 12) {
      CHECK(x[row] == 0);
      CHECK(x[row + 1] != 0);
      ++begun[x[row + 1]];
      for (std::size_t i = row + 1; i < row + 12; ++i) CHECK(x[i] == y[i - 1]);
    }
  }
  CHECK(begun.size() >= 290);  // nearly all documents, over the epochs
}

TEST_CASE("in order with a boundary, every document is whole in one window", "[data]") {
  const auto ids = documents(100, 7);
  for (const Index batch : {1, 4}) {
    Batches<Cpu> batches(ids, {.batch = batch, .context = 20, .shuffle = false, .boundary = {0, 0}});
    std::vector<TokenId> targets;
    while (batches.cursor().epoch == 0) {
      const auto [x, y] = fill(batches, batch * 20);
      for (std::size_t row = 0; row < x.size(); row += 20) {
        const auto used = std::find(y.begin() + static_cast<std::ptrdiff_t>(row),
                                    y.begin() + static_cast<std::ptrdiff_t>(row) + 20, ignored_target);
        if (used == y.begin() + static_cast<std::ptrdiff_t>(row)) continue;
        CHECK((used[-1] == 0 && used[-2] == 0));
        targets.insert(targets.end(), y.begin() + static_cast<std::ptrdiff_t>(row), used);
      }
    }
    CHECK(targets == std::vector<TokenId>(ids.begin() + 1, ids.end()));
  }
}

TEST_CASE("documents longer than a window go on in the next", "[data]") {
  auto ids = ramp(100);
  for (const bool shuffle : {true, false}) {
    Batches<Cpu> batches(ids, {.batch = 2, .context = 7, .shuffle = shuffle, .boundary = {50, 51}});
    Index targets = 0;
    while (batches.cursor().epoch == 0) {
      fill(batches, 14);
      targets += batches.targets();
    }
    CHECK(targets >= 91);
    CHECK(targets <= 99);
  }
}

TEST_CASE("files give the batches that memory gives", "[data]") {
  const Scratch scratch;
  const auto ids = documents(200, 9);
  data::write_tokens(scratch / "a.bin", std::span(ids).first(500), {.vocab = 201});
  data::write_tokens(scratch / "b.bin", std::span(ids).subspan(500), {.vocab = 201});
  const data::BatchOptions options{.batch = 4, .context = 16, .seed = 4, .boundary = {0, 0}};
  Batches<Cpu> a(ids, options);
  Batches<Cpu> b(data::TokenFile(std::vector{scratch / "a.bin", scratch / "b.bin"}, {.vocab = 201}), options);
  for (int i = 0; i < 50; ++i) CHECK(fill(a, 64) == fill(b, 64));
}

TEST_CASE("a text shorter than a window, and other impossible wishes, are one sentence", "[data]") {
  CHECK(error_of([] { Batches<Cpu>(ramp(5), {.context = 5}); }) ==
        "[batches] the text is shorter than a window: found 5 tokens, expected at least 6 for a context of 5");
  CHECK(error_of([] { Batches<Cpu>(ramp(5), {.batch = 0}); }) ==
        "[batches] batch and context are at least 1: found 0 and 64");
  Batches<Cpu> batches(ramp(100), {.batch = 2, .context = 9});
  CHECK(error_of([&] {
          batches.seek({0, batches.windows()});
        }) == "[batches] no such cursor: epoch 0, position 10, expected a position below 10");
  CHECK(error_of([&] { batches.seek({-1, 0}); }).starts_with("[batches] no such cursor"));
  CHECK(error_of([&] { fill(batches, 17); }) == "[batches] room for a batch: found 17 and 17, expected 18");
}

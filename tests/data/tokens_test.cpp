// SPDX-License-Identifier: Apache-2.0
#include <atom/data/tokens.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <numeric>

using namespace atom;
using data::Tokens;

namespace {

std::vector<TokenId> all_of(const Tokens& tokens) {
  std::vector<TokenId> ids(static_cast<std::size_t>(tokens.size()));
  tokens.read(0, ids);
  return ids;
}

}  // namespace

TEST_CASE("a part reads like the whole, from memory and from a file", "[data]") {
  const Scratch scratch;
  std::vector<TokenId> ids(100);
  std::iota(ids.begin(), ids.end(), 0);
  data::write_tokens(scratch / "a.bin", ids, {.vocab = 100});
  for (const Tokens& tokens : {Tokens(ids), Tokens(data::TokenFile(scratch / "a.bin", {.vocab = 100}))}) {
    CHECK(all_of(tokens) == ids);
    const Tokens part = tokens.part(10, 40).part(5, 30);
    CHECK(all_of(part) == std::vector<TokenId>(ids.begin() + 15, ids.begin() + 40));
    CHECK(all_of(part.part(25, 25)).empty());
    CHECK(error_of([&] { part.part(5, 26); }) == "[tokens] no such part: found 5 to 26, expected a range in 0 to 25");
    std::vector<TokenId> room(3);
    CHECK(error_of([&] { part.read(23, room); }) ==
          "[tokens] read beyond the end: found 25 tokens, expected 3 from 23");
  }
}

TEST_CASE("a split leaves nothing out", "[data]") {
  std::vector<TokenId> ids(1000);
  std::iota(ids.begin(), ids.end(), 0);
  const auto [train, validation] = data::split(ids, {.validation = 0.25});
  CHECK(train.size() == 750);
  CHECK(validation.size() == 250);
  CHECK(all_of(validation).front() == 750);
  for (const double share : {0.0, 1.0, -0.5, 2.0})
    CHECK(
        error_of([&] { data::split(ids, {.validation = share}); }).starts_with("[split] the share is between 0 and 1"));
  CHECK(error_of([&] { data::split(std::vector<TokenId>{1}, {.validation = 0.5}); }) ==
        "[split] a part is without tokens: 1 tokens cut at 1");
}

TEST_CASE("a split at a boundary keeps documents whole", "[data]") {
  // Documents of many lengths, each ended by 0 0; some are longer than what is searched at once.
  std::vector<TokenId> ids;
  for (int document = 1; document <= 30; ++document) {
    ids.insert(ids.end(), static_cast<std::size_t>(document % 7 == 0 ? 9000 : document * 13), document);
    ids.insert(ids.end(), 2, 0);
  }
  for (int percent = 1; percent < 100; ++percent) {
    const double share = percent / 100.0;
    const auto wanted = ids.size() - static_cast<std::size_t>(static_cast<double>(ids.size()) * share);
    if (wanted + 400 > ids.size()) continue;  // the last document: see below
    const auto [train, validation] = data::split(ids, {.validation = share, .boundary = {0, 0}});
    const auto a = all_of(train), b = all_of(validation);
    CHECK(a.size() + b.size() == ids.size() + 1);
    CHECK(a.size() >= wanted);
    CHECK((a.back() == 0 && a[a.size() - 2] == 0));
    CHECK((b[0] == 0 && b[1] == a[a.size() - 3] + 1));
    // No boundary was passed over.
    const auto skipped =
        std::search(ids.begin() + static_cast<std::ptrdiff_t>(wanted) - 1, ids.end(), ids.end() - 2, ids.end());
    CHECK(skipped + 2 - ids.begin() >= static_cast<std::ptrdiff_t>(a.size()));
  }
  CHECK(error_of([&] {
          data::split(ids, {.validation = 0.001, .boundary = {0, 0}});
        }).starts_with("[split] a part is without tokens"));
  CHECK(error_of([&] { data::split(ids, {.boundary = {99}}); }).starts_with("[split] a part is without tokens"));
}

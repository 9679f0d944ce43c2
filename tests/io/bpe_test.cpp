// SPDX-License-Identifier: Apache-2.0
#include <atom/io/bpe.hpp>

#include "../catch.hpp"
#include "scratch.hpp"

#include <random>

using namespace atom;
using io::Bpe;
using io::BpeSymbols;

namespace {

std::vector<TokenId> encode(const Bpe& bpe, std::string_view word) {
  std::vector<TokenId> ids;
  io::BpeWorkspace work;
  bpe.encode_word(word, ids, work);
  return ids;
}

// The definition: the leftmost of the pairs of the lowest rank is merged, until there is none.
std::vector<TokenId> encode_slowly(const Bpe& bpe, std::string_view word) {
  std::vector<TokenId> ids;
  for (const char c : word) ids.push_back(bpe.find(std::string(1, c)));
  for (;;) {
    std::size_t best_rank = bpe.merges().size(), best = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i)
      for (std::size_t rank = 0; rank < best_rank; ++rank)
        if (bpe.merges()[rank] == io::TokenPair{ids[i], ids[i + 1]}) {
          best_rank = rank;
          best = i;
        }
    if (best_rank == bpe.merges().size()) return ids;
    const auto bytes = [&](std::size_t i) { return bpe.tokens()[static_cast<std::size_t>(ids[i])]; };
    ids[best] = bpe.find(bytes(best) + bytes(best + 1));
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

}  // namespace

TEST_CASE("merges happen in the order learnt, not in the order of the text", "[io]") {
  const Bpe bpe({"a", "b", "c", "bc", "ab", "abc"}, {{1, 2}, {0, 1}, {0, 3}}, BpeSymbols::bytes);
  CHECK(encode(bpe, "abc") == std::vector<TokenId>{5});
  CHECK(encode(bpe, "abab") == std::vector<TokenId>{4, 4});
  CHECK(encode(bpe, "aabcb") == std::vector<TokenId>{0, 5, 1});
  CHECK(encode(bpe, "").empty());
}

TEST_CASE("the heap finds what the definition finds", "[io]") {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<io::TokenPair> merges;
    for (int i = 0; i < 25; ++i) {
      const auto left = random() % tokens.size(), right = random() % tokens.size();
      const io::TokenPair pair{static_cast<TokenId>(left), static_cast<TokenId>(right)};
      const std::string merged = tokens[left] + tokens[right];
      if (std::ranges::find(merges, pair) != merges.end()) continue;
      merges.push_back(pair);
      if (std::ranges::find(tokens, merged) == tokens.end()) tokens.push_back(merged);
    }
    const Bpe bpe(tokens, merges, BpeSymbols::bytes);
    for (int i = 0; i < 40; ++i) {
      std::string word;
      for (auto length = random() % 30; length > 0; --length) word += static_cast<char>('a' + random() % 3);
      if (encode(bpe, word) != encode_slowly(bpe, word)) FAIL_CHECK("differs on " << word);
    }
  }
}

TEST_CASE("a long word is no trap", "[io]") {
  const Bpe bpe({"a", "aa", "aaaa"}, {{0, 0}, {1, 1}}, BpeSymbols::bytes);
  const auto ids = encode(bpe, std::string(1'000'003, 'a'));
  CHECK(ids.size() == 250'002);
  CHECK(ids.back() == 0);
}

TEST_CASE("characters as symbols", "[io]") {
  const Bpe bpe({"\xC3\xA9", "a",
                 "\xC3\xA9"
                 "a"},
                {{0, 1}}, BpeSymbols::characters);
  CHECK(encode(bpe,
               "a\xC3\xA9"
               "a") == std::vector<TokenId>{1, 2});
  CHECK(error_of([&] { encode(bpe, "\xE2\x82\xAC"); }) ==
        "[tokenizer] the character '\xE2\x82\xAC' (U+20AC) is not in the vocabulary");
  CHECK(error_of([&] { encode(bpe, "\xFF"); }) == "[tokenizer] the byte 255 is not in the vocabulary");
}

TEST_CASE("an impossible model is refused", "[io]") {
  CHECK(error_of([] {
          Bpe({"a", "b", "a"}, {}, BpeSymbols::bytes, "f");
        }) == "[f] a token is there twice: ids 0 and 2");
  CHECK(error_of([] {
          Bpe({"a", "b"}, {{0, 1}}, BpeSymbols::bytes, "f");
        }) == "[f] merge 0 makes a token that does not exist");
  CHECK(error_of([] {
          Bpe({"a", "b"}, {{0, 2}}, BpeSymbols::bytes, "f");
        }) == "[f] merge 0 is of a token that does not exist");
}

// SPDX-License-Identifier: Apache-2.0
#include <atom/data/char_vocab.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

using namespace atom;
using data::CharVocab;

TEST_CASE("characters are numbered in the order of their code points", "[data]") {
  const CharVocab vocab("zebra \xC3\xA9t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\n");
  CHECK(vocab.characters() == "\n abertz\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(vocab.size() == 11);
  CHECK(vocab.encode("a\n\xF0\x9F\x98\x80\xC3\xA9z") == std::vector<TokenId>{2, 0, 10, 8, 7});
  const CharVocab again(vocab.characters());
  CHECK(again.characters() == vocab.characters());
}

TEST_CASE("what a vocabulary encodes it decodes", "[data]") {
  const std::string text = "Sphinx of black quartz, \xC3\xBC\xCC\x88 judge my vow.\n\n";
  const CharVocab vocab(text);
  CHECK(vocab.decode(vocab.encode(text)) == text);
  CHECK(vocab.encode("").empty());
  CHECK(vocab.decode({}).empty());
}

TEST_CASE("what a vocabulary lacks is named with its place", "[data]") {
  const CharVocab vocab("abc\xC3\xA9");
  CHECK(error_of([&] { vocab.encode("abxc"); }) ==
        "[char_vocab] the character 'x' (U+0078) at byte 2 is not among the 4 of the vocabulary");
  CHECK(error_of([&] { vocab.encode("\xC3\xA9\xE2\x82\xAC"); }) ==
        "[char_vocab] the character '\xE2\x82\xAC' (U+20AC) at byte 2 is not among the 4 of the vocabulary");
  CHECK(error_of([&] { vocab.encode("a\n"); }) ==
        "[char_vocab] the character U+000A at byte 1 is not among the 4 of the vocabulary");
  CHECK(error_of([&] { vocab.encode("a\xC3"); }) ==
        "[char_vocab] the text is not UTF-8: found a bad sequence at byte 1");
  CHECK(error_of([&] {
          vocab.decode(std::vector<TokenId>{0, 4});
        }) == "[char_vocab] id out of range: found 4, expected 0 to 3");
  CHECK(error_of([&] { vocab.decode(std::vector<TokenId>{-1}); }) ==
        "[char_vocab] id out of range: found -1, expected 0 to 3");
  CHECK(error_of([&] { CharVocab(""); }) == "[char_vocab] the text is empty: a vocabulary needs a character");
  CHECK(error_of([&] { CharVocab("ok\x80"); }) == "[char_vocab] the text is not UTF-8: found a bad sequence at byte 2");
}

// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "scratch.hpp"

#include <atom/data/char_vocab.hpp>
#include <atom/io/bpe_trainer.hpp>

#include <random>
#include <thread>

using namespace atom;
using io::AddedToken;
using io::Tokenizer;

namespace {

io::Bpe letters() { return io::Bpe({"a", "b", "c", "ab"}, {{0, 1}}, io::BpeSymbols::bytes); }

const std::string text =
    "It was the best of times, it was the worst of times: na\xC3\xAFve caf\xC3\xA9s, \xE4\xB8\xAD\xE6\x96\x87, "
    "\xF0\x9F\x98\x80\xF0\x9F\x98\x80. <|endoftext|> They'll   see\t12 times 345.\n\n";

}  // namespace

TEST_CASE("added tokens are found first: the leftmost, and of those the longest", "[io]") {
  const Tokenizer tokenizer(letters(), io::Splitter::gpt2,
                            {{5, "<a>"}, {4, "<a><a>"}, {3, "ab", false}, {9, "c<", false}});
  CHECK(tokenizer.encode("<a>") == std::vector<TokenId>{5});
  CHECK(tokenizer.encode("a<a><a><a>ab") == std::vector<TokenId>{0, 4, 5, 3});
  CHECK(tokenizer.size() == 10);
  CHECK(tokenizer.encode("bc<a") == std::vector<TokenId>{1, 9, 0});
}

TEST_CASE("decoding gives the text back, and can leave special tokens out", "[io]") {
  const Tokenizer tokenizer(letters(), io::Splitter::gpt2, {{4, "<|end|>"}, {5, "<b>", false}});
  const auto ids = tokenizer.encode("abc<|end|>cab<b>");
  CHECK(ids == std::vector<TokenId>{3, 2, 4, 2, 3, 5});
  CHECK(tokenizer.decode(ids) == "abc<|end|>cab<b>");
  CHECK(tokenizer.decode(ids, {.skip_special = true}) == "abccab<b>");
  CHECK(tokenizer.find("<b>") == 5);
  CHECK(tokenizer.find("ab") == 3);
  CHECK_FALSE(tokenizer.find("abc").has_value());
}

TEST_CASE("a stream never ends inside a character, and says what decoding says", "[io]") {
  const Tokenizer tokenizer = io::train_bpe(text, {.size = 270});
  auto ids = tokenizer.encode(text);
  CHECK(tokenizer.decode(ids) == text);
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    io::StreamDecoder stream(tokenizer);
    std::string joined;
    for (const TokenId id : ids) {
      const std::string_view part = stream.push(id);
      for (std::size_t at = 0; at < part.size(); at += utf8_at(part, at).length)
        if (utf8_at(part, at).code == no_character) FAIL_CHECK("half a character");
      joined += part;
    }
    joined += stream.finish();
    CHECK(joined == tokenizer.decode(ids));
    for (TokenId& id : ids) id = static_cast<TokenId>(random() % static_cast<std::uint64_t>(tokenizer.size()));
  }
}

TEST_CASE("bytes that are no character show as U+FFFD", "[io]") {
  const Tokenizer tokenizer = io::train_bpe("", {.size = 256, .special = {}});
  const auto decoded = [&](const std::string& bytes) { return tokenizer.decode(tokenizer.encode(bytes)); };
  CHECK(decoded("a\xFF"
                "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(decoded("\xE4\xB8") == "\xEF\xBF\xBD");  // cut by the end
  CHECK(decoded("\xF0\x9F\x41") ==
        "\xEF\xBF\xBD"
        "A");  // cut by another character
  CHECK(decoded("\xE4\xB8\xAD") == "\xE4\xB8\xAD");
}

TEST_CASE("the words remembered during an encoding change nothing", "[io]") {
  const Tokenizer tokenizer = io::train_bpe(text, {.size = 400});
  std::mt19937 random(6);
  std::string long_text;
  std::vector<TokenId> expected;
  io::BpeWorkspace work;
  for (int i = 0; i < 20000; ++i) {
    std::string word = " ";
    for (auto length = 1 + random() % 4; length > 0; --length) word += static_cast<char>('a' + random() % 26);
    long_text += word;
    tokenizer.model().encode_word(word, expected, work);
  }
  CHECK(tokenizer.encode(long_text) == expected);
}

TEST_CASE("one tokenizer serves several threads", "[io]") {
  const Tokenizer tokenizer = io::train_bpe(text, {.size = 400});
  const auto expected = tokenizer.encode(text);
  std::vector<int> same(4);
  std::vector<std::thread> threads;
  for (int& flag : same)
    threads.emplace_back([&] {
      flag = 1;
      for (int i = 0; i < 50; ++i) flag &= tokenizer.encode(text) == expected && tokenizer.decode(expected) == text;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(same == std::vector<int>{1, 1, 1, 1});
}

TEST_CASE("characters get the ids of data::CharVocab", "[io]") {
  const data::CharVocab vocab(text);
  const Tokenizer tokenizer = io::character_tokenizer(text);
  CHECK(tokenizer.size() == vocab.size());
  CHECK(tokenizer.encode(text) == vocab.encode(text));
  CHECK(tokenizer.decode(vocab.encode(text)) == text);
  CHECK(error_of([&] { tokenizer.encode("why?"); }) ==
        "[tokenizer] the character '?' (U+003F) is not in the vocabulary");
  CHECK(error_of([] { io::character_tokenizer(""); }) ==
        "[tokenizer] the text is empty: a vocabulary needs a character");
  CHECK(error_of([] { io::character_tokenizer("a\xFF"); }) ==
        "[tokenizer] the text is not UTF-8: found a bad sequence at byte 1");
}

TEST_CASE("impossible tokens are refused", "[io]") {
  const auto error = [](std::vector<AddedToken> added) {
    return error_of([&] { Tokenizer(letters(), io::Splitter::gpt2, added, "f"); });
  };
  CHECK(error({{4, ""}}) == "[f] an added token needs a text and an id: found '', 4");
  CHECK(error({{-1, "x"}}) == "[f] an added token needs a text and an id: found 'x', -1");
  CHECK(error({{4, "x"}, {4, "y"}}) == "[f] two added tokens have the id 4");
  CHECK(error({{4, "x"}, {5, "x"}}) == "[f] the added token 'x' is there twice");
  CHECK(error({{2, "x"}}) == "[f] the added token 'x' and the vocabulary disagree on id 2");
  CHECK(error({{4, "ab"}}) == "[f] the added token 'ab' and the vocabulary disagree on id 4");
  const Tokenizer tokenizer(letters(), io::Splitter::gpt2, {{6, "x"}});
  CHECK(error_of([&] { tokenizer.decode(std::vector<TokenId>{7}); }) ==
        "[tokenizer] no token has the id 7: the vocabulary has 7");
  CHECK(error_of([&] { tokenizer.decode(std::vector<TokenId>{5}); }) ==
        "[tokenizer] no token has the id 5: the vocabulary has 7");
  CHECK(error_of([&] { tokenizer.encode("d"); }) == "[tokenizer] the byte 100 is not in the vocabulary");
}

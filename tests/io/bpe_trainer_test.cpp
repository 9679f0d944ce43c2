// SPDX-License-Identifier: Apache-2.0
#include <atom/io/bpe_trainer.hpp>

#include "../catch.hpp"
#include "scratch.hpp"

#include <map>
#include <random>

using namespace atom;
using io::train_bpe;

namespace {

std::string story(int times) {
  std::string text;
  for (int i = 0; i < times; ++i)
    text +=
        "the cat sat on the mat. the cat's hat isn't on the mat, it's on the cat; they're 12 cats, 123 hats.\n\n"
        "  The end  of the tale: \xC3\xA9 \xC3\xA9 \xC3\xA9 na\xC3\xAFve na\xC3\xAFve \xE4\xB8\xAD\xE6\x96\x87 "
        "\xE4\xB8\xAD\xE6\x96\x87 \xE4\xB8\xAD\xE6\x96\x87!!!\n";
  return text;
}

std::string merges_of(const io::Tokenizer& tokenizer) {
  std::string text;
  for (const auto& [left, right] : tokenizer.model().merges()) {
    const auto spelled = [&](TokenId id) {
      return io::spell_bytes(tokenizer.model().tokens()[static_cast<std::size_t>(id)]);
    };
    text += spelled(left) + '+' + spelled(right) + ' ';
  }
  return text;
}

// The definition: count all pairs anew for every merge.
std::vector<io::TokenPair> train_slowly(std::string_view text, std::size_t size) {
  const auto plain = train_bpe("", {.size = 256, .special = {}});
  std::vector<std::string> tokens = plain.model().tokens();
  std::vector<std::vector<TokenId>> words;
  io::split_gpt2(text, [&](std::string_view word) {
    auto& ids = words.emplace_back();
    for (const char c : word) ids.push_back(plain.model().find(std::string(1, c)));
  });
  std::vector<io::TokenPair> merges;
  std::map<io::TokenPair, int> done;
  while (tokens.size() < size) {
    std::map<io::TokenPair, int> counts;
    for (const auto& word : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
    io::TokenPair best;
    int most = 1;
    for (const auto& [pair, count] : counts)
      if (count > most && !done.contains(pair)) std::tie(best, most) = std::pair(pair, count);
    if (most < 2) break;
    done[best] = 1;
    merges.push_back(best);
    const std::string merged =
        tokens[static_cast<std::size_t>(best.left)] + tokens[static_cast<std::size_t>(best.right)];
    auto id = static_cast<TokenId>(std::ranges::find(tokens, merged) - tokens.begin());
    if (static_cast<std::size_t>(id) == tokens.size()) tokens.push_back(merged);
    for (auto& word : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i)
        if (word[i] == best.left && word[i + 1] == best.right) {
          word[i] = id;
          word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
  }
  return merges;
}

}  // namespace

// Outside numbers: Hugging Face tokenizers 0.23.3, BpeTrainer(vocab_size=310, min_frequency=2, byte alphabet).
TEST_CASE("the merges are those of Hugging Face's trainer", "[io]") {
  const auto tokenizer = train_bpe(story(3), {.size = 310, .special = {}});
  CHECK(merges_of(tokenizer) ==
        "a+t h+e t+he Ġ+the c+at Ġ+o Ġ+cat ¸+Ń Ã+© ä+¸Ń æ+ĸ Ġ+Ã© Ġ+ä¸Ń Ġo+n æĸ+ĩ Ġä¸Ń+æĸĩ !+! '+s 1+2 a+Ã "
        "h+at m+at n+aÃ v+e ¯+ve Ġ+i Ġ+12 Ġ+hat Ġ+mat Ġ+naÃ ĠnaÃ+¯ve '+r '+t T+he a+l e+n s+n s+at t+al Ċ+Ċ "
        "Ġ+The Ġ+en Ġ+sat Ġ+tal Ġthe+y Ġo+f Ġcat+s !!+! Ġi+t Ġi+sn Ġ12+3 Ġhat+s 'r+e ĊĊ+Ġ ");
  CHECK(tokenizer.encode("the cats aren't they're 1234") ==
        std::vector<TokenId>{258, 302, 220, 64, 81, 291, 288, 300, 308, 306, 19});
  CHECK(tokenizer.encode("  the\n\n the  ") == std::vector<TokenId>{220, 259, 295, 259, 220, 220});
  CHECK(tokenizer.encode("na\xC3\xAFve \xE4\xB8\xAD\xE6\x96\x87, \xC3\xA9!!!") ==
        std::vector<TokenId>{278, 280, 271, 11, 267, 303});
  CHECK(tokenizer.encode("I'll've 's ''s\xE3\x80\x80x\xC2\xA0y\t\t12a\xD9\xA3\xC2\xBD") ==
        std::vector<TokenId>{40,  6,   75, 75,  6,   279, 220, 6,   82,  220, 6,   6,  82,  159,
                             222, 222, 87, 126, 254, 88,  197, 197, 274, 64,  149, 96, 126, 121});
}

TEST_CASE("the index and the heap find what counting anew finds", "[io]") {
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    std::string text;
    const auto letters = 1 + random() % 3;
    for (auto length = 50 + random() % 400; length > 0; --length)
      text += random() % 6 == 0 ? ' ' : static_cast<char>('a' + random() % letters);
    const auto tokenizer = train_bpe(text, {.size = 320, .special = {}});
    if (tokenizer.model().merges() != train_slowly(text, 320)) FAIL_CHECK("differs on '" << text << "'");
  }
}

TEST_CASE("special tokens come last and are not learnt across", "[io]") {
  const std::string text = "ab<|x|>ab<|x|>ab<|x|>";
  const auto tokenizer = train_bpe(text, {.size = 300, .special = {"<|x|>", "<|y|>"}});
  CHECK(tokenizer.model().merges().size() == 1);
  CHECK(tokenizer.size() == 259);
  CHECK(tokenizer.find("<|x|>") == 257);
  CHECK(tokenizer.encode(text) == std::vector<TokenId>{256, 257, 256, 257, 256, 257});
  CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
}

TEST_CASE("a vocabulary that cannot be is refused", "[io]") {
  CHECK(error_of([] { train_bpe("text", {.size = 256}); }) ==
        "[train_bpe] vocabulary too small: found 256, expected at least 257 for the bytes and the special tokens");
  CHECK(error_of([] { train_bpe("text", {.special = {"a", "a"}}); }).starts_with("[train_bpe] "));
  CHECK(error_of([] { train_bpe("text", {.special = {""}}); }).starts_with("[train_bpe] "));
}

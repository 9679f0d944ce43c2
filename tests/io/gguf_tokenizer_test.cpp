// SPDX-License-Identifier: Apache-2.0
#include <atom/io/gguf_tokenizer.hpp>

#include "../catch.hpp"
#include "scratch.hpp"

#include <random>

using namespace atom;
using Ids = std::vector<TokenId>;

namespace {

io::GgufVocabulary sentencepiece() {
  io::GgufVocabulary vocabulary{
      .model = "llama",
      .tokens = {"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "\u2581", "a", "b", "\u2581a", "ab", "\u2581ab", "[user]"},
      .scores = {0, 0, 0, 0, 0, -5, -6, -7, -2, -1, -3, -1000},
      .types = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 4}};
  return vocabulary;
}

}  // namespace

TEST_CASE("SentencePiece by score: the highest first, bytes for what is no token", "[io]") {
  const auto tokenizer = io::make_tokenizer(sentencepiece(), "f");
  CHECK(tokenizer.encode("ab") == Ids{1, 10});  // ab, then with the mark before it
  CHECK(tokenizer.encode("aab", {.add_special = false}) == Ids{8, 9});
  CHECK(tokenizer.encode("a\u00E9") == Ids{1, 8, 3, 4});
  CHECK(tokenizer.encode("a<s>a") == Ids{1, 8, 1, 8});  // the prefix comes again
  CHECK(tokenizer.encode("[user] b") == Ids{1, 11, 5, 5, 7});
  CHECK(tokenizer.encode("z", {.add_special = false}) == Ids{5, 0});
  CHECK(tokenizer.decode(Ids{1, 8, 3, 4, 10}, {.skip_special = true}) == "a\u00E9 ab");
  auto without = sentencepiece();
  without.add_space_prefix = false;
  without.add_bos = false;
  without.add_eos = true;
  CHECK(io::make_tokenizer(without, "f").encode("ab") == Ids{9, 2});
}

TEST_CASE("merging by score is its definition", "[io]") {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    io::GgufVocabulary from{
        .model = "llama", .tokens = {"<unk>", "a", "b"}, .add_bos = false, .add_space_prefix = false};
    for (int i = 0; i < 15; ++i) {
      std::string token;
      for (auto length = 2 + random() % 4; length > 0; --length) token += "abz"[random() % (round % 2 == 0 ? 2 : 3)];
      if (std::ranges::find(from.tokens, token) == from.tokens.end()) from.tokens.push_back(token);
    }
    for (std::size_t i = 0; i < from.tokens.size(); ++i) from.scores.push_back(-static_cast<float>(random() % 8));
    from.types.assign(from.tokens.size(), 1);
    const auto tokenizer = io::make_tokenizer(from, "f");
    const auto score_of = [&](const std::string& text) {
      const auto found = std::ranges::find(from.tokens, text) - from.tokens.begin();
      return found == std::ssize(from.tokens) ? -1e9F : from.scores[static_cast<std::size_t>(found)];
    };
    for (int i = 0; i < 20; ++i) {
      std::vector<std::string> parts;
      std::string text;
      for (auto length = random() % 12; length > 0; --length) text += parts.emplace_back(1, "abz"[random() % 3]);
      for (;;) {
        std::size_t best = parts.size();
        float best_score = -1e8F;
        for (std::size_t k = 0; k + 1 < parts.size(); ++k)
          if (const float score = score_of(parts[k] + parts[k + 1]); score > best_score) {
            best = k;
            best_score = score;
          }
        if (best == parts.size()) break;
        parts[best] += parts[best + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      }
      Ids expected;
      for (const std::string& part : parts) expected.push_back(tokenizer.find(part).value_or(0));
      if (tokenizer.encode(text) != expected) FAIL_CHECK("differs on " << text);
    }
  }
}

TEST_CASE("byte-level vocabularies: splitters by name", "[io]") {
  io::GgufVocabulary from{.model = "gpt2", .pre = "gpt-2"};
  for (const unsigned char byte : io::bytes_by_letter)
    from.tokens.push_back(io::spell_bytes(std::string(1, static_cast<char>(byte))));
  from.tokens.insert(from.tokens.end(), {"12", "<|end|>", "  ", "123", "xyz"});
  from.types.assign(256, 1);
  from.types.insert(from.types.end(), {1, 3, 4, 1, 1});
  from.merges = {"1 2", "12 3"};
  from.bos = 257;
  const auto encode = [&](std::string_view pre, std::string_view text) {
    from.pre = pre;
    return io::make_tokenizer(from, "f").encode(text);
  };
  const TokenId one = 16, x = 87;
  CHECK(encode("gpt-2", "123") == Ids{259});
  CHECK(encode("qwen2", "123") == Ids{one, one + 1, one + 2});
  CHECK(encode("llama-bpe", "xyz  123") == Ids{257, 260, 258, 259});
  CHECK(encode("gpt-4o", "xyz<|end|>") == Ids{x, x + 1, x + 2, 257});
  for (const char* name : {"", "default", "falcon", "deepseek-llm", "deepseek-coder", "deepseek-v3", "kimi-k2", "bloom",
                           "smollm", "glm4", "qwen35", "tekken"})
    CHECK(io::split_of_gguf(name).has_value());
  CHECK(error_of([&] { encode("unheard-of", "a"); }) == R"([f] the pre-tokenizer "unheard-of" is not known)");
}

TEST_CASE("vocabularies that cannot be are refused", "[io]") {
  const auto error = [](auto change) {
    auto vocabulary = sentencepiece();
    change(vocabulary);
    return error_of([&] { io::make_tokenizer(vocabulary, "f"); });
  };
  CHECK(error([](auto& v) { v.model = "bert"; }) == R"([f] the tokenizer model "bert" is not supported)");
  CHECK(error([](auto& v) { v.scores.pop_back(); }) == "[f] found 12 tokens, 11 scores and 12 token types");
  CHECK(error([](auto& v) { v.scores[3] = std::nanf(""); }) == "[f] a score is not a number");
  CHECK(error([](auto& v) { v.scores.assign(12, -1000); }) ==
        "[f] all scores are -1000: the file was converted without them");
  CHECK(error([](auto& v) { v.tokens[7] = "a"; }) == "[f] a token is there twice: ids 6 and 7");
  CHECK(error([](auto& v) { v.bos = 99; }) == "[f] no token has the id 99 that is put around a text");
  CHECK(error([](auto& v) {
          v.model = "gemma4";
          v.merges = {"ab"};
        }) == R"([f] found the merge "ab", expected two tokens)");
}

TEST_CASE("a vocabulary is read from the values of a file", "[io]") {
  io::GgufMetadata metadata;
  const auto from = sentencepiece();
  metadata.set("tokenizer.ggml.model", from.model);
  metadata.set("tokenizer.ggml.tokens", from.tokens);
  metadata.set("tokenizer.ggml.scores", from.scores);
  metadata.set("tokenizer.ggml.token_type", from.types);
  metadata.set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  metadata.set("tokenizer.ggml.add_space_prefix", false);
  CHECK(io::gguf_tokenizer(metadata, "f").encode("ab") == Ids{1, 9});
}

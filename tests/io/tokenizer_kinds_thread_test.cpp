// SPDX-License-Identifier: Apache-2.0
// One small tokenizer of each kind against the ids and texts of Hugging Face's tokenizers and of tiktoken.
#include "../catch.hpp"
#include "scratch.hpp"

#include <atom/io/tiktoken.hpp>
#include <atom/io/tokenizer_json.hpp>

#include <random>
#include <thread>

using namespace atom;
using io::Tokenizer;

namespace {

const std::string folder = ATOM_TEST_DIR "/io/tokenizers/";

struct Case {
  std::string text, decoded, plain;
  std::vector<TokenId> ids;
  bool add_special;
};

std::vector<Case> cases_of(const std::string& name) {
  std::vector<Case> cases;
  const io::Json file = io::read_json(folder + name + ".cases.json");
  for (const io::Json& entry : file.elements()) {
    const auto decoded = entry.get<std::string>("decoded");
    cases.push_back({entry.get<std::string>("text"), decoded, entry.get_or("decoded_plain", decoded),
                     entry.get<std::vector<TokenId>>("ids"), entry.get_or("add_special", true)});
  }
  return cases;
}

Tokenizer load(const std::string& name) {
  if (name == "kimi")
    return io::parse_tiktoken(io::read_file(folder + "kimi.model"), "kimi.model",
                              io::read_json(folder + "kimi.config.json"), "kimi.config.json");
  return io::load_tokenizer(folder + name + ".json");
}

bool agrees(const Tokenizer& tokenizer, const Case& entry) {
  return tokenizer.encode(entry.text, {.add_special = entry.add_special}) == entry.ids &&
         tokenizer.decode(entry.ids) == entry.decoded &&
         tokenizer.decode(entry.ids, {.skip_special = true}) == entry.plain;
}

constexpr const char* names[] = {"gpt2", "qwen", "gpt_oss", "llama3", "llama2", "mistral", "gemma3", "kimi"};

}  // namespace

TEST_CASE("ids and texts are those of the reference, for each kind", "[io]") {
  for (const std::string name : names) {
    const Tokenizer tokenizer = load(name);
    for (const Case& entry : cases_of(name))
      if (!agrees(tokenizer, entry)) FAIL_CHECK(name << " differs on " << io::in_quotes(entry.text));
  }
}

TEST_CASE("each kind is saved and loaded the same", "[io]") {
  const Scratch scratch;
  for (const std::string name : names) {
    const Tokenizer tokenizer = load(name);
    if (name == "kimi") {
      CHECK(error_of([&] { io::to_json_text(tokenizer); }) ==
            "[save_tokenizer] a tokenizer without merges cannot be a tokenizer.json");
      continue;
    }
    io::save_tokenizer(scratch.path(), tokenizer);
    const Tokenizer again = io::load_tokenizer(scratch.path());
    CHECK(io::to_json_text(again) == io::to_json_text(tokenizer));
    for (const Case& entry : cases_of(name))
      if (!agrees(again, entry)) FAIL_CHECK(name << " differs on " << io::in_quotes(entry.text));
  }
}

TEST_CASE("any tokens stream as whole characters, and as decoding says", "[io]") {
  std::mt19937 random(4);
  for (const std::string name : names) {
    const Tokenizer tokenizer = load(name);
    const auto size = static_cast<std::uint64_t>(tokenizer.size());
    for (int round = 0; round < 300; ++round) {
      std::vector<TokenId> ids(random() % 12);
      for (TokenId& id : ids) id = static_cast<TokenId>(random() % (round % 2 == 0 ? 300 : size));
      io::StreamDecoder stream(tokenizer, {.skip_special = round % 3 == 0});
      std::string joined;
      const auto add = [&](std::string_view part) {
        for (std::size_t at = 0; at < part.size(); at += utf8_at(part, at).length)
          if (utf8_at(part, at).code == no_character) FAIL_CHECK(name << ": half a character");
        joined += part;
      };
      for (const TokenId id : ids) add(stream.push(id));
      add(stream.finish());
      if (joined != tokenizer.decode(ids, {.skip_special = round % 3 == 0})) FAIL_CHECK(name << ": another text");
    }
  }
}

TEST_CASE("byte-level decoding undoes encoding, whatever the text", "[io]") {
  std::mt19937 random(9);
  for (const std::string name : {"gpt2", "llama3", "kimi"}) {
    const Tokenizer tokenizer = load(name);
    for (int round = 0; round < 500; ++round) {
      std::string text;
      for (auto length = random() % 20; length > 0; --length) {
        auto code = static_cast<char32_t>(random() % (round % 2 == 0 ? 0x250U : 0x30000U));
        if (code >= 0xD800 && code < 0xE000) code = ' ';
        append_utf8(text, code);
      }
      if (tokenizer.decode(tokenizer.encode(text, {.add_special = false})) != text)
        FAIL_CHECK(name << " loses " << io::in_quotes(text));
    }
  }
}

TEST_CASE("time is linear in texts made to be slow", "[io]") {
  for (const std::string name : names) {
    const Tokenizer tokenizer = load(name);
    for (const std::string piece : {"a", " ", "\n", "A", "\xCC\x81", "\xCC\x81\xCC\xA7", "'", "<", "<|im_", " \n",
                                    "\xE2\x96\x81", "\xE4\xB8\xAD", "1", "a\xCC\x81", "\xF0\x9F\x99\x82", "Aa", "."}) {
      std::string text;
      while (text.size() < 100'000) text += piece;
      CHECK_FALSE(tokenizer.encode(text + "x").empty());
    }
  }
}

TEST_CASE("one tokenizer of each kind serves several threads", "[io]") {
  for (const std::string name : {"qwen", "llama2", "kimi"}) {
    const Tokenizer tokenizer = load(name);
    const auto cases = cases_of(name);
    std::vector<int> good(4);
    std::vector<std::thread> threads;
    for (int& flag : good)
      threads.emplace_back([&] {
        flag = 1;
        for (const Case& entry : cases) flag &= agrees(tokenizer, entry) ? 1 : 0;
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(good == std::vector<int>{1, 1, 1, 1});
  }
}

TEST_CASE("damaged files are refused, whatever the damage", "[io]") {
  std::mt19937 random(2);
  for (const std::string name : {"llama2", "qwen"}) {
    const std::string text = io::read_file(folder + name + ".json");
    for (int round = 0; round < 150; ++round) {
      std::string damaged = text;
      if (round % 3 == 0) damaged.resize(random() % damaged.size());
      for (auto changes = random() % 4; changes > 0 && !damaged.empty(); --changes)
        damaged[random() % damaged.size()] = "\"{}[]:,09-e\\\xFF"[random() % 13];
      const auto error = error_of([&] { io::parse_tokenizer(damaged, "f"); });
      CHECK((error == "no error" || error.starts_with("[f] ")));
    }
  }
}

TEST_CASE("tiktoken files are read, and damaged ones refused", "[io]") {
  const auto parse = [](std::string_view text) { return io::parse_tiktoken(text, "f", io::Splitter::llama3); };
  const Tokenizer tokenizer = parse("YQ== 0\nYg== 1\nYWI= 2\nYmE= 3\r\nYWJhYg== 5\n");
  CHECK(tokenizer.encode("ab") == std::vector<TokenId>{2});
  CHECK(tokenizer.encode("aba") == std::vector<TokenId>{2, 0});
  CHECK(tokenizer.encode("abab") == std::vector<TokenId>{5});
  CHECK(tokenizer.encode("ababa") == std::vector<TokenId>{5, 0});
  CHECK(tokenizer.size() == 6);
  CHECK(error_of([&] { parse(""); }) == "[f] there is no token in it");
  for (const char* bad : {"YQ==", "YQ== x", "YQ== -1", "YQ= 0", "Y*== 0", " 0", "YQ==  0", "YR== 0"})
    CHECK(error_of([&] { parse(bad); }) ==
          "[f] line 1: found \"" + std::string(bad) + "\", expected base64 and a rank");
  CHECK(error_of([&] { parse("YQ== 0\nYg== 0"); }) == "[f] line 2: the rank 0 is there twice");
  CHECK(error_of([&] { parse("YQ== 0\nYQ== 1"); }) == "[f] a token is there twice: ids 0 and 1");
  CHECK(error_of([&] { parse("YQ== 4000000000"); }) == "[f] line 1: the rank 4000000000 is out of range");
  CHECK(error_of([&] {
          io::parse_tiktoken("YQ== 0", "f", io::parse_json(R"({"tokenizer_class": "Other"})", "c"), "c");
        }) == R"([c] the tokenizer_class "Other" is not supported)");
}

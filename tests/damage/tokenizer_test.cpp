// SPDX-License-Identifier: Apache-2.0
// Damaged tokenizer.json and tiktoken files: each ends in an error of one sentence or in a tokenizer that encodes any
// text or says why not, and no small file makes the reader hold much memory.
#include "damage/texts.hpp"

#include <atom/io/tiktoken.hpp>
#include <atom/io/tokenizer_json.hpp>

using namespace atom;

namespace {

// Encodes and decodes; a text with characters that the vocabulary lacks is an error of the tokenizer.
void use(const io::Tokenizer& tokenizer) {
  for (const std::string_view text : {"ab  c<|e|>\n 12 \xE2\x96\x81 na\xC3\xAFve\xFF", "abab cab", ""}) {
    const std::string message = [&]() -> std::string {
      try {
        const auto ids = tokenizer.encode(text);
        for (const TokenId id : ids)
          if (id < 0 || id >= tokenizer.size()) return "an id that is no token";
        static_cast<void>(tokenizer.decode(ids));
        return {};
      } catch (const Error& error) {
        return std::string_view(error.what()).starts_with("[tokenizer] ") ? "" : error.what();
      }
    }();
    if (!message.empty()) FAIL(message);
  }
}

bool judge_json(std::string_view text, damage::Verdicts& verdicts) {
  return damage::judge(text, {"f]", "f: "}, verdicts,
                       [](std::string_view content) { use(io::parse_tokenizer(content, "f")); });
}
bool judge_tiktoken(std::string_view text, damage::Verdicts& verdicts) {
  return damage::judge(text, {"f]"}, verdicts,
                       [](std::string_view content) { use(io::parse_tiktoken(content, "f", io::Splitter::gpt4o)); });
}

}  // namespace

TEST_CASE("every truncation and every flipped bit of a tokenizer.json") {
  damage::Verdicts verdicts;
  for (std::string text : damage::seeds("tokenizer")) {
    text.resize(std::min(text.find('\0'), text.size()));
    REQUIRE(judge_json(text, verdicts));
    for (std::size_t size = 0; size < text.size(); ++size) REQUIRE_FALSE(judge_json(text.substr(0, size), verdicts));
    damage::truncate_and_flip(text, [&](const std::string& damaged) { judge_json(damaged, verdicts); });
  }
  CHECK(verdicts.rejected > 10'000);
  CHECK(verdicts.accepted > 500);
  CHECK(verdicts.memory < damage::MiB);
}

TEST_CASE("every truncation and every flipped bit of a tiktoken file") {
  damage::Verdicts verdicts;
  for (std::string text : damage::seeds("tiktoken")) {
    text = text.substr(1, std::min(text.find('\0'), text.size()) - 1);
    REQUIRE(judge_tiktoken(text, verdicts));
    damage::truncate_and_flip(text, [&](const std::string& damaged) { judge_tiktoken(damaged, verdicts); });
  }
  CHECK(verdicts.rejected > 300);
  CHECK(verdicts.accepted > 100);  // the format has no end: whole lines may be missing
  CHECK(verdicts.memory < damage::MiB);
}

TEST_CASE("tokenizers of 200 bytes hold less than 1 MiB") {
  damage::Verdicts verdicts;
  const auto json = [](const std::string& vocab) {
    return R"({"added_tokens":[],"model":{"type":"BPE","merges":[],"vocab":{)" + vocab + "}}}";
  };
  for (const std::string id : {"0", "80", "200", "1000000000", "1000000000000000000"})
    judge_json(json("\"a\":" + id), verdicts);
  judge_json(R"({"added_tokens":[{"id":150,"content":"a"}],"model":{"vocab":{},"merges":[]}})" + std::string(100, ' '),
             verdicts);
  judge_json(R"({"post_processor":{"type":"TemplateProcessing","single":[]},"model":{"vocab":{},"merges":[]}})",
             verdicts);
  judge_json(std::string(200, '['), verdicts);
  for (const std::string rank : {"0", "1000", "1025", "4294967295", "18446744073709551615", "99999999999999999999"})
    judge_tiktoken("YQ== " + rank, verdicts);
  judge_tiktoken(std::string(200, '\n') + "YQ== 1400", verdicts);
  CHECK(verdicts.accepted >= 4);
  CHECK(verdicts.memory < damage::MiB);
}

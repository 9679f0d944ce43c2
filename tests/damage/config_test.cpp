// SPDX-License-Identifier: Apache-2.0
// Damaged config.json files: each ends in an error of one sentence or in a configuration, and costs no memory to speak
// of, whatever sizes it claims.
#include "damage/texts.hpp"

#include <atom/io/json.hpp>
#include <atom/pretrained/families.hpp>

using namespace atom;

namespace {

bool judge(std::string_view text, damage::Verdicts& verdicts) {
  return damage::judge(text, {"config.json", "config", "model/config.json"}, verdicts, [](std::string_view content) {
    const auto model = pretrained::read_config(io::parse_json(content, "model/config.json"));
    const auto& c = model.config;
    if (c.layers > models::max_layers || c.width > models::max_size || models::resolved(c) != c) FAIL(content);
  });
}

// Where the numbers of a JSON text stand: offset and length.
std::vector<std::pair<std::size_t, std::size_t>> numbers_of(const std::string& text) {
  std::vector<std::pair<std::size_t, std::size_t>> numbers;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789.e+-", at), text.size());
    if (end > at && (text[at - 1] == ':' || text[at - 1] == ',' || text[at - 1] == '['))
      numbers.emplace_back(at, end - at);
    at = end + 1;
  }
  return numbers;
}

const int warm = [] {  // the table of families stays
  pretrained::families();
  return 0;
}();

}  // namespace

TEST_CASE("every truncation and every flipped bit of a config") {
  damage::Verdicts verdicts;
  for (const std::string& text : damage::seeds("config")) {
    REQUIRE(judge(text, verdicts));
    damage::truncate_and_flip(text, [&](const std::string& damaged) { judge(damaged, verdicts); });
    for (std::size_t size = 0; size < text.size(); ++size) REQUIRE_FALSE(judge(text.substr(0, size), verdicts));
  }
  CHECK(verdicts.rejected > 10'000);
  CHECK(verdicts.accepted > 1'000);  // flips in numbers, and in the names of what has a default
  CHECK(verdicts.memory < damage::MiB);
}

TEST_CASE("every number of a config, and every two, replaced") {
  const std::vector<std::string> values = {"0",
                                           "1",
                                           "-1",
                                           "3",
                                           "10000",
                                           "65536",
                                           "1073741824",
                                           "2147483647",
                                           "4294967296",
                                           "1000000000000000000",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "18446744073709551615",
                                           "1e300",
                                           "-1e300",
                                           "1e-300",
                                           "0.5",
                                           "null",
                                           "true",
                                           "\"x\"",
                                           "[]",
                                           "[1,2]",
                                           "{}"};
  damage::Verdicts verdicts;
  for (const std::string& text : damage::seeds("config")) {
    const auto numbers = numbers_of(text);
    REQUIRE(numbers.size() > 3);
    for (std::size_t j = 0; j < numbers.size(); ++j)
      for (std::size_t i = 0; i <= j; ++i)
        for (const std::string& first : values)
          for (const std::string& second : {values[1], values[5], values[6], values[9], values[13]}) {
            std::string damaged = text;
            damaged.replace(numbers[j].first, numbers[j].second, second);
            damaged.replace(numbers[i].first, i == j ? second.size() : numbers[i].second, first);
            judge(damaged, verdicts);
          }
  }
  CHECK(verdicts.rejected > 50'000);
  CHECK(verdicts.memory < damage::MiB);
}

TEST_CASE("a config of 200 bytes holds less than 1 MiB") {
  damage::Verdicts verdicts;
  for (const std::string layers : {"10000", "10001", "1000000000000000000"})
    for (const std::string type :
         {"llama", "mistral", "gemma3_text", "ministral3", "gpt_oss", "deepseek_v3", "qwen3_moe"})
      judge(to_text(R"({"model_type":")", type, R"(","vocab_size":9,"hidden_size":8,"num_attention_heads":2,)",
                    R"("intermediate_size":8,"num_key_value_heads":1,"num_hidden_layers":)", layers, "}"),
            verdicts);
  CHECK(verdicts.accepted > 4);
  judge("{" + std::string(198, '['), verdicts);
  judge(R"({"model_type":"llama","vocab_size":[)" + std::string(160, ' ') + "]}", verdicts);
  CHECK(verdicts.memory < damage::MiB);
  CHECK(verdicts.memory > 100'000);  // the count of it works
}

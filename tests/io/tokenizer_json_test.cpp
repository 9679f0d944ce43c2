// SPDX-License-Identifier: Apache-2.0
#include <atom/io/tokenizer_json.hpp>

#include "../catch.hpp"
#include "scratch.hpp"

#include <atom/io/bpe_trainer.hpp>

using namespace atom;

namespace {

// As Hugging Face writes it: both forms of merges, an added token that is vocabulary, one beyond it, a gap of ids.
const std::string sample = R"({"version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 0, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true},
                   {"id": 5, "content": "ab", "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": false},
                   {"id": 9, "content": "né e", "special": true}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "fuse_unk": false,
            "vocab": {"<|end|>": 0, "a": 1, "b": 2, "Ġ": 3, "é": 4, "ab": 5, "Ġab": 6},
            "merges": ["a b", ["Ġ", "ab"]]}})";

std::string replaced(std::string text, std::string_view part, std::string_view by) {
  const std::size_t at = text.find(part);
  REQUIRE(at != text.npos);
  return text.replace(at, part.size(), by);
}

std::string error_with(std::string_view part, std::string_view by) {
  const std::string text = replaced(sample, part, by);
  return error_of([&] { io::parse_tokenizer(text, "f"); });
}

}  // namespace

TEST_CASE("a file is read as it is meant", "[io]") {
  const auto tokenizer = io::parse_tokenizer(sample, "f");
  CHECK(tokenizer.size() == 10);
  CHECK(tokenizer.encode("b ba<|end|>ba né eb\xE9") == std::vector<TokenId>{2, 3, 2, 1, 0, 2, 1, 3, 9, 2, 4});
  CHECK(tokenizer.encode("abb") == std::vector<TokenId>{5, 2});
  CHECK(tokenizer.decode(std::vector<TokenId>{6, 0, 9}) == " ab<|end|>né e");
  CHECK(tokenizer.decode(std::vector<TokenId>{6, 0, 9}, {.skip_special = true}) == " ab");
}

TEST_CASE("what is saved is loaded the same, from a file or its folder", "[io]") {
  const Scratch scratch;
  const std::string text = "The cat, the cats; naïve 中文 cats!\n\n<|endoftext|>\tThey'll nap. \"Quoted\" \\ \x01";
  for (const auto& tokenizer :
       {io::train_bpe(text, {.size = 280}), io::character_tokenizer(text), io::parse_tokenizer(sample, "f")}) {
    io::save_tokenizer(scratch.path(), tokenizer);
    for (const std::string& path : {scratch.path(), scratch / "tokenizer.json"}) {
      const auto again = io::load_tokenizer(path);
      CHECK(again.size() == tokenizer.size());
      CHECK(again.model().merges() == tokenizer.model().merges());
      CHECK(io::to_json_text(again) == io::to_json_text(tokenizer));
      std::vector<TokenId> all;
      for (TokenId id = 0; id < tokenizer.size(); ++id)
        if (tokenizer.size() != 10 || id < 7 || id == 9) all.push_back(id);
      CHECK(again.decode(all) == tokenizer.decode(all));
      if (tokenizer.size() != 10) CHECK(again.encode(text) == tokenizer.encode(text));
    }
  }
}

TEST_CASE("what would change ids and is not known is refused by name", "[io]") {
  CHECK(error_with(R"("normalizer": null)", R"("normalizer": {"type": "NFKC"})") ==
        R"([f] normalizer: the type "NFKC" is not supported)");
  CHECK(error_with(R"({"type": "ByteLevel", "add_prefix_space": false,)", R"({"type": "Whitespace",)") ==
        R"([f] pre_tokenizer: the type "Whitespace" is not supported)");
  CHECK(error_with(R"({"type": "ByteLevel", "add_prefix_space": true)", R"({"type": "BertProcessing")") ==
        R"([f] post_processor: the type "BertProcessing" is not supported)");
  CHECK(error_with(R"("type": "BPE")", R"("type": "Unigram")") == R"([f] model: the type "Unigram" is not supported)");
  CHECK(error_with(R"("add_prefix_space": false)", R"("add_prefix_space": true)") ==
        "[f] pre_tokenizer: 'add_prefix_space' is not supported");
  CHECK(error_with(R"("unk_token": null)", R"("unk_token": "<unk>")") ==
        R"([f] model: the 'unk_token' "<unk>" is not in the vocabulary)");
  CHECK(error_with(R"("dropout": null)", R"("dropout": 0.1)") == "[f] model: 'dropout' is not supported");
  CHECK(error_with(R"("fuse_unk": false)", R"("byte_fallback": true)") ==
        "[f] model: 'byte_fallback' is not supported with ByteLevel");
  CHECK(error_with(R"("decoder": {"type": "ByteLevel"})", R"("decoder": {"type": "Fuse"})") ==
        "[f] decoder: does not undo the pre_tokenizer");
  CHECK(error_with(
            R"("pre_tokenizer": {)",
            R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\d+"}, "behavior": "Isolated"}, "x": {)") ==
        R"([f] pre_tokenizer: the pattern "\\d+" is not known)");
  CHECK(error_with(R"("post_processor": {)",
                   R"("post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}},
                      {"SpecialToken": {"id": "x"}}], "special_tokens": {"x": {"ids": [7]}}}, "x": {)") ==
        "[f] no token has the id 7 that is put around a text");
}

TEST_CASE("parts of a file are read as they are meant", "[io]") {
  const auto with = [](std::string_view part, std::string_view by) {
    return io::parse_tokenizer(replaced(sample, part, by), "f");
  };
  const auto stripped = with(R"("single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true)",
                             R"("lstrip": true, "rstrip": true, "special": true)");
  CHECK(stripped.encode("b <|end|>  <|end|> b") == std::vector<TokenId>{2, 0, 0, 2});
  const auto around = with(R"("post_processor": {)",
                           R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}},
                              {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "y"}}],
                              "special_tokens": {"x": {"ids": [0, 9]}, "y": {"ids": [0]}}}, "x": {)");
  CHECK(around.encode("b") == std::vector<TokenId>{0, 9, 2, 0});
  CHECK(around.encode("b", {.add_special = false}) == std::vector<TokenId>{2});
  CHECK(around.encode("ba<|end|>").size() == 6);
  CHECK(error_of([&] { around.encode("<|end|>", {.find_special = false}); }) ==
        "[tokenizer] the byte 60 is not in the vocabulary");
  CHECK(with(R"("fuse_unk": false)", R"("ignore_merges": true)").model().rules().whole_words);
}

TEST_CASE("a damaged file is refused, whatever the damage", "[io]") {
  CHECK(error_with(R"("b": 2)", R"("b": 1)") == "[f] vocab: two tokens have the id 1");
  CHECK(error_with(R"("b": 2)", R"("b": -2)") == "[f] a token's id is out of range: found -2");
  CHECK(error_with(R"("b": 2)", R"("b": 2000000000)") == "[f] a token's id is out of range: found 2000000000");
  CHECK(error_with(R"("b": 2)", R"("b": "2")").starts_with("[f] "));
  CHECK(error_with(R"("b": 2)", R"("": 2)") == "[f] vocab: id 2 is the empty text");
  CHECK(error_with(R"("b": 2)", R"("b c": 2)") == R"([f] vocab: "b c" is not spelled in the byte alphabet)");
  CHECK(error_with(R"("a b")", R"("a b b")") == R"([f] merge 0: found "a b b", expected two tokens)");
  CHECK(error_with(R"("a b")", R"("a")") == R"([f] merge 0: found "a", expected two tokens)");
  CHECK(error_with(R"("a b")", R"("a x")") == R"([f] merge 0: "x" is not in the vocabulary)");
  CHECK(error_with(R"("a b")", R"("b a")") == "[f] merge 0 makes a token that does not exist");
  CHECK(error_with(R"(["Ġ", "ab"])", R"(["Ġ"])") == "[f] merge 1: found 1 tokens, expected two");
  CHECK(error_with(R"("id": 9)", R"("id": 4)") == R"([f] vocab: id 4 is "é", but also the added token "né e")");
  CHECK(error_with(R"("id": 9)", R"("id": 99999)") == "[f] a token's id is out of range: found 99999");
  CHECK(error_of([] { io::parse_tokenizer("{}", "f"); }) == R"([f] "model" is missing)");
  CHECK(error_of([] { io::parse_tokenizer("[]", "f"); }).starts_with("["));
  for (std::size_t size = 0; size < sample.size(); size += 7)
    CHECK(error_of([&] { io::parse_tokenizer(sample.substr(0, size), "f"); }).starts_with("[f] "));
  // Every byte replaced: an error or a tokenizer, nothing else.
  for (std::size_t at = 0; at < sample.size(); ++at)
    for (const char c : {'"', '9', '{', '\0', '\xFF'}) {
      std::string text = sample;
      text[at] = c;
      error_of([&] { io::parse_tokenizer(text, "f"); });
    }
  const Scratch scratch;
  CHECK(error_of([&] { io::load_tokenizer(scratch.path()); }) ==
        "[" + scratch.path() + "/tokenizer.json] cannot open: No such file or directory");
}

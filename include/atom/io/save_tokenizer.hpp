// SPDX-License-Identifier: Apache-2.0
// Writes tokenizer.json, so that tokenizer_json.hpp and Hugging Face's tokenizers read the same tokenizer.
#pragma once

#include "file.hpp"
#include "json_value.hpp"
#include "split_patterns.hpp"
#include "tokenizer.hpp"

namespace atom::io {

namespace detail {

inline std::string tokenizer_path(const std::string& path) { return is_folder(path) ? path + "/tokenizer.json" : path; }

// The parts of the file that say what is done around the model.
class TokenizerWriter {
 public:
  explicit TokenizerWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer), rules_(tokenizer.rules()) {}

  Json normalizer() const {
    Json::Array steps;
    if (rules_.normalizer.nfc) steps.push_back(Json::object({{"type", "NFC"}}));
    if (rules_.normalizer.mark_start)
      steps.push_back(Json::object({{"type", "Prepend"}, {"prepend", space_mark_text}}));
    if (rules_.normalizer.mark_spaces) steps.push_back(replace(" ", space_mark_text));
    return sequence(std::move(steps), "normalizers");
  }

  Json pre_tokenizer() const {
    Json::Array steps;
    auto splitters = rules_.splitters;
    const bool bytes = tokenizer_.model().symbols() == BpeSymbols::bytes;
    const bool use_regex = bytes && !splitters.empty() && splitters.back() == Splitter::gpt2;
    if (use_regex) splitters.pop_back();
    if (rules_.space_marks != SpaceMarks::none) {
      const bool split = !splitters.empty() && splitters.front() == Splitter::space_marks;
      if (split) splitters.erase(splitters.begin());
      constexpr std::string_view schemes[] = {"", "never", "first", "always"};
      steps.push_back(Json::object({{"type", "Metaspace"},
                                    {"replacement", space_mark_text},
                                    {"prepend_scheme", schemes[static_cast<std::size_t>(rules_.space_marks)]},
                                    {"split", split}}));
    }
    for (const Splitter splitter : splitters) {
      const std::string pattern = pattern_of(splitter);
      check(!pattern.empty(), "save_tokenizer", "a splitter has no regular expression");
      if (splitter == Splitter::digit || splitter == Splitter::digits)
        steps.push_back(Json::object({{"type", "Digits"}, {"individual_digits", splitter == Splitter::digit}}));
      else
        steps.push_back(Json::object({{"type", "Split"},
                                      {"pattern", Json::object({{"Regex", pattern}})},
                                      {"behavior", "Isolated"},
                                      {"invert", false}}));
    }
    if (bytes) steps.push_back(byte_level(use_regex));
    return sequence(std::move(steps), "pretokenizers");
  }

  Json post_processor() const {
    if (rules_.before.empty() && rules_.after.empty()) return {};
    Json special = Json::object(), single, pair;
    const auto add = [&](const std::vector<TokenId>& ids) {
      for (const TokenId id : ids) {
        const auto& added = tokenizer_.added();
        const auto found = std::find_if(added.begin(), added.end(), [&](const auto& token) { return token.id == id; });
        check(found != added.end(), "save_tokenizer", "the token ", id, " around a text is no added token");
        const std::string& name = found->text;
        const Json piece = Json::object({{"SpecialToken", Json::object({{"id", name}, {"type_id", 0}})}});
        single.push_back(piece);
        special.set(name, Json::object({{"id", name}, {"ids", Json::Array{id}}, {"tokens", Json::Array{name}}}));
      }
    };
    const auto text = [](const char* name) {
      return Json::object({{"Sequence", Json::object({{"id", name}, {"type_id", 0}})}});
    };
    add(rules_.before);
    single.push_back(text("A"));
    add(rules_.after);
    for (const char* name : {"A", "B"})
      for (const Json& piece : single.elements()) pair.push_back(piece.contains("Sequence") ? text(name) : piece);
    return Json::object(
        {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}});
  }

  Json decoder() const {
    const Decoder& decoder = rules_.decoder;
    if (tokenizer_.model().symbols() == BpeSymbols::bytes)
      return byte_level(!rules_.splitters.empty() && rules_.splitters.back() == Splitter::gpt2);
    Json::Array steps;
    if (decoder.space_marks) steps.push_back(replace(space_mark_text, " "));
    if (decoder.byte_fallback) steps.push_back(Json::object({{"type", "ByteFallback"}}));
    steps.push_back(Json::object({{"type", "Fuse"}}));
    if (decoder.strip_left > 0)
      steps.push_back(Json::object({{"type", "Strip"}, {"content", " "}, {"start", decoder.strip_left}, {"stop", 0}}));
    return sequence(std::move(steps), "decoders");
  }

 private:
  static Json replace(std::string_view from, std::string_view to) {
    return Json::object({{"type", "Replace"}, {"pattern", Json::object({{"String", from}})}, {"content", to}});
  }
  static Json byte_level(bool use_regex) {
    return Json::object(
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}});
  }
  static Json sequence(Json::Array steps, const char* name) {
    if (steps.empty()) return {};
    return steps.size() == 1 ? steps.front() : Json::object({{"type", "Sequence"}, {name, std::move(steps)}});
  }

  const Tokenizer& tokenizer_;
  const TokenizerRules& rules_;
};

}  // namespace detail

// Error: the tokenizer merges by rank, as those of tiktoken and some of GGUF do, which this file cannot say.
inline std::string to_json_text(const Tokenizer& tokenizer) {
  const Bpe& model = tokenizer.model();
  check(model.rules().ranks.empty(), "save_tokenizer", "a tokenizer without merges cannot be a tokenizer.json");
  const auto spell = [&](TokenId id) {
    const std::string& token = model.tokens()[static_cast<std::size_t>(id)];
    return model.symbols() == BpeSymbols::bytes ? spell_bytes(token) : token;
  };
  Json::Object vocabulary;
  for (TokenId id = 0; id < model.size(); ++id)
    if (!model.tokens()[static_cast<std::size_t>(id)].empty()) vocabulary.members.push_back({spell(id), id});
  Json::Array added, merges;
  for (const AddedToken& token : tokenizer.added()) {
    if (model.find(token.text) != token.id) vocabulary.members.push_back({token.text, token.id});
    added.push_back(Json::object({{"id", token.id},
                                  {"content", token.text},
                                  {"single_word", token.single_word},
                                  {"lstrip", token.lstrip},
                                  {"rstrip", token.rstrip},
                                  {"normalized", token.normalized},
                                  {"special", token.special}}));
  }
  std::sort(vocabulary.members.begin(), vocabulary.members.end(),
            [](const Json::Member& a, const Json::Member& b) { return a.value.as<TokenId>() < b.value.as<TokenId>(); });
  for (const auto& [left, right] : model.merges()) merges.push_back(Json::Array{spell(left), spell(right)});
  const BpeRules& rules = model.rules();
  const detail::TokenizerWriter around(tokenizer);
  return to_pretty_text(
      Json::object({{"version", "1.0"},
                    {"truncation", Json()},
                    {"padding", Json()},
                    {"added_tokens", added},
                    {"normalizer", around.normalizer()},
                    {"pre_tokenizer", around.pre_tokenizer()},
                    {"post_processor", around.post_processor()},
                    {"decoder", around.decoder()},
                    {"model", Json::object({{"type", "BPE"},
                                            {"dropout", Json()},
                                            {"unk_token", rules.unknown < 0 ? Json() : Json(spell(rules.unknown))},
                                            {"continuing_subword_prefix", Json()},
                                            {"end_of_word_suffix", Json()},
                                            {"fuse_unk", rules.fuse_unknown},
                                            {"byte_fallback", rules.byte_fallback},
                                            {"ignore_merges", rules.whole_words},
                                            {"vocab", Json(vocabulary)},
                                            {"merges", merges}})}}));
}

// To a folder, as its tokenizer.json, or to that file; in one step (see write_file).
inline void save_tokenizer(const std::string& path, const Tokenizer& tokenizer) {
  write_file(detail::tokenizer_path(path), to_json_text(tokenizer));
}

}  // namespace atom::io

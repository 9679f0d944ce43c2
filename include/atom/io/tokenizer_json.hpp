// SPDX-License-Identifier: Apache-2.0
// Reads tokenizer.json, the file of Hugging Face's tokenizers, so that both give a text the same ids;
// save_tokenizer.hpp writes it. Knows BPE on bytes and on characters with what goes around it; refuses, naming it,
// whatever else a file asks for that would change ids. Truncation and padding belong to batches and are ignored.
#pragma once

#include "json.hpp"
#include "save_tokenizer.hpp"
#include "vocabulary.hpp"

namespace atom::io {

namespace detail {

class TokenizerReader {
 public:
  TokenizerReader(const Json& file, std::string_view path, std::size_t bytes)
      : file_(file), path_(path), bytes_(bytes) {}

  Tokenizer read() {
    const Json& model = file_.at("model");
    refuse(model.get_or<std::string>("type", "BPE"), "model", {"BPE"});
    for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
      check(!is_set(model.find(name)), path_, "model: '", name, "' is not supported");
    read_normalizer(part("normalizer"));
    read_pre_tokenizer(part("pre_tokenizer"), true);
    read_decoder(part("decoder"));
    const bool bytes = symbols_ == BpeSymbols::bytes;
    check(bytes == rules_.decoder.byte_letters, path_, "decoder: does not undo the pre_tokenizer");

    const auto added = read_added();
    Vocabulary vocabulary(added, symbols_, path_);
    for (const auto& [name, value] : model.at("vocab").members(path_))
      vocabulary.add(name, checked_id(value.as<TokenId>(path_)));
    read_merges(model.at("merges"), vocabulary);
    BpeRules bpe{.whole_words = is_set(model.find("ignore_merges")),
                 .byte_fallback = is_set(model.find("byte_fallback")),
                 .fuse_unknown = is_set(model.find("fuse_unk"))};
    check(!bpe.byte_fallback || !bytes, path_, "model: 'byte_fallback' is not supported with ByteLevel");
    if (is_set(model.find("unk_token"))) {
      const auto name = model.get<std::string_view>("unk_token");
      bpe.unknown = vocabulary.find(name);
      check(bpe.unknown >= 0, path_, "model: the 'unk_token' ", in_quotes(name), " is not in the vocabulary");
    }
    read_post_processor(part("post_processor"));
    return Tokenizer(vocabulary.model(std::move(bpe)), rules_, added, path_);
  }

 private:
  static bool is_set(const Json* value) {
    if (value == nullptr || value->is_null()) return false;
    return value->is_bool() ? value->as<bool>() : !(value->is_string() && value->as<std::string_view>().empty());
  }
  const Json* part(std::string_view name) const {
    const Json* found = file_.find(name);
    return found == nullptr || found->is_null() ? nullptr : found;
  }
  void refuse(std::string_view kind, std::string_view part, std::initializer_list<std::string_view> known) const {
    if (std::ranges::find(known, kind) != known.end()) return;
    fail(path_, part, ": the type ", in_quotes(kind), " is not supported");
  }
  // Tables are as long as the largest id, so that is held to the size of the file.
  TokenId checked_id(TokenId id) const {
    check(id >= 0 && static_cast<std::size_t>(id) < bytes_, path_, "a token's id is out of range: found ", id);
    return id;
  }
  // The text of a pattern {"String": text} or {"Regex": text}; nothing if it is of the other kind.
  static std::optional<std::string_view> pattern(const Json& part, std::string_view kind) {
    return part.at("pattern").get_optional<std::string_view>(kind);
  }
  static bool replaces(const Json& part, std::string_view from, std::string_view to) {
    return pattern(part, "String") == from && part.get<std::string_view>("content") == to;
  }

  void read_normalizer(const Json* part) {
    if (part == nullptr) return;
    const auto kind = part->get<std::string_view>("type");
    refuse(kind, "normalizer", {"Sequence", "NFC", "Prepend", "Replace"});
    Normalizer& normalizer = rules_.normalizer;
    if (kind == "Sequence") {
      for (const Json& step : part->at("normalizers").elements(path_)) read_normalizer(&step);
      return;
    }
    bool& step = kind == "NFC" ? normalizer.nfc : kind == "Prepend" ? normalizer.mark_start : normalizer.mark_spaces;
    check(!step, path_, "normalizer: ", in_quotes(kind), " is there twice");
    step = true;
    if (kind == "Prepend")
      check(part->get<std::string_view>("prepend") == space_mark_text, path_, "normalizer: 'prepend' is not supported");
    if (kind == "Replace")
      check(replaces(*part, " ", space_mark_text), path_, "normalizer: 'Replace' is not supported");
  }

  // `last`: no other step follows.
  void read_pre_tokenizer(const Json* part, bool last) {
    if (part == nullptr) return;
    const auto kind = part->get<std::string_view>("type");
    refuse(kind, "pre_tokenizer", {"Sequence", "ByteLevel", "Split", "Digits", "Metaspace"});
    if (kind == "Sequence") {
      const auto& steps = part->at("pretokenizers").elements(path_);
      check(last && steps.size() <= 16, path_, "pre_tokenizer: a sequence of this kind is not supported");
      for (const Json& step : steps) {
        refuse(step.get<std::string_view>("type"), "pre_tokenizer", {"ByteLevel", "Split", "Digits", "Metaspace"});
        read_pre_tokenizer(&step, &step == &steps.back());
      }
    } else if (kind == "ByteLevel") {
      check(!part->get_or("add_prefix_space", true), path_, "pre_tokenizer: 'add_prefix_space' is not supported");
      check(last, path_, "pre_tokenizer: ByteLevel is not the last");
      symbols_ = BpeSymbols::bytes;
      if (part->get_or("use_regex", true)) rules_.splitters.push_back(Splitter::gpt2);
    } else if (kind == "Digits") {
      const bool single = part->get_or("individual_digits", false);
      rules_.splitters.push_back(single ? Splitter::digit : Splitter::digits);
    } else if (kind == "Metaspace") {
      read_metaspace(*part);
    } else {
      read_split(*part);
    }
  }

  void read_metaspace(const Json& part) {
    check(rules_.space_marks == SpaceMarks::none && rules_.splitters.empty() &&
              part.get<std::string_view>("replacement") == space_mark_text,
          path_, "pre_tokenizer: a Metaspace of this kind is not supported");
    const bool prefix = part.get_or("add_prefix_space", true);  // the older form of the next
    const auto scheme = part.get_or<std::string>("prepend_scheme", prefix ? "always" : "never");
    check(scheme == "always" || scheme == "first" || scheme == "never", path_,
          "pre_tokenizer: found the prepend_scheme ", in_quotes(scheme));
    rules_.space_marks = scheme == "always"  ? SpaceMarks::always
                         : scheme == "first" ? SpaceMarks::first
                                             : SpaceMarks::only;
    if (part.get_or("split", true)) rules_.splitters.push_back(Splitter::space_marks);
  }

  void read_split(const Json& part) {
    const auto behavior = part.get<std::string_view>("behavior");
    check(!part.get_or("invert", false), path_, "pre_tokenizer: 'invert' is not supported");
    if (const auto text = pattern(part, "String")) {
      // Gemma asks for this where the normalizer has left no spaces.
      check(*text == " " && rules_.normalizer.mark_spaces, path_, "pre_tokenizer: the split at ", in_quotes(*text),
            " is not supported");
      return;
    }
    check(behavior == "Isolated", path_, "pre_tokenizer: the behavior ", in_quotes(behavior), " is not supported");
    const auto text = part.at("pattern").get<std::string_view>("Regex");
    const auto splitter = splitter_of_pattern(text);
    check(splitter.has_value(), path_, "pre_tokenizer: the pattern ", in_quotes(text, 400), " is not known");
    rules_.splitters.push_back(*splitter);
  }

  void read_decoder(const Json* part) {
    if (part == nullptr) return;
    const auto kind = part->get<std::string_view>("type");
    refuse(kind, "decoder", {"Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip"});
    Decoder& decoder = rules_.decoder;
    const auto once = [&](bool first) { check(first, path_, "decoder: this order of steps is not supported"); };
    if (kind == "Sequence") {
      for (const Json& step : part->at("decoders").elements(path_)) read_decoder(&step);
    } else if (kind == "ByteLevel") {
      once(!fused_ && !decoder.space_marks && !decoder.byte_fallback && !decoder.byte_letters);
      decoder.byte_letters = true;
    } else if (kind == "Replace") {
      check(replaces(*part, space_mark_text, " "), path_, "decoder: 'Replace' is not supported");
      once(!fused_ && !decoder.byte_fallback && !decoder.space_marks && !decoder.byte_letters);
      decoder.space_marks = true;
    } else if (kind == "ByteFallback") {
      once(!fused_ && !decoder.byte_fallback && !decoder.byte_letters);
      decoder.byte_fallback = true;
    } else if (kind == "Fuse") {
      fused_ = true;
    } else {
      once(fused_ && decoder.strip_left == 0);
      const int start = part->get<int>("start");
      check(part->get<std::string_view>("content") == " " && start >= 0 && part->get<int>("stop") == 0, path_,
            "decoder: 'Strip' is not supported");
      decoder.strip_left = start;
    }
  }

  void read_post_processor(const Json* part) {
    if (part == nullptr) return;
    const auto kind = part->get<std::string_view>("type");
    refuse(kind, "post_processor", {"Sequence", "ByteLevel", "TemplateProcessing"});  // ByteLevel moves offsets, no ids
    if (kind == "Sequence")
      for (const Json& step : part->at("processors").elements(path_)) read_post_processor(&step);
    if (kind != "TemplateProcessing") return;
    check(rules_.before.empty() && rules_.after.empty(), path_, "post_processor: two templates are not supported");
    std::size_t texts = 0;
    for (const Json& piece : part->at("single").elements(path_)) {
      if (const Json* special = piece.find("SpecialToken")) {
        const auto name = special->get<std::string_view>("id");
        auto& ids = texts == 0 ? rules_.before : rules_.after;
        for (const TokenId id : part->at("special_tokens").at(name).get<std::vector<TokenId>>("ids")) ids.push_back(id);
      } else {
        ++texts;
      }
      check(rules_.before.size() + rules_.after.size() <= 4096, path_, "post_processor: more than 4096 tokens");
    }
    check(texts == 1, path_, "post_processor: a template with ", texts, " texts is not supported");
  }

  std::vector<AddedToken> read_added() const {
    std::vector<AddedToken> added;
    const Json* list = part("added_tokens");
    if (list == nullptr) return added;
    for (const Json& token : list->elements(path_))
      added.push_back({checked_id(token.get<TokenId>("id")), token.get<std::string>("content"),
                       token.get_or("special", false), token.get_or("lstrip", false), token.get_or("rstrip", false),
                       token.get_or("single_word", false), token.get_or("normalized", false)});
    return added;
  }

  void read_merges(const Json& list, Vocabulary& vocabulary) const {
    std::size_t count = 0;
    vocabulary.reserve_merges(list.elements(path_).size());
    for (const Json& merge : list.elements(path_)) {
      if (merge.is_string()) {
        vocabulary.add_merge(merge.as<std::string_view>());
      } else {
        const auto& pair = merge.elements(path_);
        check(pair.size() == 2, path_, "merge ", count, ": found ", pair.size(), " tokens, expected two");
        vocabulary.add_merge(pair[0].as<std::string_view>(path_), pair[1].as<std::string_view>(path_));
      }
      ++count;
    }
  }

  const Json& file_;
  std::string_view path_;
  std::size_t bytes_;
  TokenizerRules rules_;
  BpeSymbols symbols_ = BpeSymbols::characters;
  bool fused_ = false;
};

}  // namespace detail

// The text of a tokenizer.json; `path` is for messages. Errors: `[path] where: rule`.
inline Tokenizer parse_tokenizer(std::string_view text, std::string_view path) {
  return detail::TokenizerReader(parse_json(text, path), path, text.size()).read();
}

// From a folder with a tokenizer.json in it, or from such a file.
inline Tokenizer load_tokenizer(const std::string& path) {
  const std::string file = detail::tokenizer_path(path);
  return parse_tokenizer(read_file(file), file);
}

}  // namespace atom::io

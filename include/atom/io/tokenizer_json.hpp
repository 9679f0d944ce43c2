// SPDX-License-Identifier: Apache-2.0
// Reads and writes tokenizer.json, the file of Hugging Face's tokenizers, so that both give a text the same ids.
// Knows BPE on bytes with GPT-2's splitter (ByteLevel), and on characters without one; refuses, naming it, whatever
// else a file asks for that would change ids. Truncation and padding belong to batches and are ignored.
#pragma once

#include "bpe_alphabet.hpp"
#include "json.hpp"
#include "quote.hpp"
#include "tokenizer.hpp"

namespace atom::io {

namespace detail {

class TokenizerReader {
 public:
  TokenizerReader(const Json& file, std::string_view path, std::size_t bytes)
      : file_(file), path_(path), bytes_(bytes) {}

  Tokenizer read() const {
    const Json& model = file_.at("model");
    refuse(kind_of(file_.find("normalizer")), "normalizer", {});
    refuse(kind_of(file_.find("pre_tokenizer")), "pre_tokenizer", {"ByteLevel"});
    refuse(kind_of(file_.find("post_processor")), "post_processor", {"ByteLevel"});  // which moves offsets, no ids
    refuse(kind_of(file_.find("decoder")), "decoder", {"ByteLevel", "Fuse"});
    refuse(model.get_or<std::string>("type", "BPE"), "model", {"BPE"});
    for (const char* name : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"})
      check(!is_set(model.find(name)), path_, "model: '", name, "' is not supported");
    for (const char* name : {"fuse_unk", "byte_fallback", "ignore_merges"})
      check(!is_set(model.find(name)), path_, "model: '", name, "' is not supported");

    auto symbols = BpeSymbols::characters;
    auto splitter = Splitter::none;
    if (const Json* before = file_.find("pre_tokenizer"); before != nullptr && !before->is_null()) {
      check(!before->get_or("add_prefix_space", true), path_, "pre_tokenizer: 'add_prefix_space' is not supported");
      symbols = BpeSymbols::bytes;
      splitter = before->get_or("use_regex", true) ? Splitter::gpt2 : Splitter::none;
    }
    const bool decodes_bytes = kind_of(file_.find("decoder")) == "ByteLevel";
    check(decodes_bytes == (symbols == BpeSymbols::bytes), path_, "decoder: does not undo the pre_tokenizer");

    const auto added = read_added();
    std::unordered_map<std::string_view, TokenId> ids;  // by the spelling in the file
    auto tokens = read_vocabulary(model.at("vocab"), added, symbols, ids);
    return Tokenizer(Bpe(std::move(tokens), read_merges(model.at("merges"), ids), symbols, path_), splitter, added,
                     path_);
  }

 private:
  static bool is_set(const Json* value) {
    if (value == nullptr || value->is_null()) return false;
    return value->is_bool() ? value->as<bool>() : !(value->is_string() && value->as<std::string_view>().empty());
  }
  std::string kind_of(const Json* part) const {
    return part == nullptr || part->is_null() ? "" : part->get<std::string>("type");
  }
  void refuse(const std::string& kind, std::string_view part, std::initializer_list<std::string_view> known) const {
    if (kind.empty() || std::ranges::find(known, kind) != known.end()) return;
    fail(path_, part, ": the type ", in_quotes(kind), " is not supported");
  }
  // Tables are as long as the largest id, so that is held to the size of the file.
  TokenId checked_id(TokenId id) const {
    check(id >= 0 && static_cast<std::size_t>(id) < bytes_, path_, "a token's id is out of range: found ", id);
    return id;
  }

  std::vector<AddedToken> read_added() const {
    std::vector<AddedToken> added;
    const Json* list = file_.find("added_tokens");
    if (list == nullptr || list->is_null()) return added;
    for (const Json& token : list->elements(path_)) {
      const auto text = token.get<std::string>("content");
      for (const char* name : {"single_word", "lstrip", "rstrip"})
        check(!token.get_or(name, false), path_, "added token ", in_quotes(text), ": '", name, "' is not supported");
      added.push_back({checked_id(token.get<TokenId>("id")), text, token.get_or("special", false)});
    }
    return added;
  }

  std::vector<std::string> read_vocabulary(const Json& vocabulary, const std::vector<AddedToken>& added,
                                           BpeSymbols symbols,
                                           std::unordered_map<std::string_view, TokenId>& ids) const {
    std::unordered_map<TokenId, const AddedToken*> added_by_id;
    for (const AddedToken& token : added) added_by_id.emplace(token.id, &token);
    std::vector<std::string> tokens;
    for (const auto& [name, value] : vocabulary.members(path_)) {
      const TokenId id = checked_id(value.as<TokenId>(path_));
      check(!name.empty(), path_, "vocab: id ", id, " is the empty text");
      std::string bytes = name;
      const bool spelled = symbols == BpeSymbols::characters || unspell_bytes(name, bytes);
      // Added tokens stand in the vocabulary as they are, not spelled; the model does not need them.
      if (const auto found = added_by_id.find(id); found != added_by_id.end()) {
        check(found->second->text == name || found->second->text == bytes, path_, "vocab: id ", id, " is ",
              in_quotes(name), ", but also the added token ", in_quotes(found->second->text));
        if (found->second->special || !spelled || found->second->text != bytes) continue;
      }
      check(spelled, path_, "vocab: ", in_quotes(name), " is not spelled in the byte alphabet");
      if (tokens.size() <= static_cast<std::size_t>(id)) tokens.resize(static_cast<std::size_t>(id) + 1);
      std::string& token = tokens[static_cast<std::size_t>(id)];
      check(token.empty(), path_, "vocab: two tokens have the id ", id);
      token = std::move(bytes);
      ids.emplace(name, id);
    }
    return tokens;
  }

  std::vector<TokenPair> read_merges(const Json& list, const std::unordered_map<std::string_view, TokenId>& ids) const {
    std::vector<TokenPair> merges;
    merges.reserve(list.elements(path_).size());
    const auto id_of = [&](std::string_view name) {
      const auto found = ids.find(name);
      check(found != ids.end(), path_, "merge ", merges.size(), ": ", in_quotes(name), " is not in the vocabulary");
      return found->second;
    };
    for (const Json& merge : list.elements(path_)) {
      std::string_view left, right;
      if (merge.is_string()) {  // the older form: "left right"
        const auto text = merge.as<std::string_view>();
        const std::size_t space = text.find(' ');
        check(space != text.npos && text.find(' ', space + 1) == text.npos, path_, "merge ", merges.size(), ": found ",
              in_quotes(text), ", expected two tokens");
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else {
        const auto& pair = merge.elements(path_);
        check(pair.size() == 2, path_, "merge ", merges.size(), ": found ", pair.size(), " tokens, expected two");
        left = pair[0].as<std::string_view>(path_);
        right = pair[1].as<std::string_view>(path_);
      }
      merges.push_back({id_of(left), id_of(right)});
    }
    return merges;
  }

  const Json& file_;
  std::string_view path_;
  std::size_t bytes_;
};

inline std::string tokenizer_path(const std::string& path) { return is_folder(path) ? path + "/tokenizer.json" : path; }

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

inline std::string to_json_text(const Tokenizer& tokenizer) {
  const Bpe& model = tokenizer.model();
  const bool bytes = model.symbols() == BpeSymbols::bytes;
  const auto spell = [&](TokenId id) {
    const std::string& token = model.tokens()[static_cast<std::size_t>(id)];
    return bytes ? spell_bytes(token) : token;
  };
  Json::Object vocabulary;
  for (TokenId id = 0; id < model.size(); ++id)
    if (!model.tokens()[static_cast<std::size_t>(id)].empty()) vocabulary.members.push_back({spell(id), id});
  Json::Array added, merges;
  for (const auto& [id, text, special] : tokenizer.added()) {
    if (model.find(text) != id) vocabulary.members.push_back({text, id});
    added.push_back(Json::object({{"id", id},
                                  {"content", text},
                                  {"single_word", false},
                                  {"lstrip", false},
                                  {"rstrip", false},
                                  {"normalized", false},
                                  {"special", special}}));
  }
  for (const auto& [left, right] : model.merges()) merges.push_back(Json::Array{spell(left), spell(right)});
  const auto byte_level = [&] {
    return Json::object({{"type", "ByteLevel"},
                         {"add_prefix_space", false},
                         {"trim_offsets", true},
                         {"use_regex", tokenizer.splitter() == Splitter::gpt2}});
  };
  return to_pretty_text(Json::object({{"version", "1.0"},
                                      {"truncation", Json()},
                                      {"padding", Json()},
                                      {"added_tokens", added},
                                      {"normalizer", Json()},
                                      {"pre_tokenizer", bytes ? byte_level() : Json()},
                                      {"post_processor", Json()},
                                      {"decoder", bytes ? byte_level() : Json::object({{"type", "Fuse"}})},
                                      {"model", Json::object({{"type", "BPE"},
                                                              {"dropout", Json()},
                                                              {"unk_token", Json()},
                                                              {"continuing_subword_prefix", Json()},
                                                              {"end_of_word_suffix", Json()},
                                                              {"fuse_unk", false},
                                                              {"byte_fallback", false},
                                                              {"ignore_merges", false},
                                                              {"vocab", Json(vocabulary)},
                                                              {"merges", merges}})}}));
}

// To a folder, as its tokenizer.json, or to that file; in one step (see write_file).
inline void save_tokenizer(const std::string& path, const Tokenizer& tokenizer) {
  write_file(detail::tokenizer_path(path), to_json_text(tokenizer));
}

}  // namespace atom::io

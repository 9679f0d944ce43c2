// SPDX-License-Identifier: Apache-2.0
// What a published model reads and writes beside its numbers: its tokenizer, its special tokens and the text of
// its chat template.
#pragma once

#include "../io/gguf.hpp"
#include "../io/gguf_tokenizer.hpp"
#include "../io/json.hpp"
#include "../io/tiktoken.hpp"
#include "../io/tokenizer_json.hpp"
#include "load.hpp"

namespace atom::pretrained {

// The tokenizer of a folder (tokenizer.json, or tiktoken.model) or of a FILE.gguf. Errors: files; what Tokenizer
// refuses.
inline io::Tokenizer load_tokenizer(const std::string& path) {
  if (is_gguf(path)) return io::gguf_tokenizer(io::Gguf(path).metadata(), path);
  const bool ranks = !io::exists(path + "/tokenizer.json") && io::exists(path + "/tiktoken.model");
  return ranks ? io::load_tiktoken(path) : io::load_tokenizer(path);
}

// The Jinja text of its chat template; where there are several, of the one called default. Errors: files.
inline std::optional<std::string> load_chat_template(const std::string& path) {
  if (is_gguf(path)) {
    const io::Gguf file(path);
    constexpr std::string_view key = "tokenizer.chat_template";
    return file.metadata().contains(key) ? std::optional(file.metadata().get<std::string>(key)) : std::nullopt;
  }
  if (const auto file = path + "/chat_template.jinja"; io::exists(file)) return io::read_file(file);
  for (const char* name : {"/chat_template.json", "/tokenizer_config.json"}) {
    if (!io::exists(path + name)) continue;
    const io::Json json = io::read_json(path + name);
    const io::Json* const found = json.find("chat_template");
    if (found && found->is_string()) return found->as<std::string>();
    if (found && found->is_array())
      for (const auto& one : found->elements())
        if (one.get<std::string>("name") == "default") return one.get<std::string>("template");
  }
  return std::nullopt;
}

namespace detail {

// A special token is a text, or an object that has it.
inline std::optional<std::string> token_text(const io::Json* token) {
  if (token && token->is_string()) return token->as<std::string>();
  if (token && token->is_object()) return token->get<std::string>("content");
  return std::nullopt;
}

inline io::Json folder_tokens(const std::string& folder) {
  auto tokens = io::Json::object();
  const std::string settings = folder + "/tokenizer_config.json";
  if (!io::exists(settings)) return tokens;
  const auto config = io::read_json(settings);
  for (const char* name : {"bos_token", "eos_token", "unk_token", "pad_token"})
    if (const auto token = token_text(config.find(name))) tokens.set(name, *token);
  return tokens;
}

inline io::Json gguf_tokens(const std::string& path) {
  auto variables = io::Json::object();
  const io::Gguf file(path);
  const auto& metadata = file.metadata();
  const auto tokens = metadata.get<std::vector<std::string>>("tokenizer.ggml.tokens");
  for (const auto& [name, key] :
       {std::pair("bos_token", "tokenizer.ggml.bos_token_id"), std::pair("eos_token", "tokenizer.ggml.eos_token_id"),
        std::pair("unk_token", "tokenizer.ggml.unknown_token_id"),
        std::pair("pad_token", "tokenizer.ggml.padding_token_id")}) {
    const auto id = metadata.get_or<std::uint64_t>(key, tokens.size());
    if (id < tokens.size()) variables.set(name, tokens[static_cast<std::size_t>(id)]);
  }
  return variables;
}

}  // namespace detail

// An object of the texts of bos_token, eos_token, unk_token and pad_token, of those that there are. Errors: files.
inline io::Json load_special_tokens(const std::string& path) {
  return is_gguf(path) ? detail::gguf_tokens(path) : detail::folder_tokens(path);
}

}  // namespace atom::pretrained

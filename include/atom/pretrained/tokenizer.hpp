// SPDX-License-Identifier: Apache-2.0
// What a published model reads and writes beside its numbers: its tokenizer and its chat template.
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

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// How a published model is talked with: its chat template and what that reads, from a Hugging Face folder or a GGUF
// file.
#pragma once

#include "../io/chat_template.hpp"
#include "tokenizer.hpp"

namespace atom::pretrained {

// A chat template and what it reads beside the messages.
struct ChatFormat {
  io::ChatTemplate chat;
  io::Json variables = io::Json::object();  // bos_token, eos_token and others
};

// Nothing where a model has no template. Errors: files; a template that cannot be read.
inline std::optional<ChatFormat> load_chat_format(const std::string& path) {
  const auto text = load_chat_template(path);
  if (!text) return std::nullopt;
  return ChatFormat{io::ChatTemplate(*text, path), load_special_tokens(path)};
}

}  // namespace atom::pretrained

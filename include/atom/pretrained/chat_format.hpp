// SPDX-License-Identifier: Apache-2.0
// How a published model is talked with: its chat template and what that reads, how its makers sample it. All of it from
// a Hugging Face folder or a GGUF file.
#pragma once

#include "../io/chat_template.hpp"
#include "../sample/sampler.hpp"
#include "tokenizer.hpp"

namespace atom::pretrained {

// A chat template and what it reads beside the messages.
struct ChatFormat {
  io::ChatTemplate chat;
  io::Json variables = io::Json::object();  // bos_token, eos_token and others
};

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

// Nothing where a model has no template. Errors: files; a template that cannot be read.
inline std::optional<ChatFormat> load_chat_format(const std::string& path) {
  const auto text = load_chat_template(path);
  if (!text) return std::nullopt;
  return ChatFormat{io::ChatTemplate(*text, path),
                    is_gguf(path) ? detail::gguf_tokens(path) : detail::folder_tokens(path)};
}

struct GenerationConfig {
  std::vector<TokenId> ends = {};  // ids of tokens that end a text or a turn
  sample::SamplerOptions sampler = {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.05};
};

namespace detail {

inline void add_ends(GenerationConfig& config, const io::Json& json) {
  const io::Json* const ends = json.find("eos_token_id");
  if (!ends || ends->is_null()) return;
  const auto list = ends->is_array() ? ends->as<std::vector<TokenId>>() : std::vector{ends->as<TokenId>()};
  for (const TokenId id : list)
    if (std::ranges::find(config.ends, id) == config.ends.end()) config.ends.push_back(id);
}

inline GenerationConfig folder_generation(const std::string& folder) {
  GenerationConfig config;
  const std::string own = folder + "/generation_config.json", model = folder + "/config.json";
  if (io::exists(model)) add_ends(config, io::read_json(model));
  if (!io::exists(own)) return config;
  const auto json = io::read_json(own);
  add_ends(config, json);
  auto& s = config.sampler;
  s = {};
  const bool draws = json.get_optional<bool>("do_sample").value_or(false);
  s.temperature = draws ? json.get_optional<double>("temperature").value_or(1) : 0;
  s.top_k = json.get_optional<Index>("top_k").value_or(draws ? 50 : 0);
  s.top_p = json.get_optional<double>("top_p").value_or(1);
  s.min_p = json.get_optional<double>("min_p").value_or(0);
  s.repetition_penalty = json.get_optional<double>("repetition_penalty").value_or(1);
  return config;
}

// The ids that the file names, and tokens that are known to end a turn.
inline GenerationConfig gguf_generation(const std::string& path) {
  const io::Gguf file(path);
  const auto& metadata = file.metadata();
  GenerationConfig config;
  const auto add = [&](std::optional<TokenId> id) {
    if (id && std::ranges::find(config.ends, *id) == config.ends.end()) config.ends.push_back(*id);
  };
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (metadata.contains(key)) add(metadata.get<TokenId>(key));
  const auto tokenizer = io::gguf_tokenizer(metadata, path);
  for (const auto& token : tokenizer.added())
    for (const std::string_view end :
         {"<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "<end_of_turn>", "<|eom_id|>", "<|return|>"})
      if (token.special && token.text == end) add(token.id);
  return config;
}

}  // namespace detail

// Errors: files.
inline GenerationConfig load_generation_config(const std::string& path) {
  return is_gguf(path) ? detail::gguf_generation(path) : detail::folder_generation(path);
}

}  // namespace atom::pretrained

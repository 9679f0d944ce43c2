// SPDX-License-Identifier: Apache-2.0
// How its makers sample a published model, and the tokens that end its texts, from a Hugging Face folder or a GGUF
// file.
#pragma once

#include "../sample/sampler.hpp"
#include "tokenizer.hpp"

namespace atom::pretrained {

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

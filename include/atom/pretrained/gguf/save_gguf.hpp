// SPDX-License-Identifier: Apache-2.0
// A model to a GGUF file that llama.cpp and load() read.
#pragma once

#include "../../io/save_gguf.hpp"
#include "../../io/save_gguf_tokenizer.hpp"
#include "../tokenizer.hpp"
#include "gguf_form.hpp"
#include "gguf_types.hpp"

namespace atom::pretrained {

struct GgufOptions {
  BlockType type = BlockType::f16;  // of matrices: one of gguf_type_rules
  std::string architecture = {};    // of gguf_architectures(); empty: one that says the model's config
  std::optional<io::Tokenizer> tokenizer = {};
  io::SpecialTokens special = {};
  std::optional<std::string> chat_template = {};
  // More keys, such as general.name: in place of those that would be written.
  io::GgufMetadata metadata = {};
};

namespace detail {

// All keys of the file: those of the form, the tokenizer's, and what the caller says.
inline io::GgufMetadata gguf_file_metadata(const GgufForm& form, Index rows, const GgufOptions& options) {
  io::GgufMetadata metadata = form.metadata;
  metadata.set("general.type", std::string("model"));
  metadata.set("general.file_type", gguf_type_rule(options.type).file_type);
  if (info_of(options.type).values > 1) metadata.set("general.quantization_version", 2U);
  if (options.tokenizer) io::write_vocabulary(metadata, io::gguf_vocabulary(*options.tokenizer, rows, options.special));
  if (options.chat_template) metadata.set("tokenizer.chat_template", *options.chat_template);
  for (const auto& [key, value] : options.metadata.entries()) metadata.set(key, value);
  if (!metadata.contains("tokenizer.ggml.model")) metadata.set("tokenizer.ggml.model", std::string("none"));
  return metadata;
}

// The ids that a folder's configs give to the ends of texts and to padding. Of several, the first.
inline io::SpecialTokens special_tokens_of(const std::string& folder) {
  io::SpecialTokens special;
  for (const char* name : {"/generation_config.json", "/config.json"}) {
    if (!io::exists(folder + name)) continue;
    const io::Json json = io::read_json(folder + name);
    const auto read = [&](const char* key, std::optional<TokenId>& id) {
      const io::Json* value = json.find(key);
      if (value && value->is_array() && !value->elements().empty()) value = &value->elements()[0];
      if (!id && value && !value->is_null() && !value->is_array()) id = value->as<TokenId>(key);
    };
    read("bos_token_id", special.bos);
    read("eos_token_id", special.eos);
    read("pad_token_id", special.padding);
  }
  return special;
}

}  // namespace detail

// Replaces the file at `path` (see write_file). Layers for multi-token prediction are left out. Errors: an adapter that
// is not merged; a config that no architecture says; a tokenizer that GGUF cannot hold; values that the type cannot
// hold.
template <class T, class D, class Policy, class Router>
void save_gguf(const std::string& path, const models::Transformer<T, D, Policy, Router>& model,
               const GgufOptions& options = {}) {
  detail::check_merged(path, model);
  const auto parameters = parameters_of(model);
  const GgufForm form = gguf_form(model.config, parameters, options.architecture);
  const auto metadata = detail::gguf_file_metadata(form, model.config.vocab, options);
  std::vector<io::GgufTensor> infos;
  for (const auto& tensor : form.tensors) {
    Shape shape = published_shape(tensor, parameters);
    while (shape.rank() > 1 && shape[0] == 1) shape = shape.without(0);  // the file would not tell
    infos.push_back({.name = tensor.name, .type = gguf_type(tensor.name, shape, options.type), .shape = shape});
  }
  for (const auto& [name, values] : form.numbers) infos.push_back({.name = name, .shape = {std::ssize(values)}});

  io::save_gguf(path, metadata, infos, [&](const io::GgufTensor& info, io::FileWriter& writer) {
    const auto numbers = std::ranges::find(form.numbers, info.name, &detail::GgufNumbers::name);
    if (numbers != form.numbers.end())
      return io::write_elements(writer, std::span<const float>(numbers->values), info.type);
    const auto& tensor = *std::ranges::find(form.tensors, info.name, &PublishedTensor::name);
    auto values = published_values(tensor, parameters);
    if (form.norm_offset != 0 && parameters.at(tensor.parts[0].parameter).role == Role::norm)
      for (T& value : values) value += static_cast<T>(form.norm_offset);
    io::write_elements(writer, std::span<const T>(values), info.type);
  });
}

// Options that keep what a folder or FILE.gguf has beside its weights: the tokenizer, the chat template, the name.
// Errors: files.
inline GgufOptions gguf_options(const std::string& source, BlockType type = BlockType::f16) {
  GgufOptions options{.type = type};
  if (!is_gguf(source)) {
    for (const char* name : {"/tokenizer.json", "/tiktoken.model"})
      if (!options.tokenizer && io::exists(source + name)) options.tokenizer = load_tokenizer(source);
    options.special = detail::special_tokens_of(source);
    options.chat_template = load_chat_template(source);
    options.metadata.set("general.name", io::base_name(source));
    const auto* const family = read_model(source).family;  // what its small models say, others say too
    if (family && family->model_type == "phi3") options.architecture = "phi3";
    return options;
  }
  const io::Gguf file(source);
  options.architecture = file.metadata().get<std::string>("general.architecture");
  for (const auto& [key, value] : file.metadata().entries()) {
    const bool of_file = key == "general.architecture" || key == "general.file_type" || key == "general.alignment" ||
                         key == "general.quantization_version";
    if ((key.starts_with("general.") || key.starts_with("tokenizer.")) && !of_file) options.metadata.append(key, value);
  }
  return options;
}

}  // namespace atom::pretrained

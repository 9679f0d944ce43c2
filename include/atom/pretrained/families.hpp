// SPDX-License-Identifier: Apache-2.0
// Every family that can be read, and read_config: what a config.json says.
#pragma once

#include "atom_config.hpp"
#include "families/deepseek.hpp"
#include "families/gemma.hpp"
#include "families/glm.hpp"
#include "families/gpt2.hpp"
#include "families/gpt_oss.hpp"
#include "families/hunyuan.hpp"
#include "families/llama.hpp"
#include "families/llama4.hpp"
#include "families/olmo.hpp"
#include "families/phi.hpp"
#include "families/qwen.hpp"

namespace atom::pretrained {

inline const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      gpt2_family(),      bloom_family(),      gpt_neox_family(),    llama_family(),     mistral_family(),
      ministral_family(), ministral3_family(), mixtral_family(),     llama4_family(),    gemma_family(),
      gemma2_family(),    gemma3_family(),     qwen2_family(),       qwen2_moe_family(), qwen3_family(),
      qwen3_moe_family(), phi_family(),        phi3_family(),        phimoe_family(),    olmo_family(),
      olmo2_family(),     olmo3_family(),      olmoe_family(),       glm_family(),       glm4_family(),
      glm4_moe_family(),  hunyuan_family(),    hunyuan_moe_family(), deepseek_family(),  kimi_k2_family(),
      gpt_oss_family(),   granite_family(),    smollm3_family()};
  return all;
}

// How the weights of a file are stored beyond the type that each tensor states.
struct Quantisation {
  enum class Kind { none, fp8, mxfp4 } kind = Kind::none;
  std::array<Index, 2> block = {128, 128};  // fp8: rows and columns that share a scale
};

// What a config.json says.
struct PublishedModel {
  const Family* family = nullptr;  // null: our own form, every parameter under its own name
  models::TransformerConfig config;
  Quantisation quantisation = {};
  std::vector<std::string> unread = {};  // names of members that no one asked for

  std::vector<PublishedTensor> tensors() const {
    return family ? published_tensors(family->layout, config) : std::vector<PublishedTensor>();
  }
};

namespace detail {

inline Quantisation quantisation_from(const io::Json& q) {
  const auto method = q.get_or<std::string>("quant_method", "unknown");
  if (method == "mxfp4") return {.kind = Quantisation::Kind::mxfp4};
  if (method == "fp8" && q.contains("weight_block_size")) {
    const auto block = q.get<std::vector<Index>>("weight_block_size");
    check(block.size() == 2 && block[0] > 0 && block[1] > 0, "config.json", "\"weight_block_size\": expected 2 sizes");
    return {Quantisation::Kind::fp8, {block[0], block[1]}};
  }
  fail("config.json", "weights quantised by ", io::in_quotes(method),
       " are not supported, expected fp8 in blocks, mxfp4, or none");
}

// The object of the language model, where a config describes more than that.
inline const io::Json& text_config(const io::Json& json) {
  const io::Json* const text = json.find("text_config");
  return text && text->is_object() ? *text : json;
}

}  // namespace detail

// Errors: an unknown model_type, naming the known ones; a missing or mistyped member; a value that is not supported; an
// impossible size.
inline PublishedModel read_config(const io::Json& json) {
  const io::Json& text = detail::text_config(json);
  const bool nested = &text != &json;
  auto type = text.get_or<std::string>("model_type", json.get<std::string>("model_type"));
  if (nested && !text.contains("model_type")) {  // the wrapper's own name
    if (type == "gemma3" || type == "llama4") type += "_text";
    if (type == "mistral3") type = "mistral";
  }
  PublishedModel model;
  if (const io::Json* q = json.find("quantization_config"); q && !q->is_null())
    model.quantisation = detail::quantisation_from(*q);
  if (type == "atom") {
    model.config = models::resolved(detail::atom_config(json));
    return model;
  }
  const auto& all = families();
  const auto found = std::ranges::find(all, type, &Family::model_type);
  if (found == all.end()) {
    std::string known = "atom";
    for (const Family& family : all) known += ", " + family.model_type;
    fail("config.json", "unknown model_type ", io::in_quotes(type), ", expected one of ", known);
  }
  const Keys keys(text, nested ? &json : nullptr);
  model.family = &*found;
  model.config = found->config(keys);
  if (const io::Json* const own = keys.find("atom")) detail::training_fields(model.config, detail::FieldReader(*own));
  model.config = models::resolved(model.config);
  for (const char* name : {"model_type", "architectures", "torch_dtype", "dtype", "transformers_version",
                           "quantization_config", "text_config"})
    static_cast<void>(keys.contains(name));
  model.unread = keys.unread();
  return model;
}

}  // namespace atom::pretrained

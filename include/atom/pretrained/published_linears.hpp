// SPDX-License-Identifier: Apache-2.0
// published_linears: the modules of a published model that its linear layers are, for adapters.
#pragma once

#include "adapter_config.hpp"
#include "load.hpp"

namespace atom::pretrained {

namespace detail {

// The model_type of what GGUF files call an architecture.
inline std::string model_type_of_architecture(const std::string& architecture) {
  constexpr std::pair<std::string_view, std::string_view> others[] = {
      {"qwen2moe", "qwen2_moe"},    {"qwen3moe", "qwen3_moe"}, {"gemma3", "gemma3_text"}, {"phi2", "phi"},
      {"deepseek2", "deepseek_v3"}, {"gpt-oss", "gpt_oss"},    {"glm4moe", "glm4_moe"}};
  for (const auto& [from, to] : others)
    if (architecture == from) return std::string(to);
  return architecture;
}

// How the family of a folder or FILE.gguf names its tensors in folders.
inline Layout folder_layout(const std::string& path) {
  if (!is_gguf(path)) {
    const auto model = read_model(path);
    check(model.family != nullptr, path, "adapters are for models of published families");
    return model.family->layout;
  }
  const auto type = model_type_of_architecture(io::Gguf(path).metadata().get<std::string>("general.architecture"));
  const auto& all = families();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Family& f) { return f.model_type == type; });
  check(found != all.end(), path, "no family of folders is known for the architecture ", io::in_quotes(type));
  return found->layout;
}

}  // namespace detail

// The pairing of rotary positions that folders have for the architecture of a FILE.gguf.
inline RopePairing folder_pairing(const std::string& path) {
  const auto architecture = io::Gguf(path).metadata().get<std::string>("general.architecture");
  return architecture == "glm4" || architecture == "deepseek2" ? RopePairing::interleaved : RopePairing::half_split;
}

// Of the model of a folder or FILE.gguf, whose pairing of rotary positions is that of folders (pairing.hpp). Stacks of
// experts are no linear layers. Errors: files; a model of no published family.
template <class M> std::vector<PublishedLinear> published_linears(const std::string& path, const M& model) {
  std::set<std::string, std::less<>> layers;
  nn::for_each_linear(model, [&](const std::string& name, const auto&) { layers.insert(name); });
  constexpr std::string_view end = ".weight";
  std::vector<PublishedLinear> list;
  for (const auto& tensor : published_tensors(detail::folder_layout(path), model.config)) {
    if (tensor.duplicate || !tensor.name.ends_with(end)) continue;
    for (const auto& part : tensor.parts) {
      if (!part.parameter.ends_with(end)) continue;
      const auto layer = part.parameter.substr(0, part.parameter.size() - end.size());
      if (layers.contains(layer))
        list.push_back({layer, tensor.name.substr(0, tensor.name.size() - end.size()), part.rows});
    }
  }
  return list;
}

}  // namespace atom::pretrained

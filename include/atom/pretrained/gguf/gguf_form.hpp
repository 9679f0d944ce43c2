// SPDX-License-Identifier: Apache-2.0
// The form in which a GGUF file holds a model: of the architectures, one whose keys, read back, say the same config.
#pragma once

#include "../same_model.hpp"
#include "../weights.hpp"
#include "gguf_metadata.hpp"

namespace atom::pretrained {

struct GgufForm {
  std::string architecture;
  io::GgufMetadata metadata;  // of the config
  std::vector<PublishedTensor> tensors = {};
  std::vector<detail::GgufNumbers> numbers = {};
  double norm_offset = 0;  // to be added to the norms
};

namespace detail {

// Where the keys of two architectures could say the same, whose it is.
inline bool is_natural(const std::string& architecture, const models::TransformerConfig& c) {
  const bool of_qwen = c.qkv_bias && !c.o_bias;
  const bool of_phi = c.rope_scaling.kind == ops::RopeScaling::Kind::longrope || c.rotary_dim != c.head_dim;
  if (architecture == "llama") return !of_qwen && !of_phi;
  if (architecture == "qwen2") return of_qwen;
  if (architecture == "phi3") return of_phi;
  return true;
}

// The form of one architecture, and in what the file would say something else.
template <class T, class D> std::pair<GgufForm, std::string> gguf_form(const GgufArchitecture& architecture,
                                                                       models::TransformerConfig config,
                                                                       const Parameters<T, D>& parameters) {
  config.mtp = 0;
  GgufConfigWriter writer(config, architecture.name);
  GgufForm form{.architecture = architecture.name, .metadata = writer.keys(), .numbers = writer.numbers()};
  Layout layout = architecture.layout;
  std::vector<io::GgufTensor> infos;
  const auto describe = [&] {
    form.tensors = published_tensors(layout, config);
    std::erase_if(form.tensors, [](const PublishedTensor& tensor) { return tensor.duplicate; });
    infos.clear();
    for (const auto& tensor : form.tensors)
      infos.push_back({.name = tensor.name, .shape = published_shape(tensor, parameters)});
    for (const auto& [name, values] : form.numbers) infos.push_back({.name = name, .shape = {std::ssize(values)}});
    std::ranges::sort(infos, {}, &io::GgufTensor::name);
  };
  describe();
  const GgufKeys keys("save_gguf", form.metadata, infos, [&](const io::GgufTensor& tensor) {
    return std::ranges::find(form.numbers, tensor.name, &GgufNumbers::name)->values;
  });
  models::TransformerConfig said;
  try {
    said = models::resolved(architecture.config(keys));
  } catch (const Error& error) {
    return {std::move(form), error.what()};
  }
  if (said.rope_pairing == RopePairing::interleaved && config.rope_pairing == RopePairing::half_split &&
      config.latent.kv_rank == 0 && config.rotary_dim == config.head_dim) {
    layout.interleaved_heads = true;
    config.rope_pairing = RopePairing::interleaved;
    describe();
  }
  if (config.norm == nn::NormKind::rms) form.norm_offset = config.norm_offset;
  return {std::move(form), differences(config, said)};
}

}  // namespace detail

// The form for a model of that config: that of the named architecture, or if none is named of the first that fits.
// Error: none says the same; the members of the config in which the nearest differs.
template <class T, class D> GgufForm gguf_form(const models::TransformerConfig& config,
                                               const Parameters<T, D>& parameters,
                                               const std::string& architecture = {}) {
  const auto c = models::resolved(config);
  std::string nearest, least;
  for (const auto& candidate : gguf_architectures()) {
    if (architecture.empty() ? !detail::is_natural(candidate.name, c) : candidate.name != architecture) continue;
    auto [form, differences] = detail::gguf_form(candidate, c, parameters);
    if (differences.empty()) return std::move(form);
    if (nearest.empty() || differences.size() < least.size()) {
      nearest = candidate.name;
      least = std::move(differences);
    }
  }
  if (nearest.empty()) gguf_architecture(architecture, "save_gguf");  // says which are known
  fail("save_gguf", "no architecture of GGUF files says this model: ", nearest, " differs in ", least);
}

}  // namespace atom::pretrained

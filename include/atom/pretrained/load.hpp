// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder or a GGUF file to a model: load_config, load_weights, load.
#pragma once

#include "../io/json.hpp"
#include "../models/transformer.hpp"
#include "gguf/gguf_weights.hpp"
#include "weight_files.hpp"
#include "weights.hpp"

namespace atom::pretrained {

// What a folder's config.json says. Layers for multi-token prediction that the weights lack are none.
// Errors: as read_config.
inline PublishedModel read_model(const std::string& folder) {
  PublishedModel model = read_config(io::read_json(folder + "/config.json"));
  auto& c = model.config;
  if (model.family && c.mtp > 0) {
    const WeightFiles files(folder, model);
    const auto& layout = model.family->layout;
    if (!files.find(to_text(layout.root, layout.layers, c.layers, ".eh_proj.weight"))) c.mtp = 0;
  }
  return model;
}

namespace detail {

// Collects what does not fit, for one sentence.
class Problems {
 public:
  template <class... Parts> void add(const Parts&... parts) {
    constexpr int most = 20;
    if (++found_ <= most) text_ += to_text(found_ == 1 ? "" : "; ", parts...);
    if (found_ == most + 1) text_ += "; and more";
  }
  const std::string& text() const { return text_; }

 private:
  int found_ = 0;
  std::string text_;
};

// Where the names are those of visit().
template <class T, class D> std::vector<PublishedTensor> own_tensors(const Parameters<T, D>& parameters) {
  std::vector<PublishedTensor> tensors;
  for (const auto& [name, parameter] : parameters) tensors.push_back({name, {{name}}});
  return tensors;
}

// The published tensors of a model, of the family's config or the model's own.
template <class T, class D> std::vector<PublishedTensor> tensors_of(const PublishedModel& published,
                                                                    const models::TransformerConfig& config,
                                                                    const Parameters<T, D>& parameters) {
  return published.family ? published_tensors(published.family->layout, config) : own_tensors(parameters);
}

// All that does not fit; nothing if everything does. Source: WeightFiles or GgufWeights.
template <class Source, class T, class D> std::string misfits(const Source& source,
                                                              const std::vector<PublishedTensor>& tensors,
                                                              const Parameters<T, D>& parameters) {
  Problems problems;
  std::set<std::string, std::less<>> surplus;
  for (auto& name : source.names()) surplus.insert(std::move(name));
  for (const auto& tensor : tensors) {
    const auto stored = source.find(tensor.name);
    if (stored)
      for (const auto& name : source.names_of(stored)) surplus.erase(name);
    if (tensor.duplicate) continue;
    if (!stored) {
      problems.add("missing ", io::in_quotes(tensor.name));
      continue;
    }
    auto as_stored = tensor;
    as_stored.transposed = source.transposed(tensor, stored);
    const Shape expected = published_shape(as_stored, parameters), found = source.shape(stored);
    if (!source.fits(found, expected))
      problems.add("shape of ", io::in_quotes(tensor.name), ": found ", found, ", expected ", expected);
    if (!source.readable(stored))
      problems.add("type of ", io::in_quotes(tensor.name), ": found ", source.type_name(stored));
  }
  for (const auto& name : surplus)
    if (!source.ignorable(name)) problems.add("surplus ", io::in_quotes(name));
  return problems.text();
}

// Fills the places of weights that are not loaded (nn::WithoutWeights): with what the file stores where that can be
// kept, else with zeros, to be read.
template <class Source, class M>
void fill_places(const Source& source, const std::vector<PublishedTensor>& tensors, M& model) {
  using T = typename M::Scalar;
  using D = typename M::DeviceType;
  std::map<std::string_view, PublishedUses> uses;
  for (const auto& tensor : tensors)
    if (!tensor.duplicate)
      for (const auto& part : tensor.parts) uses[part.parameter].emplace_back(&tensor, &part);
  const auto parameters = parameters_of(model);
  const auto rows_of = [&](const PublishedTensor& tensor) {
    Index rows = 0;
    for (const auto& part : tensor.parts) rows += shape_of(parameters.at(part.parameter), part).rows;
    return rows;
  };
  const auto kept_of = [&](const PublishedTensor& tensor) {
    const auto stored = source.find(tensor.name);
    return std::pair(source.kept(stored), source.transposed(tensor, stored));
  };
  nn::for_each_weight(model, [&](const std::string& name, auto& weight, auto& stored, Role) {
    if (weight.defined() || stored.defined()) return;
    const Shape shape = stored.shape();
    if (auto kept = kept_weight(shape, uses[name], rows_of, kept_of, stored.device()))
      nn::set_weight(weight, stored, std::move(*kept));
    else
      nn::set_weight(weight, stored, Tensor<T, D>::zeros(shape, stored.device()));
  });
}

// Reads every tensor, if all fit. Errors naming `path`: one sentence with all that does not.
template <class Source, class M> void read_weights(const std::string& path, const Source& source,
                                                   const std::vector<PublishedTensor>& tensors, M& model) {
  const auto problems = misfits(source, tensors, parameters_of(model));
  check(problems.empty(), path, "the tensors do not fit the model: ", problems);
  fill_places(source, tensors, model);
  const auto parameters = parameters_of(model);
  using T = typename M::Scalar;
  for (const auto& tensor : tensors) {
    if (tensor.duplicate) continue;
    const auto stored = source.find(tensor.name);
    read_parts(tensor, source.transposed(tensor, stored), parameters,
               [&](std::span<T> into, Index first) { source.read(stored, into, first); });
  }
}

}  // namespace detail

// Whether a path names a GGUF file rather than a folder.
inline bool is_gguf(std::string_view path) { return path.ends_with(".gguf"); }

// The config of a folder or of a FILE.gguf. Errors: as read_model, GgufWeights.
inline models::TransformerConfig load_config(const std::string& path) {
  return is_gguf(path) ? GgufWeights(path).config() : read_model(path).config;
}

// Overwrites the weights of a model of the config of a folder or FILE.gguf. Values convert; nothing is changed unless
// everything fits. Errors: files; one sentence with all that is missing, surplus or of another shape or type.
template <class T, class D, class Policy, class Router>
void load_weights(const std::string& path, models::Transformer<T, D, Policy, Router>& model) {
  if (is_gguf(path)) {
    const GgufWeights source(path);
    const auto& c = source.config();
    check(model.config.rope_pairing == c.rope_pairing && model.config.norm_offset == c.norm_offset, path,
          "its rows and norms are made for another pairing of rotary positions, or another offset of norms, than the "
          "model's");
    detail::read_weights(path, source, source.tensors(), model);
  } else {
    const PublishedModel published = read_model(path);
    const WeightFiles source(path, published);
    detail::read_weights(path, source, detail::tensors_of(published, model.config, parameters_of(model)), model);
  }
}

struct LoadOptions {
  // All weights as numbers that can be trained; else those of 16 bits and less stay in the file's type.
  bool full = false;
};

// The model of a folder or FILE.gguf: a Transformer<float>, or the type given. models::FullTransformer<float> takes
// every family. Weights that stay in the file's type are mapped: the file must not be cut while the model lives.
template <class M>
M load_model(const std::string& path, const LoadOptions& options = {}, typename M::DeviceType device = {}) {
  const auto config = load_config(path);
  std::optional<M> model;
  {
    std::optional<nn::WithoutWeights> places;
    if (!options.full) places.emplace();
    model.emplace(config, device);
  }
  load_weights(path, *model);
  return std::move(*model);
}

// A Transformer with all weights as numbers, and a policy of its own.
template <class T, class D = Device, ScorePolicy Policy = Causal>
models::Transformer<T, D, Policy> load(const std::string& path, D device = {}, Policy policy = {}) {
  models::Transformer<T, D, Policy> model(load_config(path), device, std::move(policy));
  load_weights(path, model);
  return model;
}

#if ATOM_EXTERN_MODELS
extern template void load_weights(const std::string&, models::Transformer<float>&);
extern template void load_weights(const std::string&, models::FullTransformer<float>&);
extern template models::FullTransformer<float> load_model(const std::string&, const LoadOptions&, Device);
#endif

}  // namespace atom::pretrained

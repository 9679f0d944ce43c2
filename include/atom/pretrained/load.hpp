// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder to a model: load_config, load_weights, load.
#pragma once

#include "../io/json.hpp"
#include "../models/transformer.hpp"
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
inline models::TransformerConfig load_config(const std::string& folder) { return read_model(folder).config; }

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

// All that does not fit; nothing if everything does.
template <class T, class D>
std::string misfits(const WeightFiles& files, const PublishedModel& published, const models::TransformerConfig& config,
                    const std::vector<PublishedTensor>& tensors, const Parameters<T, D>& parameters) {
  Problems problems;
  std::map<std::string, const io::TensorInfo*, std::less<>> surplus;
  for (const auto& info : files.file().tensors()) surplus.emplace(info.name, &info);
  for (const auto& tensor : tensors) {
    const auto stored = files.find(tensor.name);
    if (stored) {
      surplus.erase(stored.values->name);
      if (stored.scales) surplus.erase(stored.scales->name);
    }
    if (tensor.duplicate) continue;
    if (!stored) {
      problems.add("missing ", io::in_quotes(tensor.name));
      continue;
    }
    auto as_stored = tensor;
    as_stored.transposed = tensor.transposed && !stored.mxfp4;
    const Shape expected = published_shape(as_stored, parameters), found = files.shape(stored);
    if (found != expected)
      problems.add("shape of ", io::in_quotes(tensor.name), ": found ", found, ", expected ", expected);
    if (!files.readable(stored)) problems.add("type of ", io::in_quotes(tensor.name), ": found ", stored.values->dtype);
  }
  for (const auto& [name, info] : surplus)
    if (!published.family || !is_ignorable(name, published.family->layout, config.layers))
      problems.add("surplus ", io::in_quotes(name));
  return problems.text();
}

}  // namespace detail

// Overwrites the weights of a model of the folder's config. Floating-point types convert; nothing is changed unless
// everything fits. Errors: files; one sentence with all that is missing, surplus or of another shape or type.
template <class T, class D, class Policy, class Router>
void load_weights(const std::string& folder, models::Transformer<T, D, Policy, Router>& model) {
  const PublishedModel published = read_model(folder);
  const WeightFiles files(folder, published);
  const auto parameters = parameters_of(model);
  const auto tensors = detail::tensors_of(published, model.config, parameters);
  const auto problems = detail::misfits(files, published, model.config, tensors, parameters);
  check(problems.empty(), folder, "the tensors do not fit the model: ", problems);
  for (const auto& tensor : tensors) {
    if (tensor.duplicate) continue;
    const auto stored = files.find(tensor.name);
    read_parts(tensor, tensor.transposed && !stored.mxfp4, parameters,
               [&](std::span<T> into, Index first) { files.read(stored, into, first); });
  }
}

// The model of a folder: a Transformer<float>, or the type given. models::FullTransformer<float> takes every family.
template <class M> M load_model(const std::string& folder, typename M::DeviceType device = {}) {
  M model(load_config(folder), device);
  load_weights(folder, model);
  return model;
}
template <class T, class D = Device, ScorePolicy Policy = Causal>
models::Transformer<T, D, Policy> load(const std::string& folder, D device = {}, Policy policy = {}) {
  models::Transformer<T, D, Policy> model(load_config(folder), device, std::move(policy));
  load_weights(folder, model);
  return model;
}

}  // namespace atom::pretrained

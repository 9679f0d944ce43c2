// SPDX-License-Identifier: Apache-2.0
// A Transformer as a Hugging Face folder: config.json, model.safetensors (or shards), generation_config.json, under the
// names that its family publishes (names.hpp). What `transformers` loads, and what load() reads back bit for bit.
#pragma once

#include "../io/tensors.hpp"
#include "../models/transformer.hpp"
#include "../ops/shape.hpp"
#include "config.hpp"

namespace atom::pretrained {

namespace detail {

// The published tensors of a model as a module. Those that are one parameter as it is share its memory; the others are
// put together here and, after loading, taken apart by `distribute`.
template <class T, class D> struct Published {
  std::vector<std::pair<std::string, Tensor<T, D>>> tensors;

  template <class Self, class F> static void visit(Self& self, F&& f) {
    for (auto& [name, tensor] : self.tensors) f(name, tensor, Role::matrix);
  }
};

template <class M> auto parameters_by_name(M& model) {
  using T = typename M::Scalar;
  using D = typename M::DeviceType;
  std::map<std::string, Tensor<T, D>, std::less<>> parameters;
  nn::for_each_tensor(model, [&](const std::string& name, const Tensor<T, D>& tensor, Role) {
    parameters.emplace(name, tensor.detach());
  });
  return parameters;
}

template <class M> auto list_of(M& model) {
  auto list = published_tensors(family_of(model.config), model.config);
  if (list.empty())
    nn::for_each_tensor(model, [&](const std::string& name, const auto&, Role) { list.push_back({name, {name}}); });
  return list;
}

template <class M> auto published(M& model) {
  const NoGrad no_grad;
  const auto parameters = parameters_by_name(model);
  Published<typename M::Scalar, typename M::DeviceType> result;
  for (const PublishedTensor& entry : list_of(model)) {
    auto whole = parameters.at(entry.parts[0]);
    for (std::size_t i = 1; i < entry.parts.size(); ++i) whole = ops::concat(whole, parameters.at(entry.parts[i]), 0);
    if (entry.transposed) whole = ops::transpose(whole).clone();
    if (entry.index >= 0)
      whole = ops::reshape(ops::slice(whole, 0, entry.index, 1), whole.shape().without(0));  // shares the memory
    result.tensors.emplace_back(entry.name, whole);
  }
  return result;
}

// Copies what was loaded into the parameters that do not share its memory.
template <class M, class T, class D> void distribute(const Published<T, D>& loaded, M& model) {
  const NoGrad no_grad;
  const auto parameters = parameters_by_name(model);
  const auto list = list_of(model);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].parts.size() == 1 && !list[i].transposed) continue;
    const auto& stored = loaded.tensors[i].second;
    const auto whole = list[i].transposed ? ops::transpose(stored) : stored;
    Index row = 0;
    for (const auto& part : list[i].parts) {
      auto parameter = parameters.at(part);
      parameter.assign(ops::slice(whole, 0, row, parameter.dim(0)).to_vector());
      row += parameter.dim(0);
    }
  }
}

}  // namespace detail

struct SaveOptions {
  std::optional<DType> dtype = std::nullopt;          // of the weights in the file; their own if not said
  std::optional<TokenId> end_of_text = std::nullopt;  // for generation_config.json
};

// Writes the model's files into a folder that exists; call it inside io::write_folder for all or nothing.
template <class T, class D, class Policy, class Router>
void save(const std::string& folder, const models::Transformer<T, D, Policy, Router>& model,
          const SaveOptions& options = {}) {
  auto config = config_json(model.config);
  std::string dtype = "float32";
  if constexpr (std::is_same_v<T, double>) dtype = "float64";
  if (options.dtype == DType::bf16) dtype = "bfloat16";
  if (options.dtype == DType::f16) dtype = "float16";
  config.set("torch_dtype", dtype);
  auto generation = io::Json::object({{"do_sample", true}, {"temperature", 1.0}});
  if (options.end_of_text) {
    config.set("eos_token_id", *options.end_of_text);
    generation.set("eos_token_id", *options.end_of_text);
  }
  io::write_file(folder + "/config.json", to_pretty_text(config));
  io::write_file(folder + "/generation_config.json", to_pretty_text(generation));
  io::save_folder(folder, detail::published(model), {.dtype = options.dtype});
}

// The config of a folder. Errors: as config_from.
inline models::TransformerConfig load_config(const std::string& folder) {
  return config_from(io::read_json(folder + "/config.json"));
}

// Overwrites the weights of a model of the folder's config. Errors: files; everything that does not fit, in one
// sentence.
template <class T, class D, class Policy, class Router>
void load_weights(const std::string& folder, models::Transformer<T, D, Policy, Router>& model) {
  auto tensors = detail::published(model);
  io::load(folder, tensors);
  detail::distribute(tensors, model);
}

// The model of a folder: a Transformer<float>, or the type given, such as SparseTransformer<float>.
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

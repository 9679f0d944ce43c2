// SPDX-License-Identifier: Apache-2.0
// A model to a Hugging Face folder that `transformers` loads and load() reads back bit for bit: one of our own making,
// or one that came from a folder, in the form that it had there.
#pragma once

#include "../io/save_safetensors.hpp"
#include "load.hpp"
#include "own_config.hpp"

namespace atom::pretrained {

struct SaveOptions {
  std::optional<DType> dtype = std::nullopt;          // of the weights in the file; their own if not said
  std::optional<TokenId> end_of_text = std::nullopt;  // for generation_config.json; of save() alone
  std::string model_type = {};                        // the family that is preferred where it says the model; of save()
  std::uint64_t shard_bytes = io::SafetensorsOptions().shard_bytes;
};

namespace detail {

constexpr std::string_view torch_name_of(DType dtype) {
  if (dtype == DType::f64) return "float64";
  if (dtype == DType::bf16) return "bfloat16";
  if (dtype == DType::f16) return "float16";
  return "float32";
}

// What goes into the files: what each tensor is, and who writes its bytes.
struct Outgoing {
  std::vector<io::TensorInfo> infos = {};
  std::map<std::string, std::function<void(io::FileWriter&, DType)>, std::less<>> writers = {};

  void add(const std::string& name, DType dtype, const Shape& shape,
           std::function<void(io::FileWriter&, DType)> writer) {
    infos.push_back({.name = name, .dtype = dtype, .shape = shape});
    writers.emplace(name, std::move(writer));
  }
  // The tensor that parameters hold.
  template <class T, class D>
  void add(const std::string& name, DType dtype, const PublishedTensor& tensor, const Parameters<T, D>& parameters) {
    add(name, dtype, published_shape(tensor, parameters), [&tensor, &parameters](io::FileWriter& writer, DType as) {
      const auto values = published_values(tensor, parameters);
      io::write_elements(writer, std::span<const T>(values), as);
    });
  }
  void save(const std::string& folder, std::uint64_t shard_bytes) const {
    io::save_safetensors_folder(
        folder, infos,
        [&](const io::TensorInfo& info, io::FileWriter& writer) { writers.at(info.name)(writer, info.dtype); },
        {.shard_bytes = shard_bytes});
  }
};

}  // namespace detail

// Writes the model's files into a folder that exists, as the family that fits its config publishes them (config_json);
// call it inside io::write_folder for all or nothing. Error: an adapter that is not merged.
template <class T, class D, class Policy, class Router>
void save(const std::string& folder, const models::Transformer<T, D, Policy, Router>& model,
          const SaveOptions& options = {}) {
  detail::check_merged(folder, model);
  auto config = config_json(model.config, options.model_type);
  const DType dtype = options.dtype.value_or(dtype_of<T>);
  config.set("torch_dtype", detail::torch_name_of(dtype));
  auto generation = io::Json::object({{"do_sample", true}, {"temperature", 1.0}});
  // Said also where there is none: a family's default may lie beyond this vocabulary.
  config.set("bos_token_id", io::Json());
  config.set("eos_token_id", options.end_of_text ? io::Json(*options.end_of_text) : io::Json());
  if (options.end_of_text) generation.set("eos_token_id", *options.end_of_text);
  io::write_file(folder + "/config.json", to_pretty_text(config));
  io::write_file(folder + "/generation_config.json", to_pretty_text(generation));
  const auto parameters = parameters_of(model);
  const auto tensors = detail::tensors_of(read_config(config), model.config, parameters);
  detail::Outgoing outgoing;
  for (const auto& tensor : tensors)
    if (!tensor.duplicate) outgoing.add(tensor.name, dtype, tensor, parameters);
  outgoing.save(folder, options.shard_bytes);
}

}  // namespace atom::pretrained

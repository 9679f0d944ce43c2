// SPDX-License-Identifier: Apache-2.0
// save_like: a model that came from a folder, written in the form that it had there.
#pragma once

#include "save.hpp"

namespace atom::pretrained {

namespace detail {

// What belongs to a model beside its weights and its config.
inline constexpr std::string_view companion_files[] = {"generation_config.json",
                                                       "tokenizer.json",
                                                       "tokenizer_config.json",
                                                       "tokenizer.model",
                                                       "special_tokens_map.json",
                                                       "added_tokens.json",
                                                       "vocab.json",
                                                       "merges.txt",
                                                       "chat_template.jinja",
                                                       "chat_template.json",
                                                       "tiktoken.model"};

// Whether the parameters are still what a stored tensor gives.
template <class T, class D> bool is_unchanged(const WeightFiles& files, const WeightFiles::Stored& stored,
                                              const PublishedTensor& tensor, const Parameters<T, D>& parameters) {
  const auto now = published_values(tensor, parameters);
  std::vector<T> before(now.size());
  files.read(stored, std::span(before), 0);
  return std::memcmp(now.data(), before.data(), now.size() * sizeof(T)) == 0;
}

inline void copy_tensor(const io::Safetensors& file, const io::TensorInfo& info, io::FileWriter& writer) {
  std::vector<std::byte> bytes(std::min<std::uint64_t>(info.bytes(), std::uint64_t{1} << 20U));
  for (std::uint64_t at = 0; at < info.bytes(); at += bytes.size()) {
    const auto part = std::span(bytes).first(std::min<std::uint64_t>(bytes.size(), info.bytes() - at));
    file.read(info, part, at);
    writer.write(part);
  }
}

}  // namespace detail

// Writes the model's files into a folder that exists, with the names, types and companions (tokenizer, template,
// generation config) that `source` has; call it inside io::write_folder for all or nothing. What was quantised in the
// source stays as it is if nothing of it has changed, and is bfloat16 otherwise. Tensors of the source that the model
// does not have are copied. Errors: a source of another shape; an adapter that is not merged.
template <class T, class D, class Policy, class Router>
void save_like(const std::string& folder, const models::Transformer<T, D, Policy, Router>& model,
               const std::string& source, const SaveOptions& options = {}) {
  detail::check_merged(folder, model);
  auto json = io::read_json(source + "/config.json");
  const PublishedModel published = read_model(source);
  const WeightFiles files(source, published);
  const auto parameters = parameters_of(model);
  const auto tensors = detail::tensors_of(published, model.config, parameters);
  const auto problems = detail::misfits(files, tensors, parameters);
  check(problems.empty(), source, "the tensors do not fit the model: ", problems);

  std::vector<PublishedTensor> as_stored = tensors;
  bool keeps_blocks = !options.dtype;
  for (auto& tensor : as_stored) {
    const auto stored = files.find(tensor.name);
    if (!stored || !stored.scales) continue;
    tensor.transposed = tensor.transposed && !stored.mxfp4;
    keeps_blocks = keeps_blocks && detail::is_unchanged(files, stored, tensor, parameters);
  }

  detail::Outgoing outgoing;
  std::set<std::string_view> done;
  const auto copied = [&](const io::TensorInfo& info) {
    outgoing.add(info.name, info.dtype, info.shape,
                 [&](io::FileWriter& writer, DType) { detail::copy_tensor(files.file(), info, writer); });
  };
  for (const auto& tensor : tensors) {
    const auto stored = files.find(tensor.name);
    if (!stored) continue;
    done.insert(stored.values->name);
    if (stored.scales) done.insert(stored.scales->name);
    if (stored.scales && keeps_blocks) {
      copied(*stored.values);
      copied(*stored.scales);
    } else {
      std::string name = stored.values->name;
      if (stored.mxfp4) name.resize(name.size() - std::string_view("_blocks").size());
      const DType own = stored.scales ? DType::bf16 : stored.values->dtype;
      outgoing.add(name, options.dtype.value_or(own), tensor, parameters);
    }
  }
  for (const auto& info : files.file().tensors())
    if (!done.contains(info.name)) copied(info);
  outgoing.save(folder, options.shard_bytes);

  if (options.dtype || (published.quantisation.kind != Quantisation::Kind::none && !keeps_blocks)) {
    const auto name = detail::torch_name_of(options.dtype.value_or(DType::bf16));
    json.set(json.contains("dtype") ? "dtype" : "torch_dtype", name);
    json = detail::without(json, "quantization_config");
  }
  io::write_file(folder + "/config.json", to_pretty_text(json));
  for (const auto& name : detail::companion_files) {
    const std::string from = to_text(source, "/", name);
    if (io::exists(from)) io::write_file(to_text(folder, "/", name), io::read_file(from));
  }
}

}  // namespace atom::pretrained

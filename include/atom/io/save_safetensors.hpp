// SPDX-License-Identifier: Apache-2.0
// Writing safetensors files, one or several with an index. The bytes are a function of the tensors alone: types by
// falling alignment, then names, as the format's own library orders them. Nothing is copied in memory.
#pragma once

#include "safetensors.hpp"

namespace atom::io {

struct SafetensorsOptions {
  Metadata metadata = {{"format", "pt"}};     // what Hugging Face's transformers asks for
  std::uint64_t shard_bytes = 5'000'000'000;  // tensors beyond this go to a further file
};

namespace detail {

// Orders the tensors as they will stand in the file, sets where, and returns all that stands before them.
inline std::string layout(const std::string& path, std::vector<TensorInfo>& tensors, const Metadata& metadata) {
  std::ranges::sort(tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  Json::Object header;
  if (!metadata.empty()) {
    Json entries;
    for (const auto& [name, value] : metadata) entries.set(name, value);
    header.members.push_back({"__metadata__", std::move(entries)});
  }
  std::uint64_t end = 0;
  for (TensorInfo& tensor : tensors) {
    const auto bytes = byte_size(tensor.dtype, tensor.shape);
    const auto next = bytes ? checked_add(end, *bytes) : bytes;
    check(next.has_value(), tensor_in(path, tensor.name), "shape ", tensor.shape, " of ", tensor.dtype,
          " is not a number of bytes");
    tensor.begin = end;
    tensor.end = end = *next;
    Json shape{Json::Array()};
    for (const Index extent : tensor.shape) shape.push_back(extent);
    header.members.push_back({tensor.name, Json::object({{"dtype", name_of(tensor.dtype)},
                                                         {"shape", std::move(shape)},
                                                         {"data_offsets", Json::Array{tensor.begin, tensor.end}}})});
  }
  std::string text = to_text(Json(std::move(header)));
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that tensors are aligned
  const std::uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  parse_safetensors(std::string_view(text).substr(8), path, text.size(), text.size() + end);  // names, limits
  for (TensorInfo& tensor : tensors) {
    tensor.begin += text.size();
    tensor.end += text.size();
  }
  return text;
}

}  // namespace detail

// Replaces the file at `path` (see write_file) by these tensors: name, dtype and shape are read of each. For each, in
// the order of the file, `fill(const TensorInfo&, FileWriter&)` writes its bytes. Errors: a name twice; an impossible
// size; `fill` wrote another number of bytes.
template <class Fill> void save_safetensors(const std::string& path, std::vector<TensorInfo> tensors, Fill&& fill,
                                            const Metadata& metadata = SafetensorsOptions().metadata) {
  const std::string header = detail::layout(path, tensors, metadata);
  write_file(path, [&](FileWriter& writer) {
    writer.write(header);
    for (const TensorInfo& tensor : tensors) {
      fill(tensor, writer);
      if (writer.written() != tensor.end)
        fail(detail::tensor_in(path, tensor.name), "written were ", writer.written() - tensor.begin,
             " bytes, expected ", tensor.bytes());
    }
  });
}

// Writes model.safetensors into a folder that exists or, where the tensors take more than `shard_bytes`, files
// model-00001-of-0000N.safetensors, filled by name, and model.safetensors.index.json. Call it inside write_folder().
template <class Fill> void save_safetensors_folder(const std::string& folder, std::vector<TensorInfo> tensors,
                                                   Fill&& fill, const SafetensorsOptions& options = {}) {
  std::ranges::sort(tensors, {}, &TensorInfo::name);
  std::vector<std::vector<TensorInfo>> shards(1);
  std::uint64_t total = 0, held = 0;
  for (TensorInfo& tensor : tensors) {
    const auto bytes = byte_size(tensor.dtype, tensor.shape).value_or(0);  // a wrong size is found in layout()
    if (held > 0 && bytes > options.shard_bytes - std::min(held, options.shard_bytes)) {
      shards.emplace_back();
      held = 0;
    }
    total += bytes;
    held += bytes;
    shards.back().push_back(std::move(tensor));
  }
  if (shards.size() == 1)
    return save_safetensors(folder + "/model.safetensors", std::move(shards[0]), fill, options.metadata);
  const auto five_digits = [](std::size_t number) {
    const std::string digits = to_text(number);
    return std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits;
  };
  Json::Object weight_map;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = to_text("model-", five_digits(i + 1), "-of-", five_digits(shards.size()), ".safetensors");
    for (const TensorInfo& tensor : shards[i]) weight_map.members.push_back({tensor.name, name});
    save_safetensors(folder + "/" + name, std::move(shards[i]), fill, options.metadata);
  }
  write_file(folder + "/model.safetensors.index.json",
             to_pretty_text(Json::object(
                 {{"metadata", Json::object({{"total_size", total}})}, {"weight_map", Json(std::move(weight_map))}})));
}

}  // namespace atom::io

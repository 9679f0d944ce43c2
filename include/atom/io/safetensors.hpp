// SPDX-License-Identifier: Apache-2.0
// Reading safetensors files, one or several with an index: everything about them is validated before a tensor is read.
// The format: 8 bytes header length, a JSON header {name: {dtype, shape, data_offsets}}, then the tensors without gaps
// (github.com/huggingface/safetensors). Accepted is what that library accepts, less names that are there twice, ranks
// above 8, integers beyond 64 bits and more than 100,000 tensors in a file.
#pragma once

#include "../core/shape.hpp"
#include "byte_reader.hpp"
#include "json.hpp"

#include <array>

namespace atom::io {

// What a header says of a tensor. Elements are row-major and little-endian.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  Shape shape = {};
  std::uint64_t begin = 0, end = 0;  // its bytes in the file
  std::size_t file = 0;              // which one, of several

  std::uint64_t bytes() const { return end - begin; }
};

// The bytes of a tensor; nothing if there is no such number, or it is not whole (packed types).
inline std::optional<std::uint64_t> byte_size(DType dtype, const Shape& shape) {
  std::optional<std::uint64_t> bits = static_cast<std::uint64_t>(bit_size_of(dtype));
  for (const Index extent : shape) {
    if (bits) bits = checked_multiply(*bits, static_cast<std::uint64_t>(extent));
  }
  if (!bits || *bits % 8 != 0) return std::nullopt;
  return *bits / 8;
}

using Metadata = std::vector<std::pair<std::string, std::string>>;  // of a file: name and value, in its order

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // sorted by name
  Metadata metadata;
};

namespace detail {

inline constexpr std::uint64_t max_header_bytes = 100'000'000;
inline constexpr std::size_t max_tensors = 100'000;

inline std::string tensor_in(std::string_view file, std::string_view name) {
  return to_text(file, ": tensor ", in_quotes(name));
}

inline TensorInfo parse_tensor(const std::string& where, std::string& name, const Json& value) {
  const auto field = [&](std::string_view key) -> const Json& {
    const Json* found = value.is_object() ? value.find(key) : nullptr;
    check(found != nullptr, where, "found ", value.kind(), " without ", key);
    return *found;
  };
  TensorInfo tensor;
  const auto dtype = field("dtype").as<std::string_view>(where);
  check(dtype_named(dtype).has_value(), where, "unknown dtype ", in_quotes(dtype));
  tensor.dtype = *dtype_named(dtype);

  const auto& extents = field("shape").elements(where);
  check(extents.size() <= max_rank, where, "rank is at most ", max_rank, ": found ", extents.size());
  for (const Json& extent : extents) tensor.shape.push_back(extent.as<Index>(where));
  for (const Index extent : tensor.shape) check(extent >= 0, where, "shape with a negative extent: ", tensor.shape);

  const auto offsets = field("data_offsets").as<std::vector<std::uint64_t>>(where);
  check(offsets.size() == 2, where, "data_offsets: found ", offsets.size(), " numbers, expected 2");
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  check(tensor.begin <= tensor.end, where, "data_offsets end before they begin: ", tensor.begin, "..", tensor.end);
  const auto bytes = byte_size(tensor.dtype, tensor.shape);
  check(bytes.has_value(), where, "shape ", tensor.shape, " of ", tensor.dtype, " is not a number of bytes");
  check(*bytes == tensor.bytes(), where, "data_offsets span ", tensor.bytes(), " bytes, but shape ", tensor.shape,
        " of ", tensor.dtype, " takes ", *bytes);
  tensor.name = std::move(name);
  return tensor;
}

}  // namespace detail

// The header `text` of a file whose tensors start at byte `data` and go to its end, at byte `size`. Errors: anything
// that does not fit, named by tensor. Memory: a small multiple of the text.
inline SafetensorsHeader parse_safetensors(std::string_view text, std::string_view file, std::uint64_t data,
                                           std::uint64_t size) {
  SafetensorsHeader header;
  auto& tensors = header.tensors;
  tensors.reserve(std::min(text.size() / 48, detail::max_tensors));  // an entry takes 48 bytes of text and more
  bool has_metadata = false;
  parse_json_members(text, to_text(file, ": header"),
                     [&](std::string& name, Json& value) {
                       if (name == "__metadata__") {
                         check(!std::exchange(has_metadata, true), file, "__metadata__ is there twice");
                         if (value.is_null()) return;
                         for (const auto& [key, entry] : value.members(to_text(file, ": __metadata__")))
                           header.metadata.emplace_back(
                               key, entry.as<std::string>(to_text(file, ": __metadata__ ", in_quotes(key))));
                         return;
                       }
                       check(tensors.size() < detail::max_tensors, file, "more than ", detail::max_tensors, " tensors");
                       tensors.push_back(detail::parse_tensor(detail::tensor_in(file, name), name, value));
                     },
                     {.depth = 4, .values = 1 << 14});

  std::ranges::sort(tensors, {}, [](const TensorInfo& tensor) { return std::pair(tensor.begin, tensor.end); });
  std::uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.begin != end)
      fail(detail::tensor_in(file, tensor.name), tensor.begin < end ? "overlap" : "hole", " in the data: it begins at ",
           tensor.begin, ", the one before it ends at ", end);
    end = tensor.end;
  }
  check(end == size - data, file, "the tensors take ", end, " bytes, but the file has ", size - data, " for them");
  for (TensorInfo& tensor : tensors) {
    tensor.begin += data;
    tensor.end += data;
  }

  std::ranges::sort(tensors, {}, &TensorInfo::name);
  const auto twice = std::ranges::adjacent_find(tensors, {}, &TensorInfo::name);
  if (twice != tensors.end()) fail(detail::tensor_in(file, twice->name), "it is there twice");
  return header;
}

// The header of an open file.
inline SafetensorsHeader read_safetensors_header(const File& file) {
  std::array<std::byte, 8> prefix{};
  check(file.size() >= prefix.size(), file.path(), "no safetensors file: found ", file.size(),
        " bytes, expected at least 8");
  file.read(0, prefix);
  const auto length = ByteReader(prefix, file.path()).read<std::uint64_t>("header length");
  const std::uint64_t most = std::min(file.size() - prefix.size(), detail::max_header_bytes);
  check(length <= most, file.path(), "header length at offset 0: found ", length, ", expected at most ", most);
  std::string text(static_cast<std::size_t>(length), '\0');
  file.read(prefix.size(), std::as_writable_bytes(std::span(text)));
  return parse_safetensors(text, file.path(), prefix.size() + length, file.size());
}

// The tensors of a model on disk: names, types and shapes at once, bytes when they are read. Reading is const and may
// happen from several threads.
class Safetensors {
 public:
  // `path` is a .safetensors file, a .safetensors.index.json, or a folder with model.safetensors or its index.
  // Errors: any file missing or invalid; a tensor that the index promises and the file it names does not have.
  explicit Safetensors(const std::string& path) {
    const std::string one = path + "/model.safetensors";
    if (!is_folder(path))
      open(path);
    else
      open(exists(one) ? one : one + ".index.json");
  }

  std::span<const TensorInfo> tensors() const { return tensors_; }  // sorted by name
  const Metadata& metadata() const { return metadata_; }            // of the first file
  const std::string& path(const TensorInfo& tensor) const { return files_[tensor.file].path(); }
  std::span<const File> files() const { return files_; }  // a tensor's `file` counts them

  // The tensor of that name, or nullptr.
  const TensorInfo* find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(tensors_, name, {}, &TensorInfo::name);
    return found != tensors_.end() && found->name == name ? &*found : nullptr;
  }

  // Fills `into` with the bytes of a tensor from its byte `offset` on.
  void read(const TensorInfo& tensor, std::span<std::byte> into, std::uint64_t offset = 0) const {
    check(offset <= tensor.bytes() && into.size() <= tensor.bytes() - offset, path(tensor), "tensor ",
          in_quotes(tensor.name), " has ", tensor.bytes(), " bytes: found a read of ", into.size(), " at ", offset);
    files_[tensor.file].read(tensor.begin + offset, into);
  }

 private:
  void open(const std::string& path) {
    if (path.ends_with(".json")) return open_index(path);
    files_.emplace_back(path);
    SafetensorsHeader header = read_safetensors_header(files_.back());
    tensors_ = std::move(header.tensors);
    metadata_ = std::move(header.metadata);
  }

  void open_index(const std::string& path) {
    const Json index = read_json(path);
    std::vector<std::pair<std::string_view, std::string_view>> listed;  // file, tensor
    for (const auto& [tensor, file] : index.at("weight_map").members(path))
      listed.emplace_back(file.as<std::string_view>(path + ": weight_map " + in_quotes(tensor)), tensor);
    std::ranges::sort(listed);
    std::string_view current;
    SafetensorsHeader header;
    for (const auto& [file, tensor] : listed) {
      if (file != current || files_.empty()) {
        const bool a_name = !file.empty() && file.size() < 256 && file.find_first_of("/\\") == file.npos &&
                            std::ranges::none_of(file, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; });
        check(a_name, path, "weight_map ", in_quotes(tensor), ": found ", in_quotes(file),
              ", expected the name of a file beside the index");
        files_.emplace_back(parent_of(path) + "/" + std::string(file));
        header = read_safetensors_header(files_.back());
        if (files_.size() == 1) metadata_ = header.metadata;
        current = file;
      }
      const auto found = std::ranges::lower_bound(header.tensors, tensor, {}, &TensorInfo::name);
      check(found != header.tensors.end() && found->name == tensor, path, "tensor ", in_quotes(tensor),
            " is not in the file it is listed for, ", in_quotes(file));
      tensors_.push_back(*found);
      tensors_.back().file = files_.size() - 1;
    }
    std::ranges::sort(tensors_, {}, &TensorInfo::name);
  }

  std::vector<File> files_;
  std::vector<TensorInfo> tensors_;
  Metadata metadata_;
};

}  // namespace atom::io

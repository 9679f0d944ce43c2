// SPDX-License-Identifier: Apache-2.0
// Reading GGUF files, whole or split: everything about them is validated before a tensor is read.
#pragma once

#include "gguf_header.hpp"

namespace atom::io {

// The tensors and values of a model on disk. Reading is const and may happen from several threads.
class Gguf {
 public:
  // `path` is a .gguf file, or any of the files NAME-0000i-of-0000N.gguf of a split one. Errors: any file missing or
  // invalid, or not the part that its name says; a tensor in two of them.
  explicit Gguf(const std::string& path) {
    metadata_ = open(path);
    if (const auto count = metadata_.get_or<std::uint16_t>("split.count", 1); count > 1) open_parts(path, count);
    std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(tensors_.begin(), tensors_.end(),
                                          [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors_.end()) fail(detail::gguf_named(path, "tensor", twice->name), "it is in two files");
  }

  std::span<const GgufTensor> tensors() const { return tensors_; }  // sorted by name
  const GgufMetadata& metadata() const { return metadata_; }        // of the first file, without split.*
  const std::string& path(const GgufTensor& tensor) const { return files_[tensor.file].path(); }
  std::span<const File> files() const { return files_; }  // a tensor's `file` counts them

  // The tensor of that name, or nullptr.
  const GgufTensor* find(std::string_view name) const {
    const auto found =
        std::lower_bound(tensors_.begin(), tensors_.end(), name,
                         [](const GgufTensor& tensor, std::string_view key) { return tensor.name < key; });
    return found != tensors_.end() && found->name == name ? &*found : nullptr;
  }

  // Fills `into` with the bytes of a tensor from its byte `offset` on.
  void read(const GgufTensor& tensor, std::span<std::byte> into, std::uint64_t offset = 0) const {
    check(offset <= tensor.bytes() && into.size() <= tensor.bytes() - offset, path(tensor), "tensor ",
          in_quotes(tensor.name), " has ", tensor.bytes(), " bytes: found a read of ", into.size(), " at ", offset);
    files_[tensor.file].read(tensor.begin + offset, into);
  }

 private:
  GgufMetadata open(const std::string& path) {
    files_.emplace_back(path);
    GgufHeader header = read_gguf_header(files_.back());
    for (GgufTensor& tensor : header.tensors) {
      tensor.file = files_.size() - 1;
      tensors_.push_back(std::move(tensor));
    }
    return std::move(header.metadata);
  }

  // The end of a part's name.
  static std::string part_name(std::size_t number, std::size_t count) {
    const auto five_digits = [](std::size_t value) {
      const std::string digits = to_text(value);
      return std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits;
    };
    return to_text("-", five_digits(number + 1), "-of-", five_digits(count), ".gguf");
  }

  void open_parts(const std::string& path, std::uint16_t count) {
    const auto number = metadata_.get<std::uint16_t>("split.no");
    const std::string name = part_name(number, count);
    check(path.ends_with(name), path, "part ", number, " of ", count, ": expected a name that ends in ", name);
    files_.clear();
    tensors_.clear();
    for (std::uint16_t i = 0; i < count; ++i) {
      const std::string part_path = path.substr(0, path.size() - name.size()) + part_name(i, count);
      GgufMetadata part = open(part_path);
      const auto found = part.get<std::uint16_t>("split.no"), of = part.get<std::uint16_t>("split.count");
      check(found == i && of == count, part_path, "found part ", found, " of ", of, ", expected ", i, " of ", count);
      if (i == 0) metadata_ = std::move(part);
    }
    const auto total = metadata_.get_or<std::uint64_t>("split.tensors.count", tensors_.size());
    check(total == tensors_.size(), path, "split.tensors.count: found ", total, ", but the files have ",
          tensors_.size());
    for (const char* key : {"split.no", "split.count", "split.tensors.count"}) metadata_.erase(key);
  }

  std::vector<File> files_;
  std::vector<GgufTensor> tensors_;
  GgufMetadata metadata_;
};

// Fills `into` with values of a tensor from value `first` on, row-major; both ends are those of whole blocks. T is
// float, double, half or bfloat16. Errors: a type that cannot be read; more values than it has; parts of blocks.
template <class T>
void read_elements(const Gguf& file, const GgufTensor& tensor, std::span<T> into, std::uint64_t first = 0) {
  const std::string where = detail::gguf_named(file.path(tensor), "tensor", tensor.name);
  check(can_dequantise(tensor.type), where, "values of type ", name_of(tensor.type), " cannot be read");
  const BlockInfo info = info_of(tensor.type);
  const auto values = static_cast<std::uint64_t>(info.values), bytes = static_cast<std::uint64_t>(info.bytes);
  const std::uint64_t count = tensor.bytes() / bytes * values;
  check(first <= count && into.size() <= count - first && first % values == 0 && into.size() % values == 0, where,
        "has ", count, " values in blocks of ", values, ": found a read of ", into.size(), " from ", first);
  constexpr std::size_t piece = std::size_t{1} << 16U;  // values at a time
  std::vector<std::byte> stored(static_cast<std::size_t>(std::min<std::uint64_t>(piece, into.size()) / values * bytes));
  std::vector<float> converted(std::is_same_v<T, float> ? 0 : std::min(piece, into.size()));
  for (std::size_t at = 0; at < into.size(); at += piece) {
    const auto part = into.subspan(at, std::min(piece, into.size() - at));
    const auto from = std::span(stored).first(static_cast<std::size_t>(part.size() / values * bytes));
    file.read(tensor, from, (first + at) / values * bytes);
    if constexpr (std::is_same_v<T, float>) {
      dequantise(tensor.type, from, part, where);
    } else {
      dequantise(tensor.type, from, std::span(converted).first(part.size()), where);
      for (std::size_t i = 0; i < part.size(); ++i) part[i] = static_cast<T>(converted[i]);
    }
  }
}

}  // namespace atom::io

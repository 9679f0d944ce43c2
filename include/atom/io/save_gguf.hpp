// SPDX-License-Identifier: Apache-2.0
// Writing GGUF files, version 3: one file, whose bytes are a function of what it is to hold and of the order of that.
#pragma once

#include "gguf_header.hpp"
#include "quantise.hpp"

namespace atom::io {

namespace detail {

// Sets where the tensors will stand in the file, and returns all that stands before them.
inline std::string gguf_layout(const std::string& path, std::vector<GgufTensor>& tensors,
                               const GgufMetadata& metadata) {
  std::string text(gguf_magic);
  const auto number = [&](auto value) { text.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto string = [&](std::string_view value) {
    number(std::uint64_t{value.size()});
    text += value;
  };
  number(std::uint32_t{3});
  for (const std::uint64_t count : {tensors.size(), metadata.entries().size()}) {
    check(count <= max_gguf_entries, path, "more than ", max_gguf_entries, " tensors or keys");
    number(count);
  }
  std::vector<std::string_view> names;
  for (const auto& [key, value] : metadata.entries()) {
    check(!key.empty() && key.size() <= max_gguf_key, path, "a key has ", key.size(), " bytes, expected 1..",
          max_gguf_key);
    names.push_back(key);
    string(key);
    if (value.is_array()) number(GgufType::array);
    number(value.type());
    if (value.is_array()) number(std::uint64_t{value.size()});
    text += value.bytes();
  }
  if (const auto* twice = find_twice(names)) fail(gguf_named(path, "key", *twice), "it is there twice");

  const std::uint64_t alignment = gguf_alignment(path, metadata);
  std::uint64_t end = 0;
  names.clear();
  for (GgufTensor& tensor : tensors) {
    names.push_back(tensor.name);
    tensor.begin = end;
    const auto after = checked_add(end, checked_gguf_bytes(path, tensor));
    const auto next = after ? aligned_up(*after, alignment) : after;
    check(next.has_value() && *next <= std::uint64_t{1} << 62U, path, "the tensors take more bytes than a file has");
    tensor.end = *after;
    end = *next;
    string(tensor.name);
    number(static_cast<std::uint32_t>(tensor.shape.rank()));
    for (int axis = tensor.shape.rank(); axis-- > 0;) number(tensor.shape[axis]);
    number(static_cast<std::uint32_t>(tensor.type));
    number(tensor.begin);
  }
  if (const auto* twice = find_twice(names)) fail(gguf_named(path, "tensor", *twice), "it is there twice");
  if (!tensors.empty()) text.resize(static_cast<std::size_t>(*aligned_up(text.size(), alignment)), '\0');
  for (GgufTensor& tensor : tensors) {
    tensor.begin += text.size();
    tensor.end += text.size();
  }
  return text;
}

}  // namespace detail

// Replaces the file at `path` (see write_file) by these values and tensors, in their order: name, type and shape are
// read of each tensor. For each, `fill(const GgufTensor&, FileWriter&)` writes its bytes. Tensors begin at multiples of
// 32 bytes, or of general.alignment. Errors: a name twice; a shape that a file cannot hold (more than 4 extents, a last
// one that is no multiple of the block); `fill` wrote another number of bytes.
template <class Fill>
void save_gguf(const std::string& path, const GgufMetadata& metadata, std::vector<GgufTensor> tensors, Fill&& fill) {
  const std::string header = detail::gguf_layout(path, tensors, metadata);
  const std::uint64_t alignment = detail::gguf_alignment(path, metadata);
  write_file(path, [&](FileWriter& writer) {
    writer.write(header);
    for (const GgufTensor& tensor : tensors) {
      fill(tensor, writer);
      if (writer.written() != tensor.end)
        fail(detail::gguf_named(path, "tensor", tensor.name), "written were ", writer.written() - tensor.begin,
             " bytes, expected ", tensor.bytes());
      writer.write(
          std::string(static_cast<std::size_t>(*detail::aligned_up(tensor.end, alignment) - tensor.end), '\0'));
    }
  });
}

// Appends values in blocks of that type. T is float, double, half or bfloat16; double goes through float. Errors: those
// of quantise().
template <class T> void write_elements(FileWriter& writer, std::span<const T> values, BlockType type) {
  constexpr std::size_t piece = std::size_t{1} << 20U;  // values at a time
  std::vector<float> converted(std::is_same_v<T, float> ? 0 : std::min(piece, values.size()));
  std::vector<std::byte> stored;
  for (std::size_t at = 0; at < values.size(); at += piece) {
    const auto part = values.subspan(at, std::min(piece, values.size() - at));
    stored.resize(static_cast<std::size_t>(block_bytes(type, part.size()).value_or(0)));
    if constexpr (std::is_same_v<T, float>) {
      quantise(type, part, stored, writer.path());
    } else {
      for (std::size_t i = 0; i < part.size(); ++i) converted[i] = static_cast<float>(part[i]);
      quantise(type, std::span(converted).first(part.size()), stored, writer.path());
    }
    writer.write(stored);
  }
}

}  // namespace atom::io

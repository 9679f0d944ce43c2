// SPDX-License-Identifier: Apache-2.0
// What stands before the tensors of a GGUF file, version 2 or 3: all of it is validated, and with it the sizes and
// places of the tensors. Accepted is what ggml accepts, less more than 65,536 keys or tensors in a file, and bytes
// behind the last tensor other than its padding (which may be missing).
#pragma once

#include "blocks.hpp"
#include "file.hpp"
#include "gguf_value.hpp"

namespace atom::io {

// Shapes are row-major: the extents of a file, which begin with the contiguous axis, in reverse.
struct GgufTensor {
  std::string name;
  BlockType type = BlockType::f32;
  Shape shape = {};
  std::uint64_t begin = 0, end = 0;  // its bytes in the file
  std::size_t file = 0;              // which one, of several

  std::uint64_t bytes() const { return end - begin; }
};

struct GgufHeader {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the order of the file
};

namespace detail {

inline constexpr std::uint64_t max_gguf_entries = 1U << 16U, max_gguf_length = 1U << 30U, max_gguf_key = 65'535,
                               max_gguf_name = 63;
inline constexpr int max_gguf_rank = 4;
inline constexpr std::string_view gguf_magic = "GGUF", alignment_key = "general.alignment";

inline std::string gguf_named(std::string_view file, std::string_view kind, std::string_view name) {
  return to_text(file, ": ", kind, " ", in_quotes(name));
}

// Walks through a file and holds little of it. Errors: it ends early.
class GgufCursor {
 public:
  explicit GgufCursor(const File& file) : file_(file) {}

  const File& file() const { return file_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return file_.size() - offset_; }

  void skip(std::uint64_t count, std::string_view what) {
    check(count <= remaining(), file_.path(), what, " at offset ", offset_, " ends early: found ", remaining(),
          " bytes, expected ", count);
    offset_ += count;
  }
  template <class T> T read(std::string_view what) {
    const std::uint64_t from = offset_;
    skip(sizeof(T), what);
    if (from < held_from_ || offset_ > held_from_ + held_.size()) {
      held_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(file_.size() - from, 1U << 16U)));
      file_.read(from, held_);
      held_from_ = from;
    }
    T value;
    std::memcpy(&value, &held_[static_cast<std::size_t>(from - held_from_)], sizeof(T));
    return value;
  }
  // A length or number of elements.
  std::uint64_t length(std::uint64_t most, std::string_view what) {
    const auto length = read<std::uint64_t>(what);
    check(length <= most, file_.path(), what, " at offset ", offset_ - 8, ": found ", length, ", expected at most ",
          most);
    return length;
  }
  std::string copy(std::uint64_t from, std::uint64_t to) const {
    std::string bytes(static_cast<std::size_t>(to - from), '\0');
    file_.read(from, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }
  std::string text(std::uint64_t most, std::string_view what) {
    const std::uint64_t length = this->length(most, what), from = offset_;
    skip(length, what);
    return copy(from, offset_);
  }

 private:
  const File& file_;
  std::uint64_t offset_ = 0, held_from_ = 0;
  std::vector<std::byte> held_;
};

inline GgufValue read_gguf_value(GgufCursor& cursor, const std::string& where) {
  const auto read_type = [&] {
    const auto id = cursor.read<std::uint32_t>("type of a value");
    check(id < gguf_dtypes.size(), where, "type: found ", id, ", expected at most ", gguf_dtypes.size() - 1);
    return static_cast<GgufType>(id);
  };
  GgufType type = read_type();
  const bool array = type == GgufType::array;
  std::uint64_t count = 1;
  if (array) {
    type = read_type();
    check(type != GgufType::array, where, "found an array of arrays");
    count = cursor.length(max_gguf_length, "number of elements");
  }
  const std::uint64_t begin = cursor.offset();
  if (type == GgufType::text)
    for (std::uint64_t i = 0; i < count; ++i) cursor.skip(cursor.length(max_gguf_length, "length of a text"), "text");
  else
    cursor.skip(count * size_of(type), "value");
  return {type, array, count, cursor.copy(begin, cursor.offset())};
}

// The bytes of a tensor of that name, type and shape. Errors: what a file cannot hold.
inline std::uint64_t checked_gguf_bytes(std::string_view file, const GgufTensor& tensor) {
  check(tensor.name.size() <= max_gguf_name, file, "a tensor's name is longer than ", max_gguf_name, " bytes: found ",
        in_quotes(tensor.name));
  std::optional<std::uint64_t> values = 1;
  bool row_fits = true;
  for (const Index extent : tensor.shape) {
    values = extent < 0 || !values ? std::nullopt : checked_multiply(*values, static_cast<std::uint64_t>(extent));
    row_fits = extent % info_of(tensor.type).values == 0;
  }
  const auto bytes =
      values && *values <= std::numeric_limits<Index>::max() ? block_bytes(tensor.type, *values) : std::nullopt;
  if (!bytes || !row_fits || tensor.shape.rank() > max_gguf_rank)
    fail(gguf_named(file, "tensor", tensor.name), "shape ", tensor.shape, " of ", name_of(tensor.type),
         " is not a number of bytes: expected at most 4 extents, the last a multiple of ", info_of(tensor.type).values);
  return *bytes;
}

inline GgufTensor read_gguf_tensor(GgufCursor& cursor) {
  const std::string& file = cursor.file().path();
  GgufTensor tensor;
  tensor.name = cursor.text(max_gguf_name, "name of a tensor");
  const auto rank = cursor.read<std::uint32_t>("rank");
  if (rank > max_gguf_rank)
    fail(gguf_named(file, "tensor", tensor.name), "rank is at most ", max_gguf_rank, ": found ", rank);
  std::array<Index, max_gguf_rank> extents{};
  for (std::uint32_t i = rank; i-- > 0;) extents[i] = cursor.read<Index>("extent");
  tensor.shape = Shape(std::span(extents).first(rank));
  const auto id = cursor.read<std::uint32_t>("type of a tensor");
  if (!block_type_of(id)) fail(gguf_named(file, "tensor", tensor.name), "unknown type: found ", id);
  tensor.type = *block_type_of(id);
  tensor.begin = cursor.read<std::uint64_t>("offset of a tensor");
  return tensor;
}

// The name that is there twice, or nullptr. Sorts them.
inline const std::string_view* find_twice(std::vector<std::string_view>& names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? nullptr : &*twice;
}

// The multiple that offsets are of.
inline std::uint64_t gguf_alignment(std::string_view file, const GgufMetadata& metadata) {
  const auto alignment = metadata.get_or<std::uint32_t>(alignment_key, 32);
  check(std::has_single_bit(alignment), file, alignment_key, ": found ", alignment, ", expected a power of two");
  return alignment;
}
constexpr std::optional<std::uint64_t> aligned_up(std::uint64_t offset, std::uint64_t alignment) {
  const auto up = checked_add(offset, alignment - 1);
  return up ? std::optional(*up & ~(alignment - 1)) : up;
}

}  // namespace detail

// The header of an open file. Memory: a small multiple of what stands before the tensors.
inline GgufHeader read_gguf_header(const File& file) {
  const std::string& path = file.path();
  detail::GgufCursor cursor(file);
  const std::string magic = cursor.copy(0, std::min<std::uint64_t>(file.size(), 4));
  check(magic == detail::gguf_magic, path, "no GGUF file: it begins with ", in_quotes(magic), ", expected \"GGUF\"");
  cursor.skip(4, "magic");
  const auto version = cursor.read<std::uint32_t>("version");
  check(version == 0 || (version & 0xffffU) != 0, path, "a file for big-endian machines");
  check(version == 2 || version == 3, path, "version: found ", version, ", expected 2 or 3");
  const auto entries = [&](std::uint64_t least_bytes, std::string_view what) {
    return static_cast<std::size_t>(
        cursor.length(std::min(detail::max_gguf_entries, cursor.remaining() / least_bytes), what));
  };
  const std::size_t tensors = entries(24, "number of tensors"), keys = entries(14, "number of keys");

  GgufHeader header{GgufMetadata(path), {}};
  header.metadata.reserve(keys);
  for (std::size_t i = 0; i < keys; ++i) {
    std::string key = cursor.text(detail::max_gguf_key, "key");
    check(!key.empty(), path, "a key at offset ", cursor.offset(), " is empty");
    GgufValue value = detail::read_gguf_value(cursor, detail::gguf_named(path, "key", key));
    header.metadata.append(std::move(key), std::move(value));
  }
  header.tensors.reserve(tensors);
  for (std::size_t i = 0; i < tensors; ++i) header.tensors.push_back(detail::read_gguf_tensor(cursor));

  std::vector<std::string_view> names;
  for (const auto& entry : header.metadata.entries()) names.push_back(entry.key);
  if (const auto* twice = detail::find_twice(names)) fail(detail::gguf_named(path, "key", *twice), "it is there twice");
  names.clear();
  for (const GgufTensor& tensor : header.tensors) names.push_back(tensor.name);
  if (const auto* twice = detail::find_twice(names))
    fail(detail::gguf_named(path, "tensor", *twice), "it is there twice");

  const std::uint64_t alignment = detail::gguf_alignment(path, header.metadata);
  std::optional<std::uint64_t> next = detail::aligned_up(cursor.offset(), alignment);
  const std::uint64_t data = *next;
  std::uint64_t end = tensors == 0 ? cursor.offset() : data;
  for (GgufTensor& tensor : header.tensors) {
    const std::uint64_t bytes = detail::checked_gguf_bytes(path, tensor);
    if (tensor.begin != *next - data)
      fail(detail::gguf_named(path, "tensor", tensor.name), "offset: found ", tensor.begin, ", expected ",
           *next - data);
    tensor.begin = *next;
    const auto after = checked_add(*next, bytes);
    next = after ? detail::aligned_up(*after, alignment) : after;
    if (!next || *after > file.size())
      fail(detail::gguf_named(path, "tensor", tensor.name), "it takes ", bytes, " bytes at offset ", tensor.begin,
           ", but the file has ", file.size());
    tensor.end = end = *after;
  }
  check(file.size() >= end && file.size() <= *next, path, "the tensors end at offset ", end, ", but the file has ",
        file.size(), " bytes");
  return header;
}

}  // namespace atom::io

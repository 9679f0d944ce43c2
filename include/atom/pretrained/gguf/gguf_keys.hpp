// SPDX-License-Identifier: Apache-2.0
// GgufKeys: what a GGUF file says about a model, for the function that makes a config of it: keys by their name behind
// the architecture's, and which tensors there are.
#pragma once

#include "../../io/gguf.hpp"

#include <charconv>
#include <functional>

namespace atom::pretrained {

class GgufKeys {
 public:
  // Values of a tensor.
  using Read = std::function<std::vector<float>(const io::GgufTensor&)>;

  // `tensors` are sorted by name; all of it must outlive this. Error: no general.architecture.
  GgufKeys(std::string file, const io::GgufMetadata& metadata, std::span<const io::GgufTensor> tensors, Read read)
      : file_(std::move(file)),
        metadata_(metadata),
        tensors_(tensors),
        read_(std::move(read)),
        architecture_(metadata.get<std::string>("general.architecture")) {}

  const std::string& file() const { return file_; }
  const std::string& architecture() const { return architecture_; }
  const io::GgufMetadata& metadata() const { return metadata_; }

  std::string full(std::string_view key) const { return to_text(architecture_, ".", key); }
  bool contains(std::string_view key) const { return metadata_.contains(full(key)); }

  // A value as T; errors as GgufMetadata::get's.
  template <class T> T get(std::string_view key) const { return metadata_.get<T>(full(key)); }
  template <class T> T get_or(std::string_view key, T fallback) const {
    return metadata_.get_or<T>(full(key), std::move(fallback));
  }

  // A size or count, which files may also give as a list, one for each layer. Errors: not in 0..2^31, so that products
  // of two fit; a list of different ones.
  Index number(std::string_view key) const {
    const io::GgufValue* const value = metadata_.find(full(key));
    const bool list = value != nullptr && value->is_array();
    const auto values = list ? get<std::vector<Index>>(key) : std::vector<Index>{get<Index>(key)};
    check(!values.empty() && std::ranges::count(values, values[0]) == std::ssize(values), file_, "key ",
          io::in_quotes(full(key)), ": layers of different numbers are not supported");
    check(values[0] >= 0 && values[0] <= Index{1} << 31, file_, "key ", io::in_quotes(full(key)), ": found ", values[0],
          ", expected 0 to ", Index{1} << 31);
    return values[0];
  }
  Index number_or(std::string_view key, Index fallback) const { return contains(key) ? number(key) : fallback; }

  // A number with a fraction. One that was written in 32 bits is the shortest decimal that has these bits, so that 1e-5
  // is 1e-5 again.
  double real(std::string_view key) const {
    const io::GgufValue* const value = metadata_.find(full(key));
    return value && value->type() == io::GgufType::f32 ? decimal(get<float>(key)) : get<double>(key);
  }
  double real_or(std::string_view key, double fallback) const { return contains(key) ? real(key) : fallback; }
  static double decimal(float value) {
    std::array<char, 32> text{};
    const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
    double result = 0;
    return std::from_chars(text.data(), written.ptr, result).ec == std::errc() ? result : static_cast<double>(value);
  }

  // The tensor of that name, or nullptr.
  const io::GgufTensor* tensor(std::string_view name) const {
    const auto found = std::ranges::lower_bound(tensors_, name, {}, &io::GgufTensor::name);
    return found != tensors_.end() && found->name == name ? &*found : nullptr;
  }
  bool has(std::string_view name) const { return tensor(name) != nullptr; }
  bool has(Index layer, std::string_view name) const { return has(to_text("blk.", layer, ".", name)); }
  std::size_t tensor_count() const { return tensors_.size(); }

  // The numbers of a tensor that belongs to the config. Errors: it is not there; it has more than `most` values.
  std::vector<double> values(std::string_view name, Index most) const {
    const io::GgufTensor* const found = tensor(name);
    check(found != nullptr, file_, "tensor ", io::in_quotes(name), " is missing");
    check(element_count(found->shape) <= most, file_, "tensor ", io::in_quotes(name), " has shape ", found->shape,
          ", expected at most ", most, " values");
    std::vector<double> numbers;
    for (const float value : read_(*found)) numbers.push_back(decimal(value));
    return numbers;
  }

 private:
  std::string file_;
  const io::GgufMetadata& metadata_;
  std::span<const io::GgufTensor> tensors_;
  Read read_;
  std::string architecture_;
};

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// GgufWeights: the config and the tensors of a GGUF file.
#pragma once

#include "../../models/value_count.hpp"
#include "../kept_weights.hpp"
#include "gguf_architectures.hpp"

namespace atom::pretrained {

class GgufWeights {
 public:
  using Stored = const io::GgufTensor*;  // null: it is not there

  // `path`: a file, or any of a split one. Errors: files; an architecture that is not known; a key that is missing or
  // not supported; sizes beyond what the file holds.
  explicit GgufWeights(const std::string& path) : file_(path), path_(path) {
    const GgufKeys keys(path, file_.metadata(), file_.tensors(), [this](const io::GgufTensor& tensor) {
      std::vector<float> values(static_cast<std::size_t>(element_count(tensor.shape)));
      io::read_elements(file_, tensor, std::span(values));
      return values;
    });
    const GgufArchitecture& architecture = gguf_architecture(keys.architecture(), path);
    config_ = models::resolved(architecture.config(keys));
    layout_ = architecture.layout;
    const bool fused = keys.has(0, "attn_qkv.weight");  // as each writer likes
    layout_.q = fused ? "attn_qkv" : "attn_q";
    layout_.fused = fused ? FusedQkv::blocks : FusedQkv::none;
    if (keys.has(0, "attn_kv_b.weight")) layout_.k_b = layout_.v_b = {};  // as they once were
    check_size();
  }

  const io::Gguf& file() const { return file_; }
  const models::TransformerConfig& config() const { return config_; }  // resolved
  // The tensors of a model of that config.
  std::vector<PublishedTensor> tensors() const { return published_tensors(layout_, config_); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& tensor : file_.tensors()) names.push_back(tensor.name);
    return names;
  }
  Stored find(const std::string& name) const { return file_.find(name); }
  std::vector<std::string> names_of(Stored stored) const { return {stored->name}; }
  Shape shape(Stored stored) const { return stored->shape; }
  // Axes of one element in front of others are not told apart in these files.
  static bool fits(Shape found, Shape expected) {
    for (Shape* shape : {&found, &expected})
      while (shape->rank() > 1 && (*shape)[0] == 1) *shape = shape->without(0);
    return found == expected;
  }
  bool transposed(const PublishedTensor& tensor, Stored) const { return tensor.transposed; }
  std::string_view type_name(Stored stored) const { return name_of(stored->type); }
  bool readable(Stored stored) const { return io::can_dequantise(stored->type); }
  // Its values as they are stored; nothing where they are to be numbers. Errors: files.
  std::optional<KeptValues> kept(Stored stored) const {
    if (stored->type == BlockType::f32 || !readable(stored)) return std::nullopt;
    auto& map = maps_[stored->file];
    if (!map) map = file_.files()[stored->file].map();
    return KeptValues{.type = stored->type,
                      .bytes = {map.get() + stored->begin, static_cast<std::size_t>(stored->bytes())},
                      .owner = map};
  }
  // What belongs to the config, or to layers that guess further tokens.
  bool ignorable(std::string_view name) const {
    return name == "rope_freqs.weight" || name.starts_with("rope_factors_") ||
           is_ignorable(name, layout_, config_.layers);
  }

  // Fills `into` with values from value `first` on: whole rows. Errors: files.
  template <class T> void read(Stored stored, std::span<T> into, Index first) const {
    io::read_elements(file_, *stored, into, static_cast<std::uint64_t>(first));
  }

 private:
  // Before anything of the size that the config says is made.
  void check_size() const {
    double values = 0;
    for (const auto& tensor : file_.tensors()) values += static_cast<double>(element_count(tensor.shape));
    const double wanted = models::value_count(config_);
    check(wanted <= values, path_, "the keys describe a model of ", wanted, " values, but the tensors have ", values);
    const double angles = static_cast<double>(config_.context) * static_cast<double>(config_.rotary_dim);
    constexpr double always = 1 << 22;
    check(!config_.rotary() || angles <= std::max(values, always), path_, "a context of ", config_.context,
          " takes more angles than the model has values: ", angles, " and ", values);
  }

  io::Gguf file_;
  std::string path_;
  models::TransformerConfig config_;
  Layout layout_;
  mutable std::map<std::size_t, std::shared_ptr<const std::byte>> maps_;  // of the files that something is kept of
};

}  // namespace atom::pretrained

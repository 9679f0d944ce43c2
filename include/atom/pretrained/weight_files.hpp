// SPDX-License-Identifier: Apache-2.0
// WeightFiles: the tensors of a Hugging Face folder under the names of its family, whatever prefix a wrapper has put
// before them and however their values are stored.
#pragma once

#include "../io/blocks.hpp"
#include "../io/convert.hpp"
#include "families.hpp"
#include "kept_weights.hpp"

namespace atom::pretrained {

class WeightFiles {
 public:
  // One tensor as it is stored: values, and their scales where they have some.
  struct Stored {
    const io::TensorInfo* values = nullptr;  // null: it is not there
    const io::TensorInfo* scales = nullptr;
    bool mxfp4 = false;  // else fp8, if there are scales

    explicit operator bool() const { return values != nullptr; }
  };

  // Errors: files.
  WeightFiles(const std::string& folder, const PublishedModel& model)
      : file_(folder),
        quantisation_(model.quantisation),
        layout_(model.family ? &model.family->layout : nullptr),
        layers_(model.config.layers),
        root_(layout_ ? layout_->root : "") {
    if (layout_) find_wrapper(layout_->embedding + ".weight");
  }

  const io::Safetensors& file() const { return file_; }

  // The tensor that its family calls `name`. Error: scales without values or values without scales.
  Stored find(const std::string& name) const {
    const std::string there = wrapped(name);
    if (const auto* values = file_.find(there)) {
      if (values->dtype != DType::f8_e4m3) return {values};
      return {values, scales_of(*values, there + "_scale_inv")};
    }
    if (const auto* blocks = file_.find(there + "_blocks"))
      return {blocks, scales_of(*blocks, there + "_scales"), true};
    return {};
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& info : file_.tensors()) names.push_back(info.name);
    return names;
  }
  // Of the tensors of the file that it is made of.
  std::vector<std::string> names_of(const Stored& stored) const {
    std::vector<std::string> names = {stored.values->name};
    if (stored.scales) names.push_back(stored.scales->name);
    return names;
  }
  // Whether no parameter needs to be read from it.
  bool ignorable(std::string_view name) const { return layout_ != nullptr && is_ignorable(name, *layout_, layers_); }

  // As a matrix, vector or stack of them. MXFP4 is stored in blocks of 32 values, always as (out, in).
  Shape shape(const Stored& stored) const {
    Shape shape = stored.values->shape;
    if (!stored.mxfp4 || shape.rank() < 2) return shape;
    const Index blocks = shape[-2], bytes = shape[-1];
    shape = shape.without(-1);
    shape[-1] = blocks * bytes * 2;
    return shape;
  }

  static bool fits(const Shape& found, const Shape& expected) { return found == expected; }
  bool transposed(const PublishedTensor& tensor, const Stored& stored) const {
    return tensor.transposed && !stored.mxfp4;
  }

  DType type_name(const Stored& stored) const { return stored.values->dtype; }
  // Its values as they are stored; nothing where they are to be numbers. Errors: files.
  std::optional<KeptValues> kept(const Stored& stored) const {
    const DType dtype = stored.values->dtype;
    if (stored.mxfp4) return repacked_mxfp4(stored);
    KeptValues kept{.type = dtype == DType::bf16  ? BlockType::bf16
                            : dtype == DType::f16 ? BlockType::f16
                                                  : BlockType::f8_e4m3};
    if (kept.type == BlockType::f8_e4m3 && dtype != DType::f8_e4m3) return std::nullopt;
    if (stored.scales) {
      kept.scales = scale_values(stored);
      kept.scale_block = quantisation_.block;
    }
    auto& map = maps_[stored.values->file];
    if (!map) map = file_.files()[stored.values->file].map();
    kept.owner = map;
    kept.bytes = {map.get() + stored.values->begin, static_cast<std::size_t>(stored.values->bytes())};
    return kept;
  }

  // Whether its values become floating-point numbers.
  bool readable(const Stored& stored) const { return stored.scales || io::is_floating(stored.values->dtype); }

  // Fills `into` with values from value `first` on: whole rows. Errors: files; scales that do not fit.
  template <class T> void read(const Stored& stored, std::span<T> into, Index first) const {
    if (!stored.scales) return io::read_elements(file_, *stored.values, into, static_cast<std::uint64_t>(first));
    std::vector<float> values(into.size());
    if (stored.mxfp4)
      read_mxfp4(stored, values, first);
    else
      read_fp8(stored, values, first);
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = static_cast<T>(values[i]);
  }

 private:
  // Wrappers put the language model under a name of their own; a bare model has no root. The embedding tells.
  void find_wrapper(const std::string& embedding) {
    const auto there = [&](const std::string& root) { return file_.find(root + embedding) != nullptr; };
    if (there(root_)) return;
    found_root_ = root_;
    for (const std::string& root : {std::string(), "language_model." + root_, root_ + "language_model."})
      if (there(root)) {
        found_root_ = root;
        return;
      }
  }
  std::string wrapped(const std::string& name) const {
    if (!found_root_) return name;
    if (name.starts_with(root_)) return *found_root_ + name.substr(root_.size());
    const std::string inside = "language_model." + name;
    return file_.find(inside) ? inside : name;
  }

  const io::TensorInfo* scales_of(const io::TensorInfo& values, const std::string& name) const {
    const auto* scales = file_.find(name);
    check(scales != nullptr, file_.path(values), "tensor ", io::in_quotes(values.name), " has no scales ",
          io::in_quotes(name));
    return scales;
  }

  std::vector<float> scale_values(const Stored& stored) const {
    std::vector<float> scales(static_cast<std::size_t>(element_count(stored.scales->shape)));
    io::read_elements(file_, *stored.scales, std::span(scales));
    return scales;
  }

  // In the blocks of GGUF files.
  KeptValues repacked_mxfp4(const Stored& stored) const {
    std::vector<std::byte> codes(static_cast<std::size_t>(stored.values->bytes()));
    std::vector<std::byte> scales(static_cast<std::size_t>(stored.scales->bytes()));
    const std::string name = io::in_quotes(stored.values->name);
    check(scales.size() == codes.size() / 16, file_.path(*stored.values), "tensor ", name, ": found ", scales.size(),
          " scales, expected ", codes.size() / 16);
    file_.read(*stored.values, codes);
    file_.read(*stored.scales, scales);
    const auto blocks = std::make_shared<std::vector<std::byte>>(scales.size() * 17);
    io::mxfp4_blocks(codes, scales, *blocks, name);
    return {.type = BlockType::mxfp4, .bytes = *blocks, .owner = blocks};
  }

  void read_fp8(const Stored& stored, std::span<float> into, Index first) const {
    const auto& shape = stored.values->shape;
    check(shape.rank() == 2 && first % std::max<Index>(shape[1], 1) == 0, file_.path(*stored.values), "tensor ",
          io::in_quotes(stored.values->name), ": FP8 weights are matrices, found ", shape);
    const auto scales = scale_values(stored);
    std::vector<std::byte> bytes(into.size());
    file_.read(*stored.values, bytes, static_cast<std::uint64_t>(first));
    io::dequantise_e4m3(bytes, shape, scales, quantisation_.block, into, shape[1] == 0 ? 0 : first / shape[1],
                        io::in_quotes(stored.values->name));
  }
  void read_mxfp4(const Stored& stored, std::span<float> into, Index first) const {
    std::vector<std::byte> codes(into.size() / 2), scales(into.size() / 32);
    file_.read(*stored.values, codes, static_cast<std::uint64_t>(first) / 2);
    file_.read(*stored.scales, scales, static_cast<std::uint64_t>(first) / 32);
    io::dequantise_mxfp4(codes, scales, into, io::in_quotes(stored.values->name));
  }

  io::Safetensors file_;
  Quantisation quantisation_;
  const Layout* layout_;  // null: our own form
  Index layers_;
  std::string root_;
  mutable std::map<std::size_t, std::shared_ptr<const std::byte>> maps_;  // of the files that something is kept of
  std::optional<std::string> found_root_;                                 // in the place of root_
};

}  // namespace atom::pretrained

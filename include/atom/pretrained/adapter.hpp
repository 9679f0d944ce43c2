// SPDX-License-Identifier: Apache-2.0
// Low-rank adapters (nn/lora.hpp) as folders of Hugging Face's PEFT: adapter_config.json and adapter_model.safetensors,
// under the names of the published model's modules. A module there may hold several of our layers one below the other.
#pragma once

#include "../io/tensors.hpp"
#include "adapter_config.hpp"

namespace atom::pretrained {

namespace detail {

inline constexpr std::string_view adapter_prefix = "base_model.model.";

// A published module and the layers it holds. Layer: Linear<T, D>, const where the model is.
template <class Layer> struct AdapterModule {
  struct Part {
    PublishedRows rows;
    Layer* layer;
  };
  std::string name;
  std::vector<Part> parts = {};
  Index rows = 0;
};

// Error: a layer that the model has not.
template <class Layer, nn::Module M>
std::vector<AdapterModule<Layer>> adapter_modules(M& model, const std::vector<PublishedLinear>& list) {
  std::map<std::string, Layer*, std::less<>> layers;
  nn::for_each_linear(model, [&](const std::string& name, Layer& layer) { layers.emplace(name, &layer); });
  std::vector<AdapterModule<Layer>> modules;
  std::map<std::string, std::size_t, std::less<>> places;
  for (const PublishedLinear& entry : list) {
    const auto found = layers.find(entry.layer);
    check(found != layers.end(), "adapter", "the model has no linear layer ", io::in_quotes(entry.layer));
    const auto [place, is_new] = places.emplace(entry.module, modules.size());
    if (is_new) modules.push_back({.name = entry.module});
    auto& published = modules[place->second];
    published.parts.push_back({entry.rows, found->second});
    published.rows = std::max(published.rows, entry.rows(found->second->out() - 1) + 1);
    layers.erase(found);
  }
  return modules;
}

// What a module is in the file, row-major.
template <class T> struct AdapterTensors {
  AdapterScale scale;
  Index in = 0, rows = 0;
  std::vector<T> a = {}, b = {};  // (rank, in), (rows, rank)
};

// Parts with equal `a` share it. Others lie one below the other in `a`, and on a block diagonal in `b`, which is exact.
// One part at least has an adapter. Error: different scales.
template <class Layer> auto joined(const AdapterModule<Layer>& module, bool rank_stabilised) {
  using T = typename Layer::Scalar;
  struct Block {
    std::vector<T> a;
    Index first_rank;
    const typename AdapterModule<Layer>::Part* part;
  };
  std::vector<Block> blocks;
  Index rank = 0;
  for (const auto& part : module.parts) {
    if (!part.layer->lora) continue;
    Block block{part.layer->lora->a.to_vector(), rank, &part};
    const auto equal = std::ranges::find(blocks, block.a, &Block::a);
    if (equal == blocks.end())
      rank += part.layer->lora->rank();
    else
      block.first_rank = equal->first_rank;
    blocks.push_back(std::move(block));
  }
  const Layer& one = *blocks[0].part->layer;
  const double scale = one.lora->scale(), ranks = static_cast<double>(rank);
  const bool same = rank == one.lora->rank() && one.lora->rank_stabilised == rank_stabilised;
  AdapterTensors<T> result{.scale = {module.name, rank, one.lora->alpha}, .in = one.in(), .rows = module.rows};
  if (!same) result.scale.alpha = scale * (rank_stabilised ? std::sqrt(ranks) : ranks);
  result.b.assign(static_cast<std::size_t>(module.rows * rank), T(0));
  for (const Block& block : blocks) {
    const Layer& layer = *block.part->layer;
    check(layer.lora->scale() == scale && layer.in() == result.in, "adapter", "layers of ", io::in_quotes(module.name),
          " have adapters of different scales: ", scale, " and ", layer.lora->scale());
    if (std::ssize(result.a) == block.first_rank * result.in)
      result.a.insert(result.a.end(), block.a.begin(), block.a.end());
    const auto b = layer.lora->b.to_vector();
    const Index r = layer.lora->rank();
    for (Index row = 0; row < layer.out(); ++row)
      std::copy_n(b.begin() + row * r, r, result.b.begin() + block.part->rows(row) * rank + block.first_rank);
  }
  return result;
}

}  // namespace detail

// Writes the adapters of a model into a folder that exists; call it inside io::write_folder for all or nothing. Errors:
// there is none; one in a layer that the list does not have; layers of one module with different scales.
template <nn::Module M> void save_adapter(const std::string& folder, const M& model,
                                          const std::vector<PublishedLinear>& list,
                                          const AdapterOptions& options = {}) {
  using T = typename M::Scalar;
  using Layer = const nn::Linear<T, typename M::DeviceType>;
  nn::for_each_linear(model, [&](const std::string& name, Layer& layer) {
    check(!layer.lora || std::ranges::find(list, name, &PublishedLinear::layer) != list.end(), "adapter", "the layer ",
          io::in_quotes(name), " has an adapter and no published name");
  });
  std::optional<bool> rank_stabilised;  // of the first; others are said in its terms
  std::vector<detail::AdapterTensors<T>> all;
  for (const auto& module : detail::adapter_modules<Layer>(model, list)) {
    const auto part = std::ranges::find_if(module.parts, [](const auto& p) { return p.layer->lora.has_value(); });
    if (part == module.parts.end()) continue;
    if (!rank_stabilised) rank_stabilised = part->layer->lora->rank_stabilised;
    all.push_back(detail::joined(module, *rank_stabilised));
  }
  check(!all.empty(), folder, "the model has no adapters");

  std::vector<io::TensorInfo> infos;
  std::map<std::string, const std::vector<T>*, std::less<>> values;
  std::vector<detail::AdapterScale> scales;
  const auto add = [&](const std::string& name, const Shape& shape, const std::vector<T>& elements) {
    infos.push_back({.name = name, .dtype = options.dtype.value_or(dtype_of<T>), .shape = shape});
    values.emplace(name, &elements);
  };
  for (const auto& tensors : all) {
    const std::string name = to_text(detail::adapter_prefix, tensors.scale.module);
    add(name + ".lora_A.weight", {tensors.scale.rank, tensors.in}, tensors.a);
    add(name + ".lora_B.weight", {tensors.rows, tensors.scale.rank}, tensors.b);
    scales.push_back(tensors.scale);
  }
  io::write_file(folder + "/adapter_config.json",
                 to_pretty_text(detail::adapter_config(scales, *rank_stabilised, list, options)));
  io::save_safetensors(folder + "/adapter_model.safetensors", infos,
                       [&](const io::TensorInfo& info, io::FileWriter& writer) {
                         io::write_elements(writer, std::span<const T>(*values.at(info.name)), info.dtype);
                       });
}

namespace detail {

// The tensors of a module in the file; both null where it has no adapter.
struct AdapterInfos {
  const io::TensorInfo *a = nullptr, *b = nullptr;
};

// Errors: one matrix alone; shapes; types.
template <class Layer> AdapterInfos find_infos(const io::Safetensors& file, const std::string& path,
                                               const AdapterConfig& config, const AdapterModule<Layer>& module) {
  const std::string name = to_text(adapter_prefix, module.name);
  const AdapterInfos found{file.find(name + ".lora_A.weight"), file.find(name + ".lora_B.weight")};
  if (!found.a && !found.b) return found;
  const std::string where = to_text(path, ": module ", io::in_quotes(module.name));
  check(found.a && found.b, where, "found one matrix, expected lora_A and lora_B");
  const Shape a{config.rank(module.name), module.parts[0].layer->in()}, b{module.rows, a[0]};
  check(found.a->shape == a && found.b->shape == b && a[0] > 0, where, "found shapes ", found.a->shape, " and ",
        found.b->shape, ", expected ", a, " and ", b);
  check(io::is_floating(found.a->dtype) && io::is_floating(found.b->dtype), where, "found ", found.a->dtype, " and ",
        found.b->dtype, ", expected floating-point numbers");
  return found;
}

template <class T, class D> Tensor<T, D> read_rows(const io::Safetensors& file, const io::TensorInfo& info,
                                                   const PublishedRows& rows, Index count, D device) {
  const Index columns = info.shape[1];
  std::vector<T> values(static_cast<std::size_t>(count * columns));
  for (Index row = 0; row < count; ++row)
    io::read_elements(
        file, info,
        std::span(values).subspan(static_cast<std::size_t>(row * columns), static_cast<std::size_t>(columns)),
        static_cast<std::uint64_t>(rows(row) * columns));
  return Tensor<T, D>::from(values, {count, columns}, device);
}

}  // namespace detail

// Freezes the model and puts the adapters of a folder into it, in the place of any that it has; their matrices require
// a gradient. Layers of one module get each their own copy of `a`. Nothing is changed on an error: files; what is not
// supported; a tensor that belongs to no module of the list; shapes.
template <nn::Module M>
void load_adapter(const std::string& folder, M& model, const std::vector<PublishedLinear>& list) {
  using T = typename M::Scalar;
  using D = typename M::DeviceType;
  using Layer = nn::Linear<T, D>;
  const detail::AdapterConfig config(folder + "/adapter_config.json");
  const std::string path = folder + "/adapter_model.safetensors";
  const io::Safetensors file(path);
  std::map<std::string, const io::TensorInfo*, std::less<>> surplus;
  for (const io::TensorInfo& info : file.tensors()) surplus.emplace(info.name, &info);
  struct Loaded {
    Layer* layer;
    Tensor<T, D> a, b;
    double alpha;
  };
  std::vector<Loaded> all;
  for (const auto& module : detail::adapter_modules<Layer>(model, list)) {
    const auto infos = detail::find_infos(file, path, config, module);
    if (!infos.a) continue;
    surplus.erase(infos.a->name);
    surplus.erase(infos.b->name);
    for (const auto& part : module.parts) {
      const D device = part.layer->matrix().device();
      all.push_back({part.layer, detail::read_rows<T>(file, *infos.a, {}, infos.a->shape[0], device),
                     detail::read_rows<T>(file, *infos.b, part.rows, part.layer->out(), device),
                     config.alpha(module.name)});
    }
  }
  check(surplus.empty(), path, "the tensor ", io::in_quotes(surplus.empty() ? "" : surplus.begin()->first),
        " belongs to no linear layer of this model");
  check(!all.empty(), path, "there are no adapters");

  const bool rank_stabilised = config.rank_stabilised();
  nn::remove_lora(model);
  nn::freeze(model);
  for (auto& [layer, a, b, alpha] : all)
    nn::set_lora(*layer, a.require_grad(), b.require_grad(), alpha, rank_stabilised);
}

}  // namespace atom::pretrained

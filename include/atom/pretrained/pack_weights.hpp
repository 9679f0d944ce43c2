// SPDX-License-Identifier: Apache-2.0
// pack_weights: makes a model ready to be run fast: its matrices are laid out so that products compute on them
// directly, in the type of their file or in another. For inference: gradients of packed weights do not exist.
#pragma once

#include "../io/quantise.hpp"
#include "../models/transformer.hpp"
#include "../nn/weights.hpp"
#include "../tensor/pack.hpp"

namespace atom::pretrained {

struct PackOptions {
  // The type of all matrices; none: that of each where it is stored, float32 where it is a tensor. Of fewer than 8
  // bits: embedding and head get q8_0. A matrix whose rows are no whole blocks stays what it is.
  std::optional<BlockType> type = {};
};

namespace detail {

// What a product reads: not tables that are only looked up in, nor what is small or is taken apart (routers, the
// latent's matrix of keys and values).
inline bool is_multiplied(const std::string& name, bool tied) {
  if (name.find("router") != std::string::npos || name.find("kv_b") != std::string::npos) return false;
  return name == "embedding.weight" ? tied : name != "positions.weight";
}

template <class D> StoredMatrix<D> stored_as(BlockType type, const Shape& shape, std::span<const float> values,
                                             const std::string& name, D device) {
  const BlockInfo info = info_of(type);
  if (type == BlockType::f32) return StoredMatrix<D>::copy_of(type, shape, std::as_bytes(values), {}, device);
  const auto blocks = static_cast<Index>(values.size()) / info.values;
  std::vector<std::byte> bytes(static_cast<std::size_t>(blocks * info.bytes));
  constexpr Index run = 1 << 10;
  default_pool().parallel_for((blocks + run - 1) / run, [&](Index i) {
    const Index count = std::min(run, blocks - i * run);
    const auto part = [](auto all, Index first, Index size) {
      return all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size));
    };
    io::quantise(type, part(values, i * run * info.values, count * info.values),
                 part(std::span(bytes), i * run * info.bytes, count * info.bytes), name);
  });
  return StoredMatrix<D>::copy_of(type, shape, bytes, {}, device);
}

}  // namespace detail

// The weights of `model` become packed ones (tensor/pack.hpp), one after the other, so that memory for one of them is
// all that is needed besides. Errors: a type that cannot be packed; weights that are not finite; out of memory.
template <class M> void pack_weights(M& model, const PackOptions& options = {}) {
  using D = typename M::DeviceType;
  check(!options.type || (can_pack(*options.type) && io::can_quantise(*options.type)), "pack_weights", "type ",
        name_of(options.type.value_or(BlockType::f32)), " cannot be computed on");
  const bool tied = model.config.tie_embeddings;
  nn::for_each_weight(
      model, [&]<class T>(const std::string& name, Tensor<T, D>& weight, StoredMatrix<D>& stored, Role) {
        if (!detail::is_multiplied(name, tied)) return;
        const Shape shape = nn::weight_shape(weight, stored);
        BlockType type = options.type.value_or(BlockType::f32);
        if (info_of(type).values > 1 && (name == "embedding.weight" || name == "head.weight")) type = BlockType::q8_0;
        const bool fits = shape[-1] % info_of(type).values == 0;
        if (!fits) type = BlockType::f32;
        if (stored.defined() && (!options.type || !fits)) return nn::set_weight(weight, stored, pack(stored));
        // As numbers, a matrix at a time, and stored again.
        const Shape matrix = shape.rank() == 3 ? shape.without(0) : shape;
        const Index count = shape.rank() == 3 ? shape[0] : 1;
        std::vector<StoredMatrix<D>> members;
        const auto dense = contiguous(weight.buffer());
        for (Index i = 0; i < count; ++i) {
          Buffer<float, D> values;
          if (stored.defined()) {
            values = (shape.rank() == 3 ? stored.member(i) : stored).template to_buffer<float>();
          } else {
            values = Buffer<float, D>(weight.device(), matrix);
            std::copy_n(dense.data() + i * values.size(), values.size(), values.mutable_data());
          }
          members.push_back(pack(detail::stored_as(
              type, matrix, {values.data(), static_cast<std::size_t>(values.size())}, name, values.device())));
        }
        nn::set_weight(weight, stored,
                       shape.rank() == 3 ? StoredMatrix<D>::stack(std::move(members)) : std::move(members[0]));
      });
}

#if ATOM_EXTERN_MODELS
extern template void pack_weights(models::Transformer<float>&, const PackOptions&);
extern template void pack_weights(models::FullTransformer<float>&, const PackOptions&);
#endif

}  // namespace atom::pretrained

// SPDX-License-Identifier: Apache-2.0
// pack_weights: makes a model ready to be run fast: its matrices are laid out so that products compute on them
// directly, in the type of their file or in another. For inference: gradients of packed weights do not exist.
#pragma once

#include "../io/quantise.hpp"
#include "../models/transformer.hpp"
#include "../nn/weights.hpp"
#include "../tensor/pack.hpp"
#include "gguf/gguf_types.hpp"

namespace atom::pretrained {

struct PackOptions {
  // The type of all matrices, by the rules of gguf/gguf_types.hpp; none: that of each where it is stored, float32 where
  // it is a tensor.
  std::optional<BlockType> type = {};
};

namespace detail {

// What a product reads: not tables that are only looked up in, nor what is small or is taken apart (routers, the
// latent's matrix of keys and values).
inline bool is_multiplied(const std::string& name, bool tied) {
  if (name.find("router") != std::string::npos || name.find("kv_b") != std::string::npos) return false;
  return name == "embedding.weight" ? tied : name != "positions.weight";
}

template <class D> StoredMatrix<D> stored_as(BlockType type, const Buffer<float, D>& values, const std::string& name) {
  const BlockInfo info = info_of(type);
  std::vector<std::byte> bytes(static_cast<std::size_t>(values.size() / info.values * info.bytes));
  io::quantise(type, {values.data(), static_cast<std::size_t>(values.size())}, bytes, name);
  return StoredMatrix<D>::copy_of(type, values.shape(), bytes, {}, values.device());
}

// Matrix i of a weight, as numbers of its own.
template <class D> Buffer<float, D> matrix_of(const Tensor<float, D>& weight, const StoredMatrix<D>& stored, Index i) {
  if (stored.defined()) return (stored.rank() == 3 ? stored.member(i) : stored).template to_buffer<float>();
  const Shape& shape = weight.shape();
  const auto all = contiguous(weight.buffer());
  Buffer<float, D> values(weight.device(), shape.rank() == 3 ? shape.without(0) : shape);
  std::copy_n(all.data() + i * values.size(), values.size(), values.mutable_data());
  return values;
}

}  // namespace detail

// The weights of `model` become packed ones (tensor/pack.hpp), one after the other, so that memory for one of them is
// all that is needed besides. Errors: a type of no rule; weights that are not finite; out of memory.
template <class M> void pack_weights(M& model, const PackOptions& options = {}) {
  using D = typename M::DeviceType;
  if (options.type) gguf_type_rule(*options.type);
  nn::for_each_weight(model, [&](const std::string& name, auto& weight, auto& stored, Role) {
    if (!detail::is_multiplied(name, model.config.tie_embeddings)) return;
    if (stored.defined() && !options.type) return nn::set_weight(weight, stored, pack(stored));
    const Shape shape = nn::weight_shape(weight, stored);
    const bool at_end = name == "embedding.weight" || name == "head.weight", stack = shape.rank() == 3;
    const BlockType type = gguf_matrix_type(at_end, shape[-1], options.type.value_or(BlockType::f32));
    std::vector<StoredMatrix<D>> members;
    for (Index i = 0; i < (stack ? shape[0] : 1); ++i)
      members.push_back(pack(detail::stored_as(type, detail::matrix_of(weight, stored, i), name)));
    nn::set_weight(weight, stored, stack ? StoredMatrix<D>::stack(std::move(members)) : std::move(members[0]));
  });
}

#if ATOM_EXTERN_MODELS
extern template void pack_weights(models::Transformer<float>&, const PackOptions&);
extern template void pack_weights(models::FullTransformer<float>&, const PackOptions&);
#endif

}  // namespace atom::pretrained

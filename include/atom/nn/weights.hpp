// SPDX-License-Identifier: Apache-2.0
// Weights that may be stored in the type of their file (tensor/stored_matrix.hpp): how a loader puts them into a model,
// and what a model takes in memory.
//
//   std::optional<Model> model;
//   { const nn::WithoutWeights places; model.emplace(config); }
//   nn::for_each_weight(*model, [&](const std::string& name, auto& weight, auto& stored, Role) {
//     nn::set_weight(weight, stored, StoredMatrix<>::view_of(type, nn::weight_shape(weight, stored), bytes, file));
//   });
#pragma once

#include "module.hpp"

namespace atom::nn {

template <class T, class D> const Shape& weight_shape(const Tensor<T, D>& weight, const StoredMatrix<D>& stored) {
  return weight.defined() ? weight.shape() : stored.shape();
}

// Puts a stored matrix, or values, in the place of what is there. Error: another shape.
template <class T, class D>
void set_weight(Tensor<T, D>& weight, StoredMatrix<D>& stored, std::type_identity_t<StoredMatrix<D>> matrix) {
  const Shape& shape = weight_shape(weight, stored);
  check(matrix.defined() && matrix.shape() == shape, "set_weight", "found shape ", matrix.shape(),
        ", expected values of shape ", shape);
  stored = std::move(matrix);
  weight = {};
}
template <class T, class D>
void set_weight(Tensor<T, D>& weight, StoredMatrix<D>& stored, std::type_identity_t<Tensor<T, D>> values) {
  const Shape& shape = weight_shape(weight, stored);
  check(values.defined() && values.shape() == shape, "set_weight", "found shape ", values.shape(),
        ", expected values of shape ", shape);
  weight = std::move(values);
  stored = {};
}

// While one lives, modules that this thread makes have an empty place for each weight that may be stored, and no memory
// for it.
class WithoutWeights {
 public:
  WithoutWeights() : before_(std::exchange(active_, true)) {}
  ~WithoutWeights() { active_ = before_; }
  WithoutWeights(const WithoutWeights&) = delete;
  WithoutWeights& operator=(const WithoutWeights&) = delete;

  static bool active() { return active_; }

 private:
  static inline thread_local bool active_ = false;
  bool before_;
};

namespace detail {
// What a module's weight begins as: zeros, or a place.
template <class T, class D>
[[gnu::noinline]] void make_weight(Tensor<T, D>& weight, StoredMatrix<D>& stored, const Shape& shape, D device) {
  if (WithoutWeights::active())
    stored = StoredMatrix<D>::place(shape, device);
  else
    weight = Tensor<T, D>::zeros(shape, device);
}
}  // namespace detail

// Bytes of all parameters and buffers of a module, in memory or mapped.
template <Module M> std::size_t weight_bytes(const M& module) {
  std::size_t bytes = 0;
  for_each_tensor(module, [&]<class T, class D>(const std::string&, const Tensor<T, D>& tensor, Role) {
    bytes += static_cast<std::size_t>(tensor.size()) * sizeof(T);
  });
  for_each_weight(module, [&](const std::string&, const auto&, const auto& stored, Role) { bytes += stored.bytes(); });
  return bytes;
}

}  // namespace atom::nn

// SPDX-License-Identifier: Apache-2.0
// Tensor<T, D>: a buffer that autograd knows. Copies share memory and gradient; `clone` copies.
// A Buffer becomes a Tensor by `record` (autograd/record.hpp), which states its backward rule, or by `constant`.
#pragma once

#include "../core/random.hpp"
#include "node.hpp"

#include <vector>

namespace atom {

template <class T, class D> class Tensor;

namespace detail {
template <class T> struct SameNumber {
  T value;
  template <class S> ATOM_HD S operator()(Elements<S>) const { return S(value); }
};
template <class T> struct NormalNumbers {
  RandomKey key;
  T stddev;
  template <class S> ATOM_HD S operator()(Elements<S> at) const { return S(stddev) * normal(key, at); }
};
template <class T> struct UniformNumbers {
  RandomKey key;
  T low, width;
  template <class S> ATOM_HD S operator()(Elements<S> at) const {
    return math::fma(S(width), uniform(key, at), S(low));
  }
};
}  // namespace detail

// A tensor without a gradient rule: for data, and for results that are not differentiated.
template <class T, class D> Tensor<T, D> constant(Buffer<T, D> value);

template <class T, class D = Device> class Tensor {
 public:
  using Scalar = T;
  using DeviceType = D;

  Tensor() = default;  // undefined

  // A kernel's result is not a tensor yet: its gradient rule would be forgotten.
  template <class U, class E> Tensor(const Buffer<U, E>&) {
    static_assert(sizeof(U) == 0,
                  "a Buffer becomes a Tensor only by record<\"op\">(buffer, rule, inputs...) or constant(buffer)");
  }

  // ---- factories ------------------------------------------------------------------------------------------------
  static Tensor zeros(const Shape& shape, D device = {}) {
    Buffer<T, D> value(device, shape);
    fill_zero(device, value.mutable_data(), static_cast<std::size_t>(value.size()) * sizeof(T));
    return Tensor(std::move(value), {});
  }
  static Tensor full(const Shape& shape, T value, D device = {}) {
    Buffer<T, D> result(device, shape);
    pointwise_indexed(device, result.mutable_view(), detail::SameNumber<T>{value});
    return Tensor(std::move(result), {});
  }
  // Row-major values. Error: their number is not the shape's.
  static Tensor from(std::span<const T> values, const Shape& shape, D device = {}) {
    check(static_cast<Index>(values.size()) == element_count(shape), "tensor", "number of values: found ",
          values.size(), ", expected ", element_count(shape), " for shape ", shape);
    Buffer<T, D> value(device, shape);
    copy_from_host(device, value.mutable_data(), values.data(), values.size_bytes());
    return Tensor(std::move(value), {});
  }
  static Tensor from(std::initializer_list<T> values, const Shape& shape, D device = {}) {
    return from(std::span<const T>(values.begin(), values.size()), shape, device);
  }
  static Tensor from(const std::vector<T>& values, const Shape& shape, D device = {}) {
    return from(std::span<const T>(values), shape, device);
  }

  // Standard normal times stddev, uniform in [low, high): element i is number i of the key's stream.
  static Tensor normal(RandomKey key, const Shape& shape, T stddev, D device = {}) requires is_differentiable_v<T> {
    Buffer<T, D> value(device, shape);
    pointwise_indexed(device, value.mutable_view(), detail::NormalNumbers<T>{key, stddev});
    return Tensor(std::move(value), {});
  }
  static Tensor uniform(RandomKey key, const Shape& shape, T low = 0, T high = 1,
                        D device = {}) requires is_differentiable_v<T> {
    Buffer<T, D> value(device, shape);
    pointwise_indexed(device, value.mutable_view(), detail::UniformNumbers<T>{key, low, high - low});
    return Tensor(std::move(value), {});
  }

  // ---- what it is -----------------------------------------------------------------------------------------------
  bool defined() const { return value_.defined(); }
  const Shape& shape() const { return value_.shape(); }
  int rank() const { return value_.rank(); }
  Index dim(int axis) const { return value_.dim(axis); }
  Index size() const { return value_.size(); }
  D device() const { return value_.device(); }
  const Buffer<T, D>& buffer() const { return value_; }

  // ---- values on the host ---------------------------------------------------------------------------------------
  // The one element. Waits for the device. Error: more or fewer than one.
  T item() const {
    check(size() == 1, "item", "the tensor has one element: found shape ", shape());
    T value;
    copy_to_host(device(), &value, value_.data(), sizeof(T));
    return value;
  }
  // Row-major copy. Waits for the device.
  std::vector<T> to_vector() const {
    const Buffer<T, D> packed = contiguous(value_);
    std::vector<T> values(static_cast<std::size_t>(size()));
    copy_to_host(device(), values.data(), packed.data(), values.size() * sizeof(T));
    return values;
  }
  // The memory itself; processor tensors that are contiguous only.
  std::span<const T> span() const requires std::is_same_v<D, Cpu> {
    check(value_.contiguous(), "span", "needs contiguous memory: shape ", shape(), " with strides ", value_.strides());
    return {value_.data(), static_cast<std::size_t>(size())};
  }
  // The same to write through. A backward rule that saved the old values will say so instead of using the new ones.
  std::span<T> mutable_span() requires std::is_same_v<D, Cpu> {
    const auto values = span();
    value_.overwritten();
    return {value_.mutable_data(), values.size()};
  }
  // Overwrites all elements, row-major. Errors: their number; memory that is not contiguous.
  void assign(std::span<const T> values) {
    check(static_cast<Index>(values.size()) == size() && value_.contiguous(), "assign", "number of values: found ",
          values.size(), ", expected ", size(), " in contiguous memory");
    copy_from_host(device(), value_.mutable_data(), values.data(), values.size_bytes());
    value_.overwritten();
  }

  // ---- gradients ------------------------------------------------------------------------------------------------
  bool requires_grad() const { return static_cast<bool>(node_); }
  // Makes this a leaf whose gradient backward computes. Returns itself.
  Tensor& require_grad() requires is_differentiable_v<T> {
    check(defined(), "require_grad", "the tensor is undefined");
    if (!node_) node_ = Ref<Node<T, D>>::adopt(new Node<T, D>("leaf", device(), shape()));
    return *this;
  }
  // Undefined before the first backward and after `clear_grad`.
  Tensor grad() const { return node_ ? constant(node_->gradient()) : Tensor(); }
  void clear_grad() {
    if (node_) node_->clear_gradient();
  }
  // The same memory, cut from the graph.
  Tensor detach() const { return Tensor(value_, {}); }
  // A contiguous copy, cut from the graph.
  Tensor clone() const { return Tensor(copy_of(value_), {}); }

  const Ref<Node<T, D>>& node() const { return node_; }
  // For `record` and `constant`.
  static Tensor with_node(Buffer<T, D> value, Ref<Node<T, D>> node) {
    return Tensor(std::move(value), std::move(node));
  }

 private:
  Tensor(Buffer<T, D> value, Ref<Node<T, D>> node) : value_(std::move(value)), node_(std::move(node)) {}

  Buffer<T, D> value_;
  Ref<Node<T, D>> node_;
};

template <class T, class D> Tensor<T, D> constant(Buffer<T, D> value) {
  return Tensor<T, D>::with_node(std::move(value), {});
}

}  // namespace atom

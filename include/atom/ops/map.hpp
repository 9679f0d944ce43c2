// SPDX-License-Identifier: Apache-2.0
// What element-wise operations share: apply a functor to broadcast buffers, turn one into a backward rule, sum a
// gradient back over broadcast axes. A functor is one text for lanes, scalars and CUDA threads:
//   struct Square { template <class S> ATOM_HD S operator()(S x) const { return x * x; } };
#pragma once

#include "../autograd/record.hpp"
#include "../backend/reduce.hpp"

namespace atom::ops::detail {

// `buffer` read as if it had the broadcast shape.
template <class T, class D> [[gnu::noinline]] Buffer<T, D> expand(const Buffer<T, D>& buffer, const Shape& shape) {
  return buffer.alias(shape, broadcast_strides(buffer.shape(), buffer.strides(), shape));
}

// f(first[i], rest[i]...) for buffers of one shape.
template <class F, class T, class D, class... Ts>
Buffer<T, D> map(F f, const Buffer<T, D>& first, const Buffer<Ts, D>&... rest) {
  Buffer<T, D> result(first.device(), first.shape());
  pointwise(first.device(), result.mutable_view(), f, first.view(), rest.view()...);
  return result;
}

// Writes or adds f(inputs[i]...) where a rule is asked to. Adding goes through a buffer: a kernel of its own for the
// sum would double what every operation costs to compile, for the rare tensor with several consumers.
template <class F, class T, class D, class... Ts> void map_into(Into<T, D> into, F f, const Buffer<Ts, D>&... inputs) {
  const auto& place = into.buffer;
  if (into.accumulate) {
    Buffer<T, D> term(place.device(), place.shape());
    pointwise(place.device(), term.mutable_view(), f, inputs.view()...);
    pointwise(place.device(), place.mutable_view(), atom::detail::Add{}, place.view(), std::as_const(term).view());
  } else {
    pointwise(place.device(), place.mutable_view(), f, inputs.view()...);
  }
}

// A gradient of one input that f(saved..., dy) gives element by element; refers to dy and `saved`. Nothing saved is a
// case of its own: nvcc rejects the capture of an empty pack.
template <class F, class T, class D> auto gradient(F f, const Buffer<T, D>& dy) {
  return [f, &dy](Into<T, D> into) { map_into(into, f, dy); };
}
template <class F, class T, class D, class... Saved> auto gradient(F f, const Buffer<T, D>& dy, const Saved&... saved) {
  return [f, &dy, &saved...](Into<T, D> into) { map_into(into, f, *saved..., dy); };
}
// The rule of an operation with one input: dx = f(saved..., dy).
template <class F> auto rule(F f) {
  return [f](const auto& dy) { return gradient(f, dy); };
}
template <class F, class... Saved> auto rule(F f, Saved... saved) {
  return [f, ... saved = std::move(saved)](const auto& dy) { return gradient(f, dy, saved...); };
}

// The sum of `dy` over the axes along which a tensor of `shape` was repeated.
template <class T, class D> [[gnu::noinline]] Buffer<T, D> sum_to(const Buffer<T, D>& dy, const Shape& shape) {
  if (dy.shape() == shape) return dy;
  Buffer<T, D> result(dy.device(), shape);
  const Buffer<T, D> packed = contiguous(dy);
  reduce_to(dy.device(), result.mutable_view(), packed.view());
  return result;
}

}  // namespace atom::ops::detail

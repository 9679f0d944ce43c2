// SPDX-License-Identifier: Apache-2.0
// matmul: the product of matrices, over leading axes that broadcast. Transposed views cost nothing.
#pragma once

#include "../backend/gemm.hpp"
#include "map.hpp"

namespace atom::ops {

namespace detail {

// The last two axes swapped: a view.
template <class T, class D> Buffer<T, D> transposed(const Buffer<T, D>& x) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  std::swap(shape[-1], shape[-2]);
  std::swap(strides[-1], strides[-2]);
  return x.alias(shape, strides);
}

// The one stride from matrix to matrix over the leading axes `lead`, if there is one.
inline std::optional<Index> batch_stride(const Shape& shape, const Strides& strides, const Shape& lead) {
  const Strides steps = broadcast_strides(shape.without(-1).without(-1), strides.without(-1).without(-1), lead);
  Index stride = 0, next = 0;
  bool inner = true;
  for (int axis = lead.rank() - 1; axis >= 0; --axis) {
    if (lead[axis] == 1) continue;
    if (!inner && steps[axis] != next) return std::nullopt;
    if (inner) stride = steps[axis];
    next = steps[axis] * lead[axis];
    inner = false;
  }
  return stride;
}

// An operand as gemm takes it: itself if its strides can be said, else a contiguous copy over all leading axes.
template <class T, class D> struct Operand {
  Buffer<T, D> buffer;
  GemmInput<T> input;

  Operand(const Buffer<T, D>& x, const Shape& lead) : buffer(x) {
    if (!describe(lead)) {
      Shape whole = lead;
      whole.push_back(x.dim(-2));
      whole.push_back(x.dim(-1));
      buffer = copy_of(expand(x, whole));
      describe(lead);
    }
  }

 private:
  bool describe(const Shape& lead) {
    const Index rows = buffer.strides()[-2], columns = buffer.strides()[-1];
    const bool straight = (columns == 1 || buffer.dim(-1) <= 1) && (rows >= buffer.dim(-1) || buffer.dim(-2) <= 1);
    const bool turned = (rows == 1 || buffer.dim(-2) <= 1) && (columns >= buffer.dim(-2) || buffer.dim(-1) <= 1);
    const auto stride = batch_stride(buffer.shape(), buffer.strides(), lead);
    if (!stride || !(straight || turned)) return false;
    const Index ld = straight ? std::max(rows, buffer.dim(-1)) : std::max(columns, buffer.dim(-2));
    input = {.data = buffer.data(), .ld = ld, .batch_stride = *stride, .transposed = !straight};
    return true;
  }
};

// a (..., m, k) times b (..., k, n). A b without leading axes serves all rows of a at once.
template <class T, class D> Buffer<T, D> product(const Buffer<T, D>& a, const Buffer<T, D>& b) {
  if (b.rank() == 2 && a.rank() > 2 && a.contiguous()) {
    Shape shape = a.shape();
    shape[-1] = b.dim(-1);
    return product(
               a.reshaped({a.dim(-1) == 0 ? element_count(a.shape().without(-1)) : a.size() / a.dim(-1), a.dim(-1)}), b)
        .reshaped(shape);
  }
  const Shape lead = broadcast("matmul", a.shape().without(-1).without(-1), b.shape().without(-1).without(-1));
  Shape shape = lead;
  shape.push_back(a.dim(-2));
  shape.push_back(b.dim(-1));
  Buffer<T, D> c(a.device(), shape);
  const Operand<T, D> left(a, lead), right(b, lead);
  const Index m = a.dim(-2), n = b.dim(-1);
  gemm(a.device(), {.m = m, .n = n, .k = a.dim(-1), .batch = element_count(lead)}, left.input, right.input,
       GemmOutput<T>{.data = c.mutable_data(), .ld = n, .batch_stride = m * n});
  return c;
}

}  // namespace detail

// a (..., m, k) x b (..., k, n) -> (..., m, n). Errors: fewer than two axes; inner sizes; leading axes that do not
// broadcast.
template <class T, class D> Tensor<T, D> matmul(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  check(a.rank() >= 2 && b.rank() >= 2, "matmul", "matrices have two axes or more: found ", a.shape(), " x ",
        b.shape());
  check(a.dim(-1) == b.dim(-2), "matmul", "inner sizes differ: ", a.shape(), " x ", b.shape());
  return record<"matmul">(
      detail::product(a.buffer(), b.buffer()),
      [a = save(a), b = save(b)](const Buffer<T, D>& dy) {
        const auto for_a = [&](Into<T, D> into) {
          detail::map_into(into, atom::detail::Copy{},
                           detail::sum_to(detail::product(dy, detail::transposed(*b)), a->shape()));
        };
        const auto for_b = [&](Into<T, D> into) {
          detail::map_into(into, atom::detail::Copy{},
                           detail::sum_to(detail::product(detail::transposed(*a), dy), b->shape()));
        };
        return grads(for_a, for_b);
      },
      a, b);
}

}  // namespace atom::ops

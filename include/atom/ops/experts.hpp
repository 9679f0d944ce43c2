// SPDX-License-Identifier: Apache-2.0
// What a dropless mixture of experts is made of: rows sorted by expert, the linear layers of all experts in one
// product, and the weighted sum back (Gale et al. 2022, arXiv 2211.15841). The layer:
//   order = expert_order(top_k(scores, k), e);  combine(experts(dispatch(x, order)), weights, order)
#pragma once

#include "../autograd/record.hpp"
#include "../backend/check_ids.hpp"
#include "../backend/experts.hpp"
#include "../backend/grouped_gemm.hpp"
#include "weight.hpp"

namespace atom::ops {

// The assignments ids (n, k) of n rows to k experts each, sorted by expert; rows of one expert in ascending order. A
// place is an assignment in this order.
template <class D> struct ExpertOrder {
  Index rows, active, experts;      // n, k, e
  Buffer<std::int32_t, D> offsets;  // (e + 1): the places of expert i are offsets[i]..offsets[i+1]-1
  Buffer<std::int32_t, D> row;      // (n k): which row each place reads
  Buffer<std::int32_t, D> place;    // (n, k): for row r the places of its assignments in increasing order of expert id
  Buffer<std::int32_t, D> choice;   // (n, k): which column of ids each of those is
};

// Errors: ids has not two axes; an id outside 0..experts-1; 2^31 assignments or more. An id may be repeated in a row.
template <class D> ExpertOrder<D> expert_order(const Tensor<std::int32_t, D>& ids, Index experts) {
  check(ids.rank() == 2, "expert_order", "ids has shape ", ids.shape(), ", expected (n, k)");
  check(experts >= 0 && ids.size() <= std::numeric_limits<std::int32_t>::max(), "expert_order",
        "too many assignments: found ", ids.shape(), " for ", experts, " experts, expected fewer than 2^31");
  const auto packed = contiguous(ids.buffer());
  const D device = ids.device();
  check_ids(device, "expert_order", packed.view(), experts);
  const Index n = ids.dim(0), k = ids.dim(1);
  using Numbers = Buffer<std::int32_t, D>;
  ExpertOrder<D> order{n,
                       k,
                       experts,
                       Numbers(device, Shape{experts + 1}),
                       Numbers(device, Shape{n * k}),
                       Numbers(device, ids.shape()),
                       Numbers(device, ids.shape())};
  expert_order(device, n, k, experts, packed.data(), order.offsets.mutable_data(), order.row.mutable_data(),
               order.place.mutable_data(), order.choice.mutable_data());
  return order;
}

namespace detail {

template <class T, class D>
ExpertPlaces<T> expert_places(const ExpertOrder<D>& order, Index channels, const T* weights) {
  return {order.rows, order.active, channels, order.place.data(), order.choice.data(), weights};
}

template <class T, class D>
void check_expert_rows(std::string_view op, const char* name, const Tensor<T, D>& x, Index rows) {
  check(x.rank() == 2 && x.dim(0) == rows, op, name, " has shape ", x.shape(), ", expected ", rows, " rows");
}
template <class T, class D>
void check_expert_weights(std::string_view op, const Tensor<T, D>& weights, const ExpertOrder<D>& order) {
  check(!weights.defined() || weights.shape() == order.place.shape(), op, "weights have shape ", weights.shape(),
        ", expected ", order.place.shape());
}

}  // namespace detail

// Each row of x (n, c), times its weight of `weights` (n, k) if they are defined, at its places: (n k, c). Llama 4
// weights what goes into an expert, all others what comes out. Errors: shapes.
template <class T, class D>
Tensor<T, D> dispatch_scaled(const Tensor<T, D>& x, const Tensor<T, D>& weights, const ExpertOrder<D>& order) {
  detail::check_expert_rows("dispatch", "x", x, order.rows);
  detail::check_expert_weights("dispatch", weights, order);
  const Index c = x.dim(1);
  const auto input = contiguous(x.buffer()), factors = contiguous(weights.buffer());
  Buffer<T, D> y(x.device(), Shape{order.rows * order.active, c});
  expert_spread(x.device(), detail::expert_places(order, c, factors.data()), input.data(), y.mutable_data(), false);
  return record<"dispatch">(
      y,
      [order, x = save(weights.requires_grad() ? input : Buffer<T, D>()),
       weights = save(factors)](const Buffer<T, D>& dy) {
        const auto dx = [&](Into<T, D> into) {
          expert_collect(dy.device(), detail::expert_places(order, dy.dim(1), weights->data()), dy.data(),
                         static_cast<const T*>(nullptr), into.buffer.mutable_data(), into.accumulate);
        };
        const auto dweights = [&](Into<T, D> into) {
          expert_dots(dy.device(), detail::expert_places<T>(order, dy.dim(1), nullptr), x->data(), dy.data(),
                      into.buffer.mutable_data(), into.accumulate);
        };
        return grads(dx, dweights);
      },
      x, weights);
}
// Each row of x (n, c) at its places: (n k, c). Error: shape.
template <class T, class D> Tensor<T, D> dispatch(const Tensor<T, D>& x, const ExpertOrder<D>& order) {
  return dispatch_scaled(x, {}, order);
}

namespace detail {

// f(member, begin, rows) for each matrix of a stack that has rows: its places are begin..begin + rows - 1.
template <class D, class F>
void for_members(const StoredMatrix<D>& stack, const Buffer<std::int32_t, D>& offsets, const F& f) {
  const Buffer<std::int32_t, Cpu> at(Cpu{}, offsets.shape());
  copy_to_host(offsets.device(), at.mutable_data(), offsets.data(),
               static_cast<std::size_t>(at.size()) * sizeof(TokenId));
  for (Index e = 0; e < stack.dim(0); ++e) {
    const Index begin = at.data()[e], rows = at.data()[e + 1] - begin;
    if (rows > 0) f(e, begin, rows);
  }
}

// The grouped products (backend/grouped_gemm.hpp) with the matrices of a stored stack, one after the other.
template <class T, class D> void stored_gemm(const GroupedRows& s, const Buffer<std::int32_t, D>& offsets,
                                             const StoredMatrix<D>& stack, const T* x, const T* bias, T* y) {
  for_members(stack, offsets, [&](Index e, Index begin, Index rows) {
    if (packed_product(stack.member(e), rows, x + begin * s.in, GemmOutput<T>{.data = y + begin * s.out, .ld = s.out},
                       GemmEpilogue<T>{.bias = bias ? bias + e * s.out : nullptr}))
      return;
    for (Panels<T, D> panel(Along::rows, {}, stack.member(e)); panel.next();)
      gemm(offsets.device(), {.m = rows, .n = panel.count, .k = s.in},
           GemmInput<T>{.data = x + begin * s.in, .ld = s.in}, {.data = panel.values, .ld = s.in, .transposed = true},
           GemmOutput<T>{.data = y + begin * s.out + panel.first, .ld = s.out}, false,
           {.bias = bias ? bias + e * s.out + panel.first : nullptr});
  });
}
template <class T, class D> void stored_gemm_input(const GroupedRows& s, const Buffer<std::int32_t, D>& offsets,
                                                   const StoredMatrix<D>& stack, const T* dy, T* dx, bool accumulate) {
  for_members(stack, offsets, [&](Index e, Index begin, Index rows) {
    for (Panels<T, D> panel(Along::columns, {}, stack.member(e)); panel.next();)
      gemm(offsets.device(), {.m = rows, .n = panel.count, .k = s.out},
           GemmInput<T>{.data = dy + begin * s.out, .ld = s.out}, {.data = panel.values, .ld = panel.count},
           GemmOutput<T>{.data = dx + begin * s.in + panel.first, .ld = s.in}, accumulate);
  });
}

}  // namespace detail

// x W[e]^T + bias[e] for the places of each expert e: x (n k, in), weight (e, out, in), bias (e, out) or undefined ->
// (n k, out). A row has the bits that linear gives it, also with a stored weight, which gets no gradient. Errors:
// shapes; no weight.
template <class T, class D> Tensor<T, D> grouped_linear(const Tensor<T, D>& x, const Weight<T, D>& weight,
                                                        const std::type_identity_t<Tensor<T, D>>& bias,
                                                        const ExpertOrder<D>& order) {
  const Index places = order.rows * order.active;
  const Shape& sizes = weight.shape();
  check(weight.defined(), "grouped_linear", "the weight ", sizes, " is not loaded");
  detail::check_expert_rows("grouped_linear", "x", x, places);
  check(sizes.rank() == 3 && sizes[0] == order.experts && sizes[2] == x.dim(1), "grouped_linear", "weight has shape ",
        sizes, ", expected (", order.experts, ", out, ", x.dim(1), ")");
  const Index out = sizes[1];
  check(!bias.defined() || bias.shape() == Shape{order.experts, out}, "grouped_linear", "bias has shape ", bias.shape(),
        ", expected ", Shape{order.experts, out});
  const auto input = contiguous(x.buffer()), w = contiguous(weight.dense.buffer()), offset = contiguous(bias.buffer());
  const GroupedRows rows{places, order.experts, out, x.dim(1), order.offsets.data()};
  Buffer<T, D> y(x.device(), Shape{places, out});
  if (w.defined())
    grouped_gemm(x.device(), rows, input.data(), w.data(), offset.data(), y.mutable_data());
  else
    detail::stored_gemm(rows, order.offsets, weight.stored, input.data(), offset.data(), y.mutable_data());
  return record<"grouped_linear">(
      y,
      [rows, offsets = order.offsets, x = save(input), w = save(w), stored = weight.stored](const Buffer<T, D>& dy) {
        const auto dx = [&](Into<T, D> into) {
          if (w->defined())
            grouped_gemm_input(dy.device(), rows, dy.data(), w->data(), into.buffer.mutable_data(), into.accumulate);
          else
            detail::stored_gemm_input(rows, offsets, stored, dy.data(), into.buffer.mutable_data(), into.accumulate);
        };
        const auto dw = [&](Into<T, D> into) {
          grouped_gemm_weight(dy.device(), rows, dy.data(), x->data(), into.buffer.mutable_data(), into.accumulate);
        };
        const auto dbias = [&](Into<T, D> into) {
          grouped_sum_rows(dy.device(), rows, dy.data(), into.buffer.mutable_data(), into.accumulate);
        };
        return grads(dx, dw, dbias);
      },
      x, weight.dense, bias);
}
template <class T, class D> Tensor<T, D> grouped_linear(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                                        const Tensor<T, D>& bias, const ExpertOrder<D>& order) {
  return grouped_linear(x, Weight<T, D>{weight}, bias, order);
}

// residual[r] + sum over the places of r, in increasing expert id, of weights[r, choice] * y[place]: y (n k, c),
// weights (n, k) -> (n, c). Undefined weights are 1, and the residual (n, c) may be undefined. Errors: shapes.
template <class T, class D> Tensor<T, D> combine(const Tensor<T, D>& y, const Tensor<T, D>& weights,
                                                 const ExpertOrder<D>& order, const Tensor<T, D>& residual = {}) {
  detail::check_expert_rows("combine", "y", y, order.rows * order.active);
  detail::check_expert_weights("combine", weights, order);
  const Index c = y.dim(1);
  const Shape shape{order.rows, c};
  check(!residual.defined() || residual.shape() == shape, "combine", "residual has shape ", residual.shape(),
        ", expected ", shape);
  const auto input = contiguous(y.buffer()), factors = contiguous(weights.buffer());
  const auto added = contiguous(residual.buffer());
  Buffer<T, D> sums(y.device(), shape);
  expert_collect(y.device(), detail::expert_places(order, c, factors.data()), input.data(), added.data(),
                 sums.mutable_data(), false);
  return record<"combine">(
      sums,
      [order, y = save(weights.requires_grad() ? input : Buffer<T, D>()),
       weights = save(factors)](const Buffer<T, D>& dsums) {
        const auto dy = [&](Into<T, D> into) {
          expert_spread(dsums.device(), detail::expert_places(order, dsums.dim(1), weights->data()), dsums.data(),
                        into.buffer.mutable_data(), into.accumulate);
        };
        const auto dweights = [&](Into<T, D> into) {
          expert_dots(dsums.device(), detail::expert_places<T>(order, dsums.dim(1), nullptr), dsums.data(), y->data(),
                      into.buffer.mutable_data(), into.accumulate);
        };
        return grads(dy, dweights, dsums);
      },
      y, weights, residual);
}

}  // namespace atom::ops

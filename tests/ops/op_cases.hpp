// SPDX-License-Identifier: Apache-2.0
// The table of op cases: each operation that is recorded, on the shapes that break kernels (one element, odd, empty,
// broadcast, many rows). The gradient check, the float check and the device check all read it; each runs every case on
// contiguous inputs and again on strided views. A gate compares the names with record<"NAME"> in the library.
#pragma once

#include <atom/nn/sparse_mixer.hpp>
#include <atom/ops/activation.hpp>
#include <atom/ops/attention.hpp>
#include <atom/ops/clamped_swiglu.hpp>
#include <atom/ops/cross_entropy.hpp>
#include <atom/ops/dropout.hpp>
#include <atom/ops/elementwise.hpp>
#include <atom/ops/embedding.hpp>
#include <atom/ops/experts.hpp>
#include <atom/ops/linear.hpp>
#include <atom/ops/linear_cross_entropy.hpp>
#include <atom/ops/matmul.hpp>
#include <atom/ops/norm.hpp>
#include <atom/ops/reduce.hpp>
#include <atom/ops/rope.hpp>
#include <atom/ops/shape.hpp>
#include <atom/ops/softmax.hpp>
#include <atom/ops/with_auxiliary.hpp>
#include <atom/policy/causal.hpp>
#include <atom/policy/sliding_window.hpp>

namespace test {

using namespace atom;

template <class T, class D> using Inputs = std::vector<Tensor<T, D>>;
using Shapes = std::vector<Shape>;  // of the inputs of one call

template <class T, class D> struct OpCase {
  std::string_view op;
  std::vector<Shapes> calls;
  Tensor<T, D> (*build)(const Inputs<T, D>& in);
  bool positive = false;  // draw inputs from 0.5 to 2
};

// One input each.
inline std::vector<Shapes> unary(std::vector<Shape> shapes) {
  std::vector<Shapes> calls;
  for (const Shape& shape : shapes) calls.push_back({shape});
  return calls;
}

inline const std::vector<Shapes> any_shape =
    unary({{}, {1}, {0}, {7}, {16}, {17}, {2, 3}, {3, 0, 2}, {1, 1, 5}, {2, 1, 3}, {3, 33}, {2, 3, 2, 2}, {5, 1}});
inline const std::vector<Shapes> any_row = unary(
    {{1}, {0}, {7}, {16}, {17}, {2, 3}, {3, 0}, {0, 3}, {1, 1, 5}, {2, 1, 3}, {3, 33}, {2, 3, 2, 2}, {5, 1}, {20, 3}});
inline const std::vector<Shapes> any_broadcast = {{{}, {}},         {{1}, {1}},
                                                  {{7}, {7}},       {{0}, {0}},
                                                  {{2, 3}, {3}},    {{3}, {2, 3}},
                                                  {{2, 1}, {1, 3}}, {{4, 1, 5}, {2, 1}},
                                                  {{2, 3, 4}, {}},  {{1}, {0}},
                                                  {{3, 0}, {1, 0}}, {{17}, {1}},
                                                  {{33}, {33}},     {{2, 3, 2, 2}, {3, 1, 2}},
                                                  {{3, 5}, {3, 1}}};
inline const std::vector<Shapes> any_pair = {{{}, {}},           {{1}, {1}},
                                             {{0}, {0}},         {{7}, {7}},
                                             {{16}, {16}},       {{17}, {17}},
                                             {{2, 3}, {2, 3}},   {{3, 0, 2}, {3, 0, 2}},
                                             {{1, 5}, {1, 5}},   {{2, 1, 3}, {2, 1, 3}},
                                             {{3, 33}, {3, 33}}, {{5, 1}, {5, 1}}};
inline const std::vector<Shapes> any_scores = unary(
    {{1, 2}, {1, 5}, {2, 3}, {3, 4}, {4, 6}, {5, 7}, {0, 4}, {6, 2}, {7, 16}, {2, 17}, {3, 33}, {9, 8}});  // (n, e)
// x and the weight (and bias) of its last axis.
inline std::vector<Shapes> with_parameters(std::size_t parameters) {
  std::vector<Shapes> calls;
  for (const auto& x : any_row) {
    calls.push_back(x);
    calls.back().insert(calls.back().end(), parameters, Shape{x[0][-1]});
  }
  return calls;
}
// The same and a vector as long as the second input.
inline std::vector<Shapes> with_bias(std::vector<Shapes> calls) {
  for (Shapes& shapes : calls) shapes.push_back({shapes[1][0]});
  return calls;
}
inline const std::vector<Shapes> any_heads =  // (b, t, h, d)
    unary({{1, 1, 1, 2},
           {1, 1, 1, 1},
           {2, 3, 1, 4},
           {1, 5, 2, 6},
           {2, 2, 3, 7},
           {0, 3, 2, 4},
           {2, 0, 2, 4},
           {1, 2, 0, 4},
           {1, 2, 2, 0},
           {1, 2, 1, 33},
           {1, 1, 2, 34},
           {3, 1, 1, 8},
           {1, 7, 1, 3}});
inline const std::vector<Shapes> any_logits = unary(
    {{1}, {5}, {1, 1}, {0, 5}, {3, 4}, {7, 3}, {2, 3, 5}, {2, 0, 3}, {4, 17}, {2, 33}, {1, 1, 1, 4}, {9, 2}, {3, 1}});
// Shape of the ids, then a table (v, c).
inline const std::vector<Shapes> any_lookup = {{{}, {3, 2}},      {{1}, {1, 1}},  {{0}, {3, 2}},       {{0}, {0, 2}},
                                               {{5}, {4, 1}},     {{7}, {2, 3}},  {{2, 3}, {5, 4}},    {{2, 0}, {4, 3}},
                                               {{1, 4}, {9, 17}}, {{6}, {3, 33}}, {{2, 2, 2}, {3, 5}}, {{12}, {1, 2}},
                                               {{3}, {2, 0}}};
// x (..., c), then a table (v, c).
inline const std::vector<Shapes> any_head = {{{2}, {3, 2}},       {{1, 1}, {1, 1}},    {{0, 2}, {3, 2}},
                                             {{4, 3}, {5, 3}},    {{2, 3, 4}, {7, 4}}, {{7, 1}, {2, 1}},
                                             {{2, 0, 3}, {4, 3}}, {{3, 5}, {1, 5}},    {{2, 17}, {3, 17}},
                                             {{2, 3}, {33, 3}},   {{5, 2}, {17, 2}},   {{1, 2, 1, 2}, {4, 2}}};

inline const std::vector<Shapes> any_product = {{{1, 1}, {1, 1}},       {{2, 3}, {3, 4}},
                                                {{0, 3}, {3, 2}},       {{2, 0}, {0, 3}},
                                                {{5, 1}, {1, 2}},       {{7, 17}, {17, 3}},
                                                {{2, 3, 4}, {4, 2}},    {{2, 3, 4}, {2, 4, 5}},
                                                {{3, 4}, {2, 4, 2}},    {{2, 1, 3, 2}, {4, 2, 3}},
                                                {{1, 2, 3}, {5, 3, 1}}, {{9, 2}, {2, 18}},
                                                {{0, 2, 3}, {0, 3, 2}}, {{2, 2, 2, 3}, {2, 2, 3, 2}}};
// x (..., in), weight (out, in), bias (out), residual (..., out), and the first two or three of them.
inline std::vector<Shapes> linear_calls(std::size_t inputs) {
  std::vector<Shapes> calls = {{{1}, {1, 1}, {1}, {1}},
                               {{3}, {2, 3}, {2}, {2}},
                               {{0, 3}, {2, 3}, {2}, {0, 2}},
                               {{2, 0}, {3, 0}, {3}, {2, 3}},
                               {{2, 3}, {0, 3}, {0}, {2, 0}},
                               {{4, 1}, {5, 1}, {5}, {4, 5}},
                               {{2, 3, 4}, {5, 4}, {5}, {2, 3, 5}},
                               {{7, 17}, {3, 17}, {3}, {7, 3}},
                               {{2, 3}, {18, 3}, {18}, {2, 18}},
                               {{2, 2, 1, 3}, {1, 3}, {1}, {2, 2, 1, 1}},
                               {{9, 2}, {3, 2}, {3}, {9, 3}},
                               {{1, 6}, {7, 6}, {7}, {1, 7}}};
  for (auto& call : calls) call.resize(inputs);
  return calls;
}
// q (b, t, h, d), k (b, s, kv-heads, d), v (b, s, kv-heads, e)
inline const std::vector<Shapes> any_attention = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}, {{1, 3, 1, 2}, {1, 3, 1, 2}, {1, 3, 1, 2}},
    {{2, 4, 2, 3}, {2, 4, 2, 3}, {2, 4, 2, 3}}, {{1, 5, 4, 2}, {1, 5, 2, 2}, {1, 5, 2, 2}},
    {{1, 4, 3, 2}, {1, 4, 1, 2}, {1, 4, 1, 2}}, {{0, 3, 2, 2}, {0, 3, 2, 2}, {0, 3, 2, 2}},
    {{1, 0, 2, 2}, {1, 0, 2, 2}, {1, 0, 2, 2}}, {{1, 2, 1, 17}, {1, 2, 1, 17}, {1, 2, 1, 17}},
    {{1, 4, 1, 2}, {1, 6, 1, 2}, {1, 6, 1, 2}}, {{2, 3, 2, 2}, {2, 3, 1, 2}, {2, 3, 1, 5}},
    {{1, 9, 1, 1}, {1, 9, 1, 1}, {1, 9, 1, 1}}, {{3, 1, 2, 4}, {3, 1, 2, 4}, {3, 1, 2, 4}}};
// The same with sinks (h).
inline const std::vector<Shapes> attention_with_sinks = [] {
  auto calls = any_attention;
  for (auto& call : calls) call.push_back({call[0][2]});
  return calls;
}();

// x (n, c); weights (n, k)
inline const std::vector<Shapes> any_dispatch = {
    {{1, 1}, {1, 1}},  {{2, 3}, {2, 2}},  {{0, 3}, {0, 2}},  {{3, 0}, {3, 2}}, {{5, 1}, {5, 1}},
    {{7, 4}, {7, 2}},  {{1, 17}, {1, 3}}, {{3, 33}, {3, 4}}, {{9, 2}, {9, 3}}, {{16, 2}, {16, 1}},
    {{4, 16}, {4, 2}}, {{2, 5}, {2, 8}},  {{6, 3}, {6, 0}}};
// y (n k, c); weights (n, k); residual (n, c)
inline const std::vector<Shapes> any_combine = [] {
  std::vector<Shapes> calls;
  for (const Shapes& call : any_dispatch) calls.push_back({{call[1][0] * call[1][1], call[0][1]}, call[1], call[0]});
  return calls;
}();
// x (places, in); weight (e, out, in); bias (e, out), or the first two of them
inline std::vector<Shapes> expert_linear_calls(std::size_t inputs) {
  std::vector<Shapes> calls = {
      {{1, 1}, {1, 1, 1}, {1, 1}},     {{1, 3}, {4, 2, 3}, {4, 2}},   {{0, 3}, {3, 2, 3}, {3, 2}},
      {{0, 2}, {0, 2, 2}, {0, 2}},     {{5, 0}, {2, 3, 0}, {2, 3}},   {{5, 2}, {2, 0, 2}, {2, 0}},
      {{7, 4}, {3, 5, 4}, {3, 5}},     {{9, 17}, {2, 3, 17}, {2, 3}}, {{6, 3}, {2, 18, 3}, {2, 18}},
      {{20, 2}, {3, 2, 2}, {3, 2}},    {{4, 6}, {9, 1, 6}, {9, 1}},   {{12, 1}, {5, 4, 1}, {5, 4}},
      {{16, 16}, {2, 16, 16}, {2, 16}}};
  for (auto& call : calls) call.resize(inputs);
  return calls;
}

// Ids in 0..limit-1, one in four of them -100 if asked.
template <class D> Tensor<TokenId, D> some_ids(const Shape& shape, Index limit, D device, bool ignore = false) {
  std::vector<TokenId> ids;
  for (Index i = 0; i < element_count(shape); ++i)
    ids.push_back(ignore && i % 4 == 2 ? -100 : static_cast<TokenId>((i * 7 + i / 3) % limit));
  return Tensor<TokenId, D>::from(ids, shape, device);
}
template <class T, class D> Tensor<TokenId, D> some_targets(const Tensor<T, D>& logits, Index limit) {
  return some_ids(logits.shape().without(-1), limit, logits.device(), true);
}
template <class T, class D> ops::RopeTable<T, D> some_angles(Index rotated, D device, RopePairing pairing) {
  return ops::RopeTable<T, D>(ops::rope_frequencies(rotated, 100), 12, pairing, 1, device);
}

// Of ids (n, k): an id may come twice in a row, and an expert may have no rows.
template <class D> ops::ExpertOrder<D> some_order(Index n, Index k, Index experts, D device) {
  return ops::expert_order(some_ids({n, k}, experts, device), experts);
}

template <class T, class D> std::vector<OpCase<T, D>> op_cases() {
  using In = const Inputs<T, D>&;
  return {
      // ---- element-wise
      {"add", any_broadcast, [](In in) { return ops::add(in[0], in[1]); }},
      {"sub", any_broadcast, [](In in) { return ops::sub(in[0], in[1]); }},
      {"mul", any_broadcast, [](In in) { return ops::mul(in[0], in[1]); }},
      {"div", any_broadcast, [](In in) { return ops::div(in[0], in[1]); }, true},
      {"neg", any_shape, [](In in) { return ops::neg(in[0]); }},
      {"scale", any_shape, [](In in) { return ops::scale(in[0], T(-1.5)); }},
      {"clip", any_shape, [](In in) { return ops::clip(in[0], T(0.6)); }},
      {"soft_cap", any_shape, [](In in) { return ops::soft_cap(in[0], T(0.8)); }},
      {"shift", any_shape, [](In in) { return ops::shift(in[0], T(0.75)); }},
      {"square", any_shape, [](In in) { return ops::square(in[0]); }},
      {"sqrt", any_shape, [](In in) { return ops::sqrt(in[0]); }, true},
      {"exp", any_shape, [](In in) { return ops::exp(in[0]); }},
      {"log", any_shape, [](In in) { return ops::log(in[0]); }, true},
      {"tanh", any_shape, [](In in) { return ops::tanh(in[0]); }},
      {"sigmoid", any_shape, [](In in) { return ops::sigmoid(in[0]); }},
      {"activate", any_shape, [](In in) { return ops::relu(in[0]); }},
      {"activate", any_shape, [](In in) { return ops::gelu(in[0]); }},
      {"activate", any_shape, [](In in) { return ops::gelu_tanh(in[0]); }},
      {"activate", any_shape, [](In in) { return ops::silu(in[0]); }},
      {"gated", any_pair, [](In in) { return ops::swiglu(in[0], in[1]); }},
      {"gated", any_pair, [](In in) { return ops::geglu(in[0], in[1]); }},
      {"dropout", any_shape,
       [](In in) {
         return ops::dropout(in[0], 0.4, RandomKey{1, 2});
       }},

      // ---- rows
      {"layer_norm", with_parameters(2), [](In in) { return ops::layer_norm(in[0], in[1], in[2], 0.1); }},
      {"layer_norm", any_row, [](In in) { return ops::layer_norm(in[0], {}, {}, 0.1); }},
      {"rms_norm", with_parameters(1), [](In in) { return ops::rms_norm(in[0], in[1], 0.1); }},
      {"rms_norm", with_parameters(1), [](In in) { return ops::rms_norm(in[0], in[1], 0.1, 1); }},
      {"softmax", any_row, [](In in) { return ops::softmax(in[0]); }},
      {"log_softmax", any_row, [](In in) { return ops::log_softmax(in[0]); }},
      {"rope", any_heads,
       [](In in) {
         return ops::rope(in[0], some_angles<T>(in[0].dim(3) / 2 * 2, in[0].device(), RopePairing::half_split), 4);
       }},
      {"rope", any_heads,
       [](In in) {
         const auto positions = some_ids({in[0].dim(0), in[0].dim(1)}, 12, in[0].device());
         return ops::rope(in[0], some_angles<T>(in[0].dim(3) / 4 * 2, in[0].device(), RopePairing::interleaved),
                          positions);
       }},

      // ---- tables and losses
      {"embedding", any_lookup,
       [](In in) { return ops::embedding(some_ids(in[0].shape(), in[1].dim(0), in[0].device()), in[1]); }},
      {"token_losses", any_logits, [](In in) { return ops::token_losses(in[0], some_targets(in[0], in[0].dim(-1))); }},
      {"cross_entropy", any_logits,
       [](In in) { return ops::cross_entropy(in[0], some_targets(in[0], in[0].dim(-1))); }},
      {"cross_entropy", any_logits,
       [](In in) { return ops::cross_entropy(in[0], some_targets(in[0], in[0].dim(-1)), {.normaliser = 3}); }},
      {"linear_cross_entropy", any_head,
       [](In in) { return ops::linear_cross_entropy(in[0], in[1], some_targets(in[0], in[1].dim(0))); }},
      {"linear_cross_entropy", any_head,
       [](In in) {
         return ops::linear_cross_entropy(in[0], in[1], some_targets(in[0], in[1].dim(0)), {.normaliser = 3});
       }},
      {"linear_cross_entropy", with_bias(any_head),
       [](In in) {
         const ops::Head<T, D> head{.weight = in[1], .bias = in[2], .soft_cap = 0.9};
         return ops::linear_cross_entropy(in[0], head, some_targets(in[0], in[1].dim(0)));
       }},

      // ---- products and attention
      {"matmul", any_product, [](In in) { return ops::matmul(in[0], in[1]); }},
      {"linear", linear_calls(2), [](In in) { return ops::linear(in[0], in[1], {}); }},
      {"linear", linear_calls(3),
       [](In in) { return ops::linear(in[0], in[1], in[2], {.activation = Activation::gelu_tanh}); }},
      {"linear", linear_calls(4),
       [](In in) { return ops::linear(in[0], in[1], in[2], {.activation = Activation::silu, .residual = in[3]}); }},
      {"attention", any_attention, [](In in) { return ops::attention(in[0], in[1], in[2], Causal{}); }},
      {"attention", any_attention,
       [](In in) { return ops::attention(in[0], in[1], in[2], SlidingWindow{3}, {.scale = 0.7}); }},
      {"attention", attention_with_sinks,
       [](In in) { return ops::attention(in[0], in[1], in[2], Causal{}, {.sinks = in[3]}); }},

      // ---- experts
      {"clamped_swiglu", any_pair, [](In in) { return ops::clamped_swiglu(in[0], in[1], 1.702, 1); }},
      {"dispatch", any_dispatch,
       [](In in) { return ops::dispatch(in[0], some_order(in[0].dim(0), in[1].dim(1), 5, in[0].device())); }},
      {"dispatch", any_dispatch,
       [](In in) {
         return ops::dispatch_scaled(in[0], in[1], some_order(in[0].dim(0), in[1].dim(1), 5, in[0].device()));
       }},
      {"grouped_linear", expert_linear_calls(2),
       [](In in) {
         return ops::grouped_linear(in[0], in[1], {}, some_order(in[0].dim(0), 1, in[1].dim(0), in[0].device()));
       }},
      {"grouped_linear", expert_linear_calls(3),
       [](In in) {
         return ops::grouped_linear(in[0], in[1], in[2], some_order(in[0].dim(0), 1, in[1].dim(0), in[0].device()));
       }},
      {"combine", any_combine,
       [](In in) {
         return ops::combine(in[0], in[1], some_order(in[1].dim(0), in[1].dim(1), 5, in[0].device()), in[2]);
       }},
      {"combine", any_combine,
       [](In in) { return ops::combine(in[0], in[1], some_order(in[1].dim(0), in[1].dim(1), 5, in[0].device())); }},

      // ---- reductions
      {"sum", any_shape, [](In in) { return ops::sum(in[0]); }},
      {"sum", any_row, [](In in) { return ops::sum(in[0], 0); }},
      {"sum", any_row, [](In in) { return ops::sum(in[0], -1); }},
      {"max",
       unary({{1}, {7}, {16}, {17}, {2, 3}, {0, 3}, {1, 1, 5}, {2, 1, 3}, {3, 33}, {2, 3, 2, 2}, {5, 1}, {20, 3}}),
       [](In in) { return ops::max(in[0]); }},

      // ---- shapes
      {"reshape", any_shape, [](In in) { return ops::reshape(in[0], {in[0].size()}); }},
      {"permute", any_row, [](In in) { return ops::transpose(in[0], 0, -1); }},
      {"slice", any_row, [](In in) { return ops::slice(in[0], -1, in[0].dim(-1) / 3, in[0].dim(-1) / 2); }},
      {"broadcast_to", any_shape,
       [](In in) {
         Shape shape{2};
         for (const Index extent : in[0].shape()) shape.push_back(extent == 1 ? 3 : extent);
         return ops::broadcast_to(in[0], shape);
       }},
      {"concat", any_row, [](In in) { return ops::concat(in[0], ops::scale(in[0], T(2)), -1); }},
      {"gather", any_row,
       [](In in) {
         Shape shape = in[0].shape();
         shape[-1] = shape[-1] == 0 ? 0 : 5;
         return ops::gather(in[0], some_ids(shape, in[0].dim(-1), in[0].device()));
       }},
      {"with_auxiliary", any_pair,  // whose value lacks the second input: added here as a constant
       [](In in) {
         const auto second = ops::sum(in[1]);
         return ops::with_auxiliary(ops::sum(in[0]), second) + second.detach();
       }},
      {"sparse_mixer", any_scores,
       [](In in) {
         const Index e = in[0].dim(1);
         std::vector<T> ones(static_cast<std::size_t>(e * e), T(0));
         for (Index i = 0; i < e; ++i) ones[static_cast<std::size_t>(i * e + i)] = 1;
         nn::Linear<T, D> same(e, e, false, in[0].device());
         same.weight.assign(ones);
         return nn::SparseMixer{.jitter =
                                    0.3}(nn::RouterInput<T, D>{.linear = same, .x = in[0], .active = 2, .length = 1})
             .weights;
       }},
  };
}

// ---- inputs of a case
// ------------------------------------------------------------------------------------------------

// Values that float holds exactly, no two alike, none near 0 where relu bends.
template <class T> std::vector<T> case_values(Index n, std::size_t input, bool positive) {
  std::vector<T> values;
  for (Index i = 0; i < n; ++i) {
    const double wave = std::sin(1.3 + 2.17 * static_cast<double>(i) + 0.71 * static_cast<double>(input));
    const double value = positive ? 1.25 + 0.75 * wave : 1.5 * wave + (wave < 0 ? -0.05 : 0.05);
    values.push_back(static_cast<T>(static_cast<float>(value)));
  }
  return values;
}

// The contiguous leaves of a call. For a strided call a leaf has its axes reversed, and view_of() turns it round.
template <class T, class D> Inputs<T, D> case_leaves(const Shapes& shapes, bool positive, bool strided, D device) {
  Inputs<T, D> leaves;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    Shape shape = shapes[i];
    if (strided)
      for (int axis = 0; axis < shape.rank(); ++axis) shape[axis] = shapes[i][-1 - axis];
    leaves.push_back(Tensor<T, D>::from(case_values<T>(element_count(shape), i, positive), shape, device));
  }
  return leaves;
}
template <class T, class D> Tensor<T, D> view_of(const Tensor<T, D>& leaf, bool strided) {
  if (!strided) return leaf;
  Shape order;
  for (int axis = leaf.rank() - 1; axis >= 0; --axis) order.push_back(axis);
  return ops::permute(leaf, order);
}
template <class T, class D> Tensor<T, D> run_case(const OpCase<T, D>& c, const Inputs<T, D>& leaves, bool strided) {
  Inputs<T, D> inputs;
  for (const auto& leaf : leaves) inputs.push_back(view_of(leaf, strided));
  return c.build(inputs);
}

}  // namespace test

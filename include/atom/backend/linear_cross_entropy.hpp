// SPDX-License-Identifier: Apache-2.0
// Cross entropy of x W^T against targets without ever holding the (n, v) logits: a chunk of rows at a time goes through
// product, loss, gradient and the two products of the backward pass. One text for every device, made of its gemm and
// cross_entropy.
#pragma once

#include "cross_entropy.hpp"
#include "gemm.hpp"
#include "reduce.hpp"  // sum_rows

namespace atom {

template <class T> struct LinearCrossEntropy {
  Index n = 0, v = 0, c = 0;
  const T* x = nullptr;              // (n, c)
  const T* weight = nullptr;         // (v, c)
  const T* bias = nullptr;           // (v), or null
  const TokenId* targets = nullptr;  // (n)
  TokenId ignored = -100;
  const T* scale = nullptr;  // (1), for the gradients: see cross_entropy_scale
  T* loss = nullptr;         // (n)
  T* dx = nullptr;       // (n, c): the gradient of scale * sum(loss), overwritten; null where not wanted, as the next
  T* dweight = nullptr;  // (v, c)
  T* dbias = nullptr;    // (v)
  T* logits = nullptr;   // scratch: (min(chunk, n), v)
  bool dlogits = false;  // leaves the gradient of the last chunk's logits in `logits`
  Index chunk = 1;       // rows at a time; dweight's last bits depend on it
};

// Rows in a chunk, by v alone: logits of about 64 MiB in float, so that the products are large and the memory is not.
constexpr Index linear_cross_entropy_rows(Index v) {
  constexpr Index elements = Index{1} << 24, step = 32;
  return std::clamp<Index>(elements / std::max<Index>(v, 1) / step * step, 2 * step, 2048);
}

// What lies between product and loss: nothing.
struct BareLogits {
  void forward(Index) const {}
  void backward(Index) const {}
};

// between.forward(rows) may change the first `rows` of a.logits once they are computed; between.backward(rows) then
// takes their gradient, in the same place, back to what the product gave.
template <class T, class D, class Between = BareLogits>
void linear_cross_entropy_sweep(D device, const LinearCrossEntropy<T>& a, const Between& between = {}) {
  const bool gradients = a.dx || a.dweight || a.dbias || a.dlogits;
  for (Index row = 0; row < a.n || row == 0; row += a.chunk) {  // at least once: dweight of no rows is 0
    const Index rows = std::min(a.chunk, a.n - row);
    const GemmInput<T> x{.data = a.x + row * a.c, .ld = a.c}, weight{.data = a.weight, .ld = a.c};
    const GemmInput<T> dlogits{.data = a.logits, .ld = a.v};
    auto weight_columns = weight, dlogits_columns = dlogits;
    weight_columns.transposed = dlogits_columns.transposed = true;

    gemm(device, GemmShape{.m = rows, .n = a.v, .k = a.c}, x, weight_columns,
         GemmOutput<T>{.data = a.logits, .ld = a.v}, false, GemmEpilogue<T>{.bias = a.bias});
    between.forward(rows);
    cross_entropy_forward(device, CrossEntropyForward<T>{.n = rows,
                                                         .v = a.v,
                                                         .logits = a.logits,
                                                         .targets = a.targets + row,
                                                         .ignored = a.ignored,
                                                         .loss = a.loss + row,
                                                         .dlogits = gradients ? a.logits : nullptr,
                                                         .scale = a.scale});
    if (gradients) between.backward(rows);
    if (a.dx)
      gemm(device, GemmShape{.m = rows, .n = a.c, .k = a.v}, dlogits, weight,
           GemmOutput<T>{.data = a.dx + row * a.c, .ld = a.c});
    if (a.dweight)
      gemm(device, GemmShape{.m = a.v, .n = a.c, .k = rows}, dlogits_columns, x,
           GemmOutput<T>{.data = a.dweight, .ld = a.c}, row > 0);
    if (a.dbias) sum_rows(device, rows, a.v, a.logits, a.dbias, row > 0);
  }
}

}  // namespace atom

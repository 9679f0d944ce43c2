// SPDX-License-Identifier: Apache-2.0
// Contract of element-wise work on views of equal shape, whatever their strides (0 repeats an element):
//
//   void pointwise(D, View<T> out, F f, View<const Ts>... in)          out[i] = f(in[i]...)
//   void pointwise_indexed(D, View<T> out, F f, View<const Ts>... in)  out[i] = f(Elements<S>, in[i]...)
//   void convert(D, View<To> out, View<const From> in)                 out[i] = in[i] in the other type
//
// `out` may be one of the inputs exactly (same data and strides), and must otherwise overlap none; its own elements are
// distinct. f is one text for scalars and lanes, stateless or a few numbers; it may be called for lanes past the end:
//   struct Scale { float by; template <class S> ATOM_HD S operator()(S x) const { return x * S(by); } };
// In pointwise_indexed its first argument says which elements of the shape, in row-major order, S stands for.
// T and Ts are float, double or int32/int64; other types come as scalars.
// convert covers float, double, bfloat16, half and the integers; storage types go through float, numbers with a
// fraction are cut off, and a number that the integer type cannot hold is the caller's error.
#pragma once

#include "cpu/pointwise.hpp"
#if ATOM_CUDA
#include "cuda/pointwise.cuh"
#endif

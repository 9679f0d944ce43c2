// SPDX-License-Identifier: Apache-2.0
// Includes the file ATOM_KERNEL_TEXT once per instruction set, in namespace atom::baseline, atom::avx2 and
// atom::avx512. No include guard: every kernel family includes it. Rules for such a text:
// - ATOM_KERNEL stands before every function that is a real call: it sets the target, forbids contraction (fma is
//   written where it is meant) and forbids inlining into code of another target. No Lanes in its parameters.
// - whatever else it calls is ATOM_ALWAYS_INLINE; a lambda is `[&](...) ATOM_INLINE_LAMBDA { ... }`. A lambda
//   written in an ATOM_KERNEL has its target, so an inlined function that takes one is ATOM_KERNEL_INLINE, as are its
//   callers.
// - ATOM_MEMORY_BOUND, defined before this file: kernels that wait for memory and not for arithmetic. They have no
//   avx512 of their own, which halves what they cost to compile; ATOM_DISPATCH_MEMORY_BOUND calls them.
// - ATOM_INT8_DOT, defined before this file: the text of avx512 also uses avx512vnni; ATOM_DISPATCH_INT8 calls it.
// - ATOM_LANE_BYTES is the width of one register, ATOM_ISA_LEVEL is 0, 1 or 2.

#ifndef ATOM_KERNEL_TEXT
#error "define ATOM_KERNEL_TEXT before including each_isa.hpp"
#endif

// nvcc reads every file once more for the device, where a vector is an error.
#if !defined(__CUDA_ARCH__)

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#define ATOM_NO_CONTRACTION
#elif defined(__CUDACC__)  // drops the attributes of lambdas: their callers inline all instead, from -O1 on
#define ATOM_NO_CONTRACTION , optimize("fp-contract=off"), flatten
#else
#define ATOM_NO_CONTRACTION , optimize("fp-contract=off")
#endif

#define ATOM_INLINE_LAMBDA __attribute__((always_inline))

#define ATOM_ISA_LEVEL 0
#define ATOM_LANE_BYTES 16
#if defined(__clang__)
#define ATOM_KERNEL __attribute__((noinline))
#define ATOM_NATIVE ATOM_ALWAYS_INLINE
#else
#define ATOM_KERNEL __attribute__((noinline, optimize("Os") ATOM_NO_CONTRACTION))
#define ATOM_NATIVE ATOM_ALWAYS_INLINE
#endif
#define ATOM_KERNEL_INLINE ATOM_ALWAYS_INLINE
namespace atom::baseline {
#include ATOM_KERNEL_TEXT
}
#undef ATOM_ISA_LEVEL
#undef ATOM_LANE_BYTES
#undef ATOM_KERNEL
#undef ATOM_NATIVE
#undef ATOM_KERNEL_INLINE

#if defined(__x86_64__) && !ATOM_BASELINE_ONLY

#define ATOM_ISA_LEVEL 1
#define ATOM_LANE_BYTES 32
#define ATOM_KERNEL __attribute__((target("avx2,fma,f16c"), noinline ATOM_NO_CONTRACTION))
#if defined(__clang__)
#define ATOM_NATIVE __attribute__((target("avx2,fma,f16c"))) ATOM_ALWAYS_INLINE
#else
#define ATOM_NATIVE ATOM_ALWAYS_INLINE
#endif
#define ATOM_KERNEL_INLINE __attribute__((target("avx2,fma,f16c"))) ATOM_ALWAYS_INLINE
namespace atom::avx2 {
#include ATOM_KERNEL_TEXT
}
#undef ATOM_ISA_LEVEL
#undef ATOM_LANE_BYTES
#undef ATOM_KERNEL
#undef ATOM_NATIVE
#undef ATOM_KERNEL_INLINE

#if !defined(ATOM_MEMORY_BOUND)
#define ATOM_ISA_LEVEL 2
#define ATOM_LANE_BYTES 64
#if defined(ATOM_INT8_DOT)
#define ATOM_AVX512 "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
#else
#define ATOM_AVX512 "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"
#endif
#define ATOM_KERNEL __attribute__((target(ATOM_AVX512), noinline ATOM_NO_CONTRACTION))
#if defined(__clang__)
#define ATOM_NATIVE __attribute__((target(ATOM_AVX512))) ATOM_ALWAYS_INLINE
#else
#define ATOM_NATIVE ATOM_ALWAYS_INLINE
#endif
#define ATOM_KERNEL_INLINE __attribute__((target(ATOM_AVX512))) ATOM_ALWAYS_INLINE
namespace atom::avx512 {
#include ATOM_KERNEL_TEXT
}
#undef ATOM_AVX512
#undef ATOM_ISA_LEVEL
#undef ATOM_LANE_BYTES
#undef ATOM_KERNEL
#undef ATOM_NATIVE
#undef ATOM_KERNEL_INLINE
#endif

#endif  // x86-64

#if defined(__clang__)
#pragma STDC FP_CONTRACT DEFAULT
#endif
#undef ATOM_INLINE_LAMBDA
#undef ATOM_NO_CONTRACTION

#endif  // not for the device
#undef ATOM_KERNEL_TEXT
#undef ATOM_MEMORY_BOUND
#undef ATOM_INT8_DOT

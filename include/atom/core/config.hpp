// SPDX-License-Identifier: Apache-2.0
// Version, and the few compiler differences the library knows. Nothing else tests for a compiler.
#pragma once

#define ATOM_VERSION_MAJOR 0
#define ATOM_VERSION_MINOR 1
#define ATOM_VERSION_PATCH 0
#define ATOM_VERSION "0.1.0"

#if defined(__FAST_MATH__)
#error "atom computes the same bits everywhere; -ffast-math makes that impossible. Build without it."
#endif

// Set by the build (target atom::atom with ATOM_CUDA=ON): the CUDA backend exists and `Device` names it.
#ifndef ATOM_CUDA
#define ATOM_CUDA 0
#endif

// 1: CPU kernels for the baseline instruction set only. Slow programs that compile three times as fast: for debugging
// and sanitizers. All files of a program must agree.
#ifndef ATOM_BASELINE_ONLY
#define ATOM_BASELINE_ONLY 0
#endif

// 1: another file of the program compiles models::Transformer and models::FullTransformer of float and double, and what
// loads them, by `template` and what the ends of models/transformer.hpp and pretrained/load.hpp name.
#ifndef ATOM_EXTERN_MODELS
#define ATOM_EXTERN_MODELS 0
#endif

#define ATOM_ALWAYS_INLINE inline __attribute__((always_inline))

// A function that kernels inline: on the host into code of any instruction set (so it must never be a real call),
// on the device into a CUDA kernel. Every policy member, functor and vector helper carries it.
#if defined(__CUDACC__)
#define ATOM_HD __host__ __device__ ATOM_ALWAYS_INLINE
// Before a template whose host instantiation calls host-only vector operators from an ATOM_HD function.
#define ATOM_HD_QUIET _Pragma("nv_exec_check_disable")
#else
#define ATOM_HD ATOM_ALWAYS_INLINE
#define ATOM_HD_QUIET
#endif

// A host function outside the kernels whose scalar arithmetic must give the same bits under every compiler and flag:
// no contraction of a * b + c. Clang takes ATOM_EXACT_BODY as the first line of the body, g++ the attribute.
#if defined(__clang__)
#define ATOM_EXACT
#define ATOM_EXACT_BODY _Pragma("STDC FP_CONTRACT OFF")
#else
#define ATOM_EXACT __attribute__((optimize("fp-contract=off")))
#define ATOM_EXACT_BODY
#endif

// SPDX-License-Identifier: Apache-2.0
// Lanes<T>: sixteen values that a kernel works on at once, on every instruction set: atom::baseline::Lanes<T>,
// atom::avx2::Lanes<T>, atom::avx512::Lanes<T>. The interface is described in lanes.inl.
#pragma once

#include "../../core/types.hpp"
#include "isa.hpp"

#include <cmath>  // sqrt on processors without a kernel of their own
#include <concepts>
#include <limits>

// A loop over the registers of one Lanes, always unrolled, so that they stay registers.
#if defined(__CUDACC__)  // knows neither pragma
#define ATOM_UNROLL
#elif defined(__clang__)
#define ATOM_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define ATOM_UNROLL _Pragma("GCC unroll 16")
#else
#define ATOM_UNROLL
#endif

// A call of one of Native's functions. Clang goes through a constant pointer: it checks the target of an always_inline
// function at a direct call, also inside code (a policy) that is itself only ever inlined into a kernel of the right
// target. Under g++ a pointer's type would forget how vectors are aligned.
#if defined(__clang__)
#define ATOM_CALL_NATIVE(function) ::atom::detail::native<&function>
#else
#define ATOM_CALL_NATIVE(function) function
#endif

namespace atom::detail {

template <auto F> inline constexpr auto native = F;

template <class T>
concept Arithmetic = std::is_arithmetic_v<T>;

// The signed integer of the same size: what masks and bit patterns are made of.
template <class T> using BitsOf = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

template <class T> using FloatOf = std::conditional_t<sizeof(T) == 4, float, double>;

// From 8 - n on: a mask of the first n lanes.
template <class T> inline constexpr T first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

// A mask of a built-in function; g++ declares most of them signed.
#if defined(__clang__)
template <int count> inline constexpr unsigned all_lanes = (1U << count) - 1;
#else
template <int count> inline constexpr int all_lanes = -1;
#endif

#if ATOM_X86 && !defined(__clang__)
// g++ knows the built-in functions of an instruction set only after it has seen a function that uses the set.
__attribute__((target("avx2,fma,f16c"))) void declare_avx2();
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) void declare_avx512();
__attribute__((target("avx512f,avx512vnni"))) void declare_avx512vnni();
#endif

}  // namespace atom::detail

// g++ would note that a vector argument changes the ABI; none is ever passed, all of this is inlined.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#define ATOM_KERNEL_TEXT "native.inl"
#include "each_isa.hpp"
#define ATOM_KERNEL_TEXT "lanes.inl"
#include "each_isa.hpp"

#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

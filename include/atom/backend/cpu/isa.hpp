// SPDX-License-Identifier: Apache-2.0
// Which instruction set the CPU kernels run on: chosen once per process, at a kernel's edge, never by compiler flags.
// Kernels exist for baseline (any processor), avx2 and avx512; avx2 and avx512 give the same bits, baseline has no fma.
#pragma once

#include "../../core/error.hpp"

#include <atomic>
#include <cstdlib>  // getenv
#include <string_view>

// Other processors have the baseline kernels only.
#if defined(__x86_64__) && !ATOM_BASELINE_ONLY
#define ATOM_X86 1
#else
#define ATOM_X86 0
#endif

namespace atom {

enum class Isa : int { baseline, avx2, avx512 };

constexpr std::string_view name_of(Isa isa) {
  constexpr std::string_view names[] = {"baseline", "avx2", "avx512"};
  return names[static_cast<int>(isa)];
}
inline void append_text(std::string& text, Isa isa) { text += name_of(isa); }

// The widest set this processor and its operating system support.
inline Isa best_isa() {
#if ATOM_X86
  const auto has = [](int supported) { return supported != 0; };
  // Every processor with avx2 and fma has f16c.
  if (!has(__builtin_cpu_supports("avx2")) || !has(__builtin_cpu_supports("fma"))) return Isa::baseline;
  return has(__builtin_cpu_supports("avx512f")) && has(__builtin_cpu_supports("avx512bw")) &&
                 has(__builtin_cpu_supports("avx512dq")) && has(__builtin_cpu_supports("avx512vl"))
             ? Isa::avx512
             : Isa::avx2;
#else
  return Isa::baseline;
#endif
}

namespace detail {

inline Isa checked_isa(Isa wanted, std::string_view where) {
  check(wanted <= best_isa(), where, "the processor must support the instruction set: found at most ", best_isa(),
        ", wanted ", wanted);
  return wanted;
}

inline Isa first_isa() {
  const char* const text = std::getenv("ATOM_ISA");
  if (text == nullptr || *text == '\0') return best_isa();
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (text == name_of(isa)) return checked_isa(isa, "ATOM_ISA");
  }
  fail("ATOM_ISA", "the variable must be baseline, avx2 or avx512: found '", text, "'");
}

inline std::atomic<Isa>& isa_state() {
  static std::atomic<Isa> state = first_isa();
  return state;
}

}  // namespace detail

// The instruction set in use: the environment's ATOM_ISA if set, else the best. Throws Error if ATOM_ISA is not usable.
inline Isa isa() { return detail::isa_state().load(std::memory_order_relaxed); }

// Whether this processor has avx512's products of bytes; what needs them falls back to avx2.
inline bool has_int8_dot() {
#if ATOM_X86
  static const bool has = __builtin_cpu_supports("avx512vnni") != 0;
  return has;
#else
  return false;
#endif
}

// Changes it for the whole process, from the next kernel on. Throws Error if the processor lacks it.
inline void set_isa(Isa wanted) {
  detail::isa_state().store(detail::checked_isa(wanted, "set_isa"), std::memory_order_relaxed);
}

}  // namespace atom

// Returns atom::<isa>::kernel(args...) for the instruction set in use: the last statement of a function.
#if defined(__CUDA_ARCH__)  // no host code is made of this pass, and the kernels are not in it
#define ATOM_DISPATCH(kernel, ...) __builtin_unreachable()
#define ATOM_DISPATCH_MEMORY_BOUND(kernel, ...) __builtin_unreachable()
#define ATOM_DISPATCH_INT8(kernel, ...) __builtin_unreachable()
#elif ATOM_X86
#define ATOM_DISPATCH(kernel, ...)                                        \
  switch (::atom::isa()) {                                                \
    case ::atom::Isa::avx512: return ::atom::avx512::kernel(__VA_ARGS__); \
    case ::atom::Isa::avx2: return ::atom::avx2::kernel(__VA_ARGS__);     \
    default: return ::atom::baseline::kernel(__VA_ARGS__);                \
  }
// For kernels whose avx512 needs avx512vnni.
#define ATOM_DISPATCH_INT8(kernel, ...)                                       \
  switch (::atom::isa()) {                                                    \
    case ::atom::Isa::avx512:                                                 \
      if (::atom::has_int8_dot()) return ::atom::avx512::kernel(__VA_ARGS__); \
      [[fallthrough]];                                                        \
    case ::atom::Isa::avx2: return ::atom::avx2::kernel(__VA_ARGS__);         \
    default: return ::atom::baseline::kernel(__VA_ARGS__);                    \
  }
// For kernels that have no avx512 of their own (each_isa.hpp).
#define ATOM_DISPATCH_MEMORY_BOUND(kernel, ...)                                     \
  return ::atom::isa() != ::atom::Isa::baseline ? ::atom::avx2::kernel(__VA_ARGS__) \
                                                : ::atom::baseline::kernel(__VA_ARGS__)
#else
#define ATOM_DISPATCH(kernel, ...) return ::atom::baseline::kernel(__VA_ARGS__)
#define ATOM_DISPATCH_MEMORY_BOUND(kernel, ...) return ::atom::baseline::kernel(__VA_ARGS__)
#define ATOM_DISPATCH_INT8(kernel, ...) return ::atom::baseline::kernel(__VA_ARGS__)
#endif

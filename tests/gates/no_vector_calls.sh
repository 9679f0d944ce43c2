#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No function that takes or returns lanes is ever a real call: code for avx2 and for the baseline pass vectors in
# different places, so such a call gives silently wrong sums. Looks at the functions that objects built at -O0 and -O2
# define, and sees to it that a planted one is found.
# Usage: no_vector_calls.sh COMPILER [FLAGS]
set -eu
export LC_ALL=C
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: one instruction set here"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/kernels.cpp" <<'EOF'
#include <atom/backend/gemm.hpp>
#include <atom/backend/norm.hpp>
#include <atom/backend/softmax.hpp>
namespace atom {
template void gemm<float>(Cpu, const GemmShape&, GemmInput<float>, GemmInput<float>, GemmOutput<float>, bool,
                          const GemmEpilogue<float>&);
template void norm_forward<double>(Cpu, const NormForward<double>&);
template void norm_backward<double>(Cpu, const NormBackward<double>&);
template void softmax_forward<float>(Cpu, Index, Index, const float*, float*);
}
EOF
cat >"$scratch/planted.inl" <<'EOF'
template <class T> ATOM_KERNEL Lanes<T> planted(Lanes<T> a) { return a + a; }
template <class T> ATOM_KERNEL void caller(T* p) { planted(Lanes<T>::load(p)).store(p); }
EOF
cat >"$scratch/planted.cpp" <<'EOF'
#include <atom/backend/cpu/lanes.hpp>
#define ATOM_KERNEL_TEXT "planted.inl"
#include <atom/backend/cpu/each_isa.hpp>
template void atom::avx2::caller<float>(float*);
EOF

# The functions of an object with a vector by value in their demangled type.
vector_calls() {
  nm -C --defined-only "$1" | grep -E ' [tTwW] ' | grep -E '\(.*(Lanes<[a-z ]*>|Mask<[a-z ]*>|__vector\([0-9]*\))[,)]'
}

for level in -O0 -O2; do
  for unit in kernels planted; do
    "$@" -std=c++20 -Wno-psabi $level -I"$scratch" -c "$scratch/$unit.cpp" -o "$scratch/$unit$level.o"
  done
  nm "$scratch/kernels$level.o" | grep -q gemm_tile_kernel || { echo "no kernel in the object at $level"; exit 1; }
  if vector_calls "$scratch/kernels$level.o"; then
    echo "^ at $level these take vectors: make them ATOM_ALWAYS_INLINE"
    exit 1
  fi
  vector_calls "$scratch/planted$level.o" >/dev/null || { echo "a planted function was not found at $level"; exit 1; }
done
echo "no function takes vectors"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tests/bits/*.cpp print the same text from every compiler, optimisation level, instruction set and number of threads,
# and no object of theirs has a function that takes vectors: one must never be called across instruction sets.
# Usage: bits.sh ROOT [COMPILER...]; without compilers g++ and, where it is installed, clang++
set -eu
export LC_ALL=C
root=$1
shift
[ $# -gt 0 ] || set -- g++ $(command -v clang++ >/dev/null && echo clang++)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

isas=avx2
grep -qw avx2 /proc/cpuinfo || { echo "SKIPPED: the processor has no avx2"; exit 77; }
! grep -qw avx512vl /proc/cpuinfo || isas="avx2 avx512"

for source in "$root"/tests/bits/*.cpp; do
  for compiler; do
    for flags in "-O0" "-O2" "-O3" "-O2 -march=native"; do
      echo "$compiler $flags $source"
    done
  done
done >"$scratch/builds"

cat >"$scratch/build" <<'BUILD'
set -eu
name=$(echo "$*" | sed 's|/.*/||; s/[^A-Za-z0-9+]/_/g')
"$@" -std=gnu++20 -I"$root/include" -c -o "$scratch/$name.o"
"$1" "$scratch/$name.o" -pthread -o "$scratch/$name.program"
echo "built: $*"
BUILD
export root scratch
xargs -P "$(nproc)" -L 1 sh "$scratch/build" <"$scratch/builds"

# As no_vector_calls.sh, on all the kernels of a model.
for object in "$scratch"/*.o; do
  if nm -C --defined-only "$object" | grep -E ' [tTwW] .*\(.*(Lanes<[a-z ]*>|Mask<[a-z ]*>|__vector\([0-9]*\))[,)]'; then
    echo "^ emitted functions that take vectors, in $(basename "$object" .o)"
    exit 1
  fi
done

for source in "$root"/tests/bits/*.cpp; do
  stem=$(basename "$source" .cpp)
  first=
  for program in "$scratch"/*_"$stem"_cpp.program; do
    for isa in $isas; do
      for threads in 1 3; do
        run="$(basename "$program" .program), $isa, $threads threads"
        ATOM_ISA=$isa "$program" $threads >"$scratch/output"
        [ -s "$scratch/output" ] || { echo "$run: prints nothing"; exit 1; }
        [ -n "$first" ] || { first=$run; cp "$scratch/output" "$scratch/first"; cat "$scratch/first"; }
        cmp -s "$scratch/output" "$scratch/first" || {
          echo "other bits: $first (<) and $run (>)"
          diff "$scratch/first" "$scratch/output" | head -20
          exit 1
        }
        echo "same bits: $run"
      done
    done
  done
done

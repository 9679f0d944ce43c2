#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Foreign projects build and run with atom, without a warning.
# Usage: consumer.sh find_package|add_subdirectory|plain ROOT BUILD_DIR COMPILER
set -eu
kind=$1 root=$2 build=$3 compiler=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"

if [ "$kind" = plain ]; then
  # shellcheck disable=SC2086
  "$compiler" -std=c++20 $flags -I"$root/include" \
    "$root/tests/consumer/main.cpp" "$root/tests/consumer/other.cpp" -lfmt -pthread -o "$scratch/consumer"
else
  cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/log"
  cmake -S "$root/tests/consumer/$kind" -B "$scratch" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" \
    -Datom_ROOT="$scratch/prefix" -DFETCHCONTENT_FULLY_DISCONNECTED=ON
  cmake --build "$scratch"
fi
"$scratch/consumer"

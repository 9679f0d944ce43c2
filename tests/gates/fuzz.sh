#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds tests/fuzz/NAME_fuzz.cpp with libFuzzer and both sanitizers and lets it run; ends at the first crash, leak,
# timeout or input that makes it hold too much memory. A corpus grown here is kept and used again.
# Usage: fuzz.sh ROOT BUILD_FOLDER NAME SECONDS
set -eu
root=$1 build=$2/fuzz name=$3 seconds=$4
command -v clang++ >/dev/null || { echo "fuzz: skipped, there is no clang++"; exit 77; }
mkdir -p "$build/$name"
clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I"$root/include" \
  "$root/tests/fuzz/${name}_fuzz.cpp" -o "$build/${name}_fuzz"
[ ! -d "$root/tests/fuzz/seeds/$name" ] || cp "$root/tests/fuzz/seeds/$name"/* "$build/$name"
dictionary=
[ ! -f "$root/tests/fuzz/$name.dict" ] || dictionary="-dict=$root/tests/fuzz/$name.dict"
cd "$build"
# shellcheck disable=SC2086
./"${name}_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=64 -print_final_stats=1 \
  $dictionary "$name" 2>"$name.log" || { tail -40 "$name.log"; exit 1; }
awk -v name="$name" '/number_of_executed_units/ { runs = $2 } /peak_rss/ { rss = $2 }
  END { print "fuzz " name ": " runs " runs, 0 crashes, " rss " MB" }' "$name.log"

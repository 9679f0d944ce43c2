#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# CPU seconds of one #include at -O0, the least of two, against a budget. The budgets were set on a machine where the
# standard headers below take 0.9 s; a slower one gets more. Usage: include_cost.sh ROOT COMPILER...
set -eu
export LC_ALL=C
root=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Least user time of compiling $scratch/one.cpp.
seconds() {
  for _ in 1 2; do
    ("$@" -std=c++20 -O0 -I"$root/include" -c "$scratch/one.cpp" -o "$scratch/one.o" && times) | tail -1
  done | sed 's/^\([0-9]*\)m\([0-9.]*\)s.*/\1 \2/' | awk '{ print $1 * 60 + $2 }' | sort -n | sed -n 1p
}

printf '#include <%s>\n' algorithm atomic condition_variable memory mutex span string thread vector >"$scratch/one.cpp"
standard=$(seconds "$@")
echo "standard headers: $standard s"

wrong=0
hold() {
  name=$1 budget=$2 used=$(shift 2; seconds "$@")
  [ -n "$used" ] || { echo "$name: does not compile"; wrong=1; return; }
  awk -v name="$name" -v budget="$budget" -v used="$used" -v standard="$standard" 'BEGIN {
    if (standard > 0.9) budget *= standard / 0.9
    printf "%-24s %5.2f s of %.2f s\n", name, used, budget
    exit used > budget
  }' || wrong=1
}

# Threads cost 0.5 s by themselves: they have a header of their own.
(cd "$root/include" && ls atom/core/*.hpp | grep -v thread | sed 's/.*/#include <&>/') >"$scratch/one.cpp"
hold "core, without threads" 0.8 "$@"
echo '#include <atom/tensor/tensor.hpp>' >"$scratch/one.cpp"
hold "tensor/tensor.hpp" 1.8 "$@"
echo '#include <atom/atom.hpp>' >"$scratch/one.cpp"
hold "atom.hpp" 5 "$@"
exit $wrong

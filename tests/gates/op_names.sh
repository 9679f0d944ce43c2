#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every record<"NAME"> of the library has a case in the table that gradient checks and backends run through.
# Usage: op_names.sh ROOT
set -eu
export LC_ALL=C
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

grep -rhoE 'record<"[^"]+">' include/atom/ops include/atom/nn include/atom/models | sed 's/.*"\(.*\)".*/\1/' | sort -u >"$scratch/ops"
sed -n 's/^ *[{(]*"\([a-z0-9_]*\)".*/\1/p' tests/ops/op_cases.hpp | sort -u >"$scratch/cases"
missing=$(comm -23 "$scratch/ops" "$scratch/cases")
[ -n "$missing" ] || { echo "$(wc -l <"$scratch/ops") ops, all with cases"; exit 0; }
echo "no case in tests/ops/op_cases.hpp for:" $missing
exit 1

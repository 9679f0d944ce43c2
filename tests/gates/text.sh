#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# House rules that a search can hold. Usage: text.sh ROOT
set -eu
export LC_ALL=C
cd "$1"
wrong=0

# Prints what `grep` finds among the files of a `find` expression, under a title, and counts it as an error.
none() {
  title=$1 pattern=$2
  shift 2
  if find "$@" -type f -exec grep -nHE -e "$pattern" {} +; then
    echo "^ $title" >&2
    wrong=1
  fi
}

each() { find include examples tests -name '*.hpp' -o -name '*.inl' -o -name '*.cuh' -o -name '*.cpp'; }

for file in $(each; find CMakeLists.txt cmake tests examples -name CMakeLists.txt -o -name '*.cmake' -o -name '*.sh'); do
  sed -n 1,2p "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "$file: no SPDX line at its head"; wrong=1; }
done
for file in $(find include -name "*.hpp" ! -name each_isa.hpp -o -name "*.cuh"); do
  grep -q '^#pragma once$' "$file" || { echo "$file: no #pragma once"; wrong=1; }
done
for file in $(find include -type f); do
  lines=$(wc -l <"$file")
  [ "$lines" -le 300 ] || { echo "$file: $lines lines, more than 300"; wrong=1; }
done

none "nothing is downloaded: no addresses in build files" 'https?:|FetchContent|ExternalProject|DOWNLOAD' \
  CMakeLists.txt CMakePresets.json cmake tests examples '(' -name '*.cmake' -o -name CMakeLists.txt -o -name '*.json' ')'
none "a path of one machine" '(^|[^A-Za-z0-9_.}/])/(home|root|work|mnt)/' CMakeLists.txt CMakePresets.json README.md cmake include examples tests ! -name text.sh
none "unfinished" '(TODO|FIXME)' cmake include examples tests ! -name text.sh
none "changes the whole translation unit: use the function attribute" 'pragma GCC (target|optimize)' include
none "the instruction set is chosen at run time" 'march=|mavx' CMakeLists.txt CMakePresets.json cmake examples
exit $wrong

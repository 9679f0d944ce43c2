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

find CMakeLists.txt cmake examples include tests -name '*.[hc]pp' -o -name '*.inl' -o -name '*.cuh' -o -name '*.cmake' \
  -o -name CMakeLists.txt -o -name '*.sh' | sort | xargs awk '
  function complain(text) { print file ": " text; wrong = 1 }
  function finish() {
    if (!licence) complain("no SPDX line at its head")
    limit = file ~ /[.]inl$/ ? 400 : 300  # a kernel text holds all the variants of one kernel
    if (file ~ /^include\// && lines > limit) complain(lines " lines, more than " limit)
    # each_isa.hpp is read once for each kernel text, by design.
    if (file ~ /^include\/.*(hpp|cuh)$/ && file !~ /\/each_isa[.]hpp$/ && !once) complain("no #pragma once")
  }
  FNR == 1 { if (NR > 1) finish(); file = FILENAME; licence = once = 0 }
  FNR <= 2 && /SPDX-License-Identifier: Apache-2[.]0/ { licence = 1 }
  /^#pragma once$/ { once = 1 }
  { lines = FNR }
  END { finish(); exit wrong }' || wrong=1

none "nothing is downloaded: no addresses in build files" 'https?:|FetchContent_|ExternalProject|DOWNLOAD' \
  CMakeLists.txt CMakePresets.json cmake tests examples '(' -name '*.cmake' -o -name CMakeLists.txt -o -name '*.json' ')'
none "a path of one machine" '(^|[^A-Za-z0-9_.}/])/(home|root|work|mnt)/' \
  CMakeLists.txt CMakePresets.json cmake include examples tests ! -name text.sh
none "unfinished" '(TODO|FIXME)' cmake include examples tests ! -name text.sh
none "changes the whole translation unit: use the function attribute" 'pragma GCC (target|optimize)' include
none "the instruction set is chosen at run time" 'march=|mavx' CMakeLists.txt CMakePresets.json cmake examples
exit $wrong

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SOURCE compiles; with ATOM_MUST_FAIL defined it does not, and the compiler's message contains the text of the line
# `// must say: TEXT` in it. Usage: compile_fail.sh SOURCE COMPILER...
set -eu
source=$1
shift
text=$(sed -n 's|^// must say: ||p' "$source")
[ -n "$text" ] || { echo "$source: has no line '// must say: TEXT'"; exit 1; }

"$@" -std=c++20 -fsyntax-only "$source" || { echo "$source: the twin that must compile does not"; exit 1; }
if message=$("$@" -std=c++20 -fsyntax-only -DATOM_MUST_FAIL "$source" 2>&1); then
  echo "$source: compiles with ATOM_MUST_FAIL"
  exit 1
fi
printf '%s\n' "$message" | grep -qF -e "$text" && exit
printf '%s\n' "$message" | head -40
echo "$source: the compiler does not say '$text'"
exit 1

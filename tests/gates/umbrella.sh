#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# atom.hpp is the sorted list of all public headers. Not in it: a backend's own files, the parts of chat templates, whole
# models of files, what reaches the JSON parser or fmt.
# Usage: umbrella.sh ROOT [--write]
set -eu
export LC_ALL=C
cd "$1"
umbrella=include/atom/atom.hpp

wanted() {
  find include/atom -name '*.hpp' ! -path $umbrella ! -path 'include/atom/backend/c*/*' ! -path 'include/atom/io/jinja/*' \
    ! -path 'include/atom/pretrained/*' | sort >"$scratch/headers"
  # shellcheck disable=SC2046
  awk -f tests/gates/include_edges.awk $(find include/atom -name '*.hpp' ! -path $umbrella) | awk '
    { user[NR] = $1; used[NR] = $2 }
    $2 ~ /^<(nlohmann|fmt)\// { foreign[$1] = 1 }
    END {
      do {
        found = 0
        for (i = 1; i <= NR; ++i) if (used[i] in foreign && !(user[i] in foreign)) { foreign[user[i]] = 1; found = 1 }
      } while (found)
      for (file in foreign) print file
    }' | sort >"$scratch/foreign"
  comm -23 "$scratch/headers" "$scratch/foreign" | sed 's|^include/atom/\(.*\)$|#include "\1"|'
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wanted >"$scratch/wanted"
if [ "${2:-}" = --write ]; then
  { sed '/^#include/,$d' $umbrella; cat "$scratch/wanted"; } >"$scratch/umbrella"
  cat "$scratch/umbrella" >$umbrella
fi
grep '^#include' $umbrella >"$scratch/found"
diff "$scratch/found" "$scratch/wanted" && exit
echo "include/atom/atom.hpp (<) is not the sorted list of public headers (>): sh tests/gates/umbrella.sh . --write" >&2
exit 1

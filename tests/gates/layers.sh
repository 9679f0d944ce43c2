#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes point down only, and each foreign library stays in its place. Usage: layers.sh ROOT
set -eu
cd "$1"
# shellcheck disable=SC2046
awk -f tests/gates/include_edges.awk $(find include/atom -type f) | awk '
  BEGIN {
    split("core policy backend tensor autograd ops nn models,optim,data,io,sample pretrained,run", rows, " ")
    for (row = 1; row in rows; ++row) {
      count = split(rows[row], folders, ",")
      for (i = 1; i <= count; ++i) level[folders[i]] = row
    }
    level["atom.hpp"] = row

    # Foreign headers: the first pattern that fits the name says which files may include it.
    rule("^<(cu|cooperative_groups|nv|mma)[a-zA-Z0-9_]*([.]h|/.*)?>$", "^backend/cuda/")
    rule("^<nlohmann/", "^io/")
    rule("^<fmt/", "^tensor/format[.]hpp$")
    rule("^<[a-z]+intrin[.]h>$", "^backend/cpu/")
    rule("^<(pthread|sched)[.]h>$", "^core/")
    rule("^<(unistd|fcntl|dirent|sys/[a-z]+)[.]h>$", "^(core|backend/cpu|io|data|run)/")
    rule("^<(iostream|print|syncstream|regex|locale|csignal|omp[.]h)>$", "^$")
    rule("^<[a-z0-9_]+>$", "")
  }
  function rule(name, place) { names[++rules] = name; places[rules] = place }
  function wrong(why) { printf "%s:%d: includes %s: %s\n", $1, $3, $2, why; ++errors }
  function inside(path) { sub(/^include\/atom\//, "", path); return path }
  function folder(path) { sub(/\/.*/, "", path); return path }
  function part(path) { return match(path, /^backend\/(cpu|cuda)\//) ? substr(path, 9, RLENGTH - 9) : "" }
  {
    from = inside($1)
    if (!(folder(from) in level)) { print $1 ": is in a folder that is no layer"; ++errors; next }
    if ($2 ~ /^</) {
      for (i = 1; i <= rules && $2 !~ names[i]; ++i) {}
      if (i > rules) wrong("a library that no header may use")
      else if (from !~ places[i]) wrong("belongs in " (places[i] == "^$" ? "no header" : places[i]) " only")
      next
    }
    to = inside($2)
    if (to == $2) wrong("is outside include/atom")
    else if (!(folder(to) in level)) wrong("is in no layer")
    else if (level[folder(to)] > level[folder(from)]) wrong("lies above")
    else if (level[folder(to)] == level[folder(from)] && folder(to) != folder(from)) wrong("is a sibling")
    else if (part(to) != "" && folder(from) != "backend" && to !~ /\/isa[.]hpp$/) wrong("is an inner file of a backend: include backend/ itself")
    else if (part(to) != "" && part(from) != "" && part(to) != part(from)) wrong("is the other backend")
  }
  END {
    printf "%d includes checked, %d against the rules\n", NR, errors
    exit errors > 0 || NR == 0
  }'

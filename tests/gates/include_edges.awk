# SPDX-License-Identifier: Apache-2.0
# Reads sources; prints `FILE TARGET LINE` for each #include. TARGET is a path in the tree, or <name> of another library.
function normal(path,   n, part, kept, i, result) {
  n = split(path, part, "/")
  kept = 0
  for (i = 1; i <= n; ++i) {
    if (part[i] == ".." && kept > 0) --kept
    else if (part[i] != "." && part[i] != "") stack[++kept] = part[i]
  }
  result = stack[1]
  for (i = 2; i <= kept; ++i) result = result "/" stack[i]
  return result
}
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
  match($0, /["<][^">]*/)
  name = substr($0, RSTART + 1, RLENGTH - 1)
  quoted = substr($0, RSTART, 1) == "\""
  folder = FILENAME
  sub(/[^\/]*$/, "", folder)
  if (name ~ /^atom\//) target = "include/" name
  else if (quoted) target = normal(folder name)
  else target = "<" name ">"
  print FILENAME, target, FNR
}

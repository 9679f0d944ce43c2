#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Saving a folder and a file loses nothing that was saved: killed at every system call of a save, with every write, fsync
# and rename refused (disk full, input/output error), and on a disk that is full. What is refused says so in one sentence
# and leaves no temporary; what a killed writer left is gone after the next save. Needs strace (77: skipped without).
# Usage: crash_safety.sh ROOT COMPILER
set -eu
root=$1 compiler=$2
command -v strace >/dev/null || { echo "crash_safety: skipped, there is no strace"; exit 77; }
shared=/dev/shm  # a fault does not care for the disk, and memory is faster
[ -w $shared ] || shared=${TMPDIR:-/tmp}
work=$(mktemp -d -p $shared)
trap 'umount "$work/disk" 2>/dev/null || true; rm -rf "$work"' EXIT
loop=$work/save_loop dir=$work/saves points=0
"$compiler" -std=c++20 -O0 -I"$root/include" "$root/tests/crash/save_loop.cpp" -o "$loop"
fail() { echo "crash_safety: $*" >&2; exit 1; }

# Steps 1 to 3 under strace with the fault; step 4 after it.
attempt() {
  rm -rf "$dir"
  mkdir "$dir"
  code=0
  strace -qq -o "$work/trace" -e "trace=$1" -e "inject=$1:$2:when=$3" "$loop" save "$dir" 1 3 >"$work/out" 2>"$work/err" || code=$?
  saved=$(sed -n 's/^saved //p' "$work/out" | tail -1)
  "$loop" check "$dir" "${saved:-0}" || fail "after $2 at call $3 of $1"
}
next_save() {
  "$loop" save "$dir" $((${saved:-0} + 1)) 4 >/dev/null || fail "$1: no save after it"
  "$loop" check "$dir" 4 || fail "$1: the save after it"
  [ -z "$(find "$dir" -name '*.tmp-*')" ] || fail "$1: left behind: $(find "$dir" -name '*.tmp-*')"
}

# Killed: the first two saves cover every state, so stop when the third one is reached.
calls=openat,write,fsync,rename,renameat2,mkdir,flock,close,unlink,unlinkat
n=1
while attempt $calls signal=KILL $n; [ $code = 137 ] && [ "${saved:-0}" -lt 2 ]; do
  next_save "killed at call $n"
  n=$((n + 1)) points=$((points + 1))
done
[ $n -gt 40 ] || fail "strace killed nothing: exit code $code"

for fault in write:ENOSPC write:EIO fsync:EIO rename:EIO mkdir:ENOSPC openat:EMFILE; do
  call=${fault%:*} error=${fault#*:} n=1
  while attempt "$call" "error=$error" $n; grep -q INJECTED "$work/trace"; do
    if [ $code = 0 ]; then
      [ "$call" != openat ] || { n=$((n + 1)); continue; }  # of a library that is also found elsewhere
      grep -q "^write(1, .*INJECTED" "$work/trace" || fail "$error of $call $n went unnoticed"
    elif [ $code = 1 ] && [ "$call" != openat ]; then
      [ "$(wc -l <"$work/err")" = 1 ] || fail "$error of $call $n: not one sentence: $(cat "$work/err")"
      [ -z "$(find "$dir" -name '*.tmp-*')" ] || fail "$error of $call $n left $(find "$dir" -name '*.tmp-*')"
    fi
    next_save "$error of $call $n"
    n=$((n + 1)) points=$((points + 1))
    [ "${saved:-0}" -lt 2 ] || break
  done
done

# For a power loss: whatever is renamed is durable before, and the rename is before "saved" is said.
rm -rf "$dir"
mkdir "$dir"
strace -qq -y -o "$work/trace" -e trace=write,fsync,rename,renameat2 "$loop" save "$dir" 1 2 >/dev/null
awk -F'[<>"]' '
  function bad(why) { print "crash_safety: " why ": " $0; failed = 1; exit 1 }
  /^write\(1</ { for (folder in renamed) bad(folder " is not durable"); ++saves; next }
  /^write\(/ { unsafe[$2] = 1 }
  /^fsync\(/ { delete unsafe[$2]; delete renamed[$2]; ++syncs }
  /^rename/ {
    for (file in unsafe) if (index(file, $2) == 1) bad(file " is not durable")
    sub("/[^/]*$", "", $4); renamed[$4] = 1
  }
  END { if (!failed && (saves != 2 || syncs < 10)) { print "crash_safety: the trace does not show the saves"; exit 1 } }
' "$work/trace" >&2

# Signals that interrupt every second call are not noticed.
rm -rf "$dir"
mkdir "$dir"
strace -qq -o "$work/trace" -e trace=fsync -e inject=fsync:error=EINTR:when=1+2 "$loop" save "$dir" 1 1 >/dev/null ||
  fail "an interrupted fsync"
"$loop" check "$dir" 1 || fail "an interrupted fsync"

# A disk with room for two saves and a half. Mounting needs root.
full=
mkdir "$work/disk"
if mount -t tmpfs -o size=192k tmpfs "$work/disk" 2>/dev/null; then
  dir=$work/disk code=0
  "$loop" save "$dir" 1 9 >"$work/out" 2>"$work/err" || code=$?
  saved=$(sed -n 's/^saved //p' "$work/out" | tail -1)
  [ $code = 1 ] && [ "${saved:-0}" -gt 0 ] || fail "a full disk: exit code $code after save ${saved:-0}"
  grep -q "No space left on device" "$work/err" || fail "a full disk: $(cat "$work/err")"
  [ -z "$(find "$dir" -name '*.tmp-*')" ] || fail "a full disk: left $(find "$dir" -name '*.tmp-*')"
  "$loop" check "$dir" "$saved" || fail "a full disk"
  full=", and a full disk"
fi
echo "crash_safety: $points faults$full, nothing lost"

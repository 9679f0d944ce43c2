#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checkpoints survive what machines do: a kill at every system call of a save, an error of every one, a full disk, and
# kills at random moments. After each: no completed checkpoint is lost, none that is found is damaged, and the resumed
# run ends on the same bits. Needs strace (77: skipped without). Usage: crash.sh ROOT BUILD [RANDOM_KILLS]
set -eu
root=$1 kills=${3:-100}
command -v strace >/dev/null || { echo "crash: skipped, no strace"; exit 77; }
shared=/dev/shm  # a fault does not care for the disk, and memory is faster
[ -w $shared ] || shared=${TMPDIR:-/tmp}
work=$(mktemp -d -p $shared)
trap 'umount "$work/full" 2>/dev/null || true; rm -rf "$work"' EXIT
run=$work/crash_run dir=$work/run
${CXX:-c++} -std=c++20 -O1 -I"$root/include" "$root/tests/slow/crash_run.cpp" -o "$run" -pthread

fail() { echo "crash: FAILED: $*"; exit 1; }
at_step() { "$run" - "$1" | sed -n 's/^result //p'; }

# The folder after a fault: $1 says which, $2 the step that was complete before.
expect_sound() {
  safe=$(sed -n 's/^saved //p' "$work/out" | tail -1)
  newest=$("$run" "$dir" newest 2>"$work/skipped") || fail "$1: $(cat "$work/skipped")"
  [ ! -s "$work/skipped" ] || fail "$1: damaged under a final name: $(cat "$work/skipped")"
  [ "$newest" -ge "${safe:-$2}" ] || fail "$1: step ${safe:-$2} was complete, newest is $newest"
  next=$((newest + 1))
  "$run" "$dir" $next >"$work/resumed" || fail "$1: cannot be resumed"
  [ "$(sed -n 's/^result //p' "$work/resumed")" = "$(at_step $next)" ] || fail "$1: other bits after resuming"
  leftovers=$(find "$dir" -name '*.tmp-*')
  [ -z "$leftovers" ] || fail "$1: left behind: $leftovers"
  [ "$(wc -l <"$dir/metrics.jsonl")" = $next ] || fail "$1: metrics.jsonl does not have $next lines"
}

"$run" "$work/before" 2 >/dev/null
fresh() { rm -rf "$dir"; cp -r "$work/before" "$dir"; }

# Each call that one step with its save makes, one fault at a time. The step also removes an old checkpoint.
points=0
for call in openat write fsync rename renameat2 mkdir unlink unlinkat rmdir flock ftruncate truncate getdents64; do
  for fault in signal=KILL error=EIO error=ENOSPC; do
    n=1
    while :; do
      fresh
      code=0
      strace -f -qq -o "$work/trace" -e trace=$call -e inject=$call:$fault:when=$n "$run" "$dir" 3 \
        >"$work/out" 2>"$work/err" || code=$?
      [ $code = 137 ] || grep -q INJECTED "$work/trace" || break
      [ $code = 0 ] || [ $code = 137 ] || [ -s "$work/err" ] || fail "$fault at $call $n: exit $code without a word"
      [ $code = 127 ] || expect_sound "$fault at $call $n" 2  # 127: the program could not even be loaded
      n=$((n + 1)) points=$((points + 1))
    done
  done
done
echo "crash: $points faults at single system calls, nothing lost"

# A disk that is full after 32, 64, ... KiB. Mounting needs root.
mkdir "$work/full"
sizes=0
if mount -t tmpfs -o size=1m tmpfs "$work/full" 2>/dev/null; then
  umount "$work/full"
  dir=$work/full/run
  for size in $(seq 64 32 448); do
    mount -t tmpfs -o size="$size"k tmpfs "$work/full"
    code=0
    "$run" "$dir" 9 >"$work/out" 2>"$work/err" || code=$?
    [ $code = 0 ] || grep -q 'No space left on device' "$work/err" || fail "$size KiB: $(cat "$work/err")"
    mount -o remount,size=4m "$work/full"
    expect_sound "disk of $size KiB" -1
    umount "$work/full"
    sizes=$((sizes + 1))
  done
fi
echo "crash: $sizes sizes of a full disk, nothing lost"

dir=$work/random safe=0 seed=1
for i in $(seq "$kills"); do
  "$run" "$dir" 1000000 >"$work/out" 2>"$work/err" &
  process=$!
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  sleep "0.$(printf %03d $((seed / 65536 % 400)))"
  kill -9 $process 2>/dev/null || fail "random kill $i: $(cat "$work/err")"
  wait $process 2>/dev/null || true
  now=$(sed -n 's/^saved //p' "$work/out" | tail -1)
  safe=${now:-$safe}
  newest=$("$run" "$dir" newest 2>"$work/skipped") || fail "random kill $i"
  [ ! -s "$work/skipped" ] || fail "random kill $i: $(cat "$work/skipped")"
  [ "$newest" -ge "$safe" ] || [ "$safe" = 0 ] || fail "random kill $i: step $safe was complete, newest is $newest"
done
expect_sound "random kills" "$safe"
echo "crash: $kills random kills up to step $newest, nothing lost"

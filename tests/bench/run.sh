#!/bin/sh
# One bench or all: sh tests/bench/run.sh [NAME...]    names: bring-up restart control cli run task blob start-method log idle
# Builds optimized into build-bench/, prints one JSON line per figure. $DROVER_BENCH_SMOKE=1: small sizes, to see that
# the benches work. Run as root on a quiet machine for figures worth quoting.
set -eu
cd "$(dirname "$0")/../.."
build=$PWD/build-bench
[ -d "$build" ] || meson setup "$build" --buildtype=release >/dev/null
ninja -C "$build" >/dev/null
DESTDIR=$build/root meson install -C "$build" --no-rebuild >/dev/null
DROVER_BENCH_TINY=$build/tests/helper/tiny
DROVER_BENCH_DROVERD=$build/root/usr/sbin/droverd
DROVER_BENCH_DROVERCTL=$build/root/usr/bin/droverctl
DROVER_BENCH_MODULE=$build/tests/helper/task-module.so
DROVER_BENCH_PYTHON=${DROVER_BENCH_PYTHON:-/usr/bin/python3} # Debian's own
DROVER_BENCH_TASK_PEER=$PWD/tests/bench/bench-task-peer.py
DROVER_BENCH_START_PEER=$PWD/tests/bench/bench-start-method-peer.py
DROVER_BENCH_BALLAST_SO=$build/tests/bench/ballast.so
export DROVER_BENCH_START_PEER DROVER_BENCH_BALLAST_SO
export DROVER_BENCH_TINY DROVER_BENCH_DROVERD DROVER_BENCH_DROVERCTL DROVER_BENCH_MODULE DROVER_BENCH_PYTHON DROVER_BENCH_TASK_PEER
status=0
[ $# -gt 0 ] || set -- bring-up restart control cli run task blob start-method log idle
for name in "$@"; do
        [ "$name" != storm ] || name=bring-up
        [ -x "$build/tests/bench/bench-$name" ] || { echo "no bench '$name'" >&2; exit 2; }
        "$build/tests/bench/bench-$name" || status=1
done
exit $status

#!/bin/sh
# All tests: sh tests/run.sh [STEP...]     steps: style gcc clang sanitize valgrind system bench
# Installs what is missing, builds in build-test/, runs the steps in the order of cheap to dear, and ends with
# "N passed, N failed, N skipped". Exit status 0 only when nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
out=${DROVER_TEST_BUILD:-$top/build-test}
mkdir -p "$out"

passed=0 failed=0 skipped=0

say() { printf '\n== %s\n' "$*"; }

# count NAME STATUS: one check of our own. 77 is "cannot run here", and says why itself.
count() {
        case $2 in
        0) passed=$((passed + 1)); echo "ok      $1" ;;
        77) skipped=$((skipped + 1)); echo "skipped $1" ;;
        *) failed=$((failed + 1)); echo "FAILED  $1 (status $2)" ;;
        esac
}

# configure DIR ARGS...
configure() {
        dir=$1
        shift
        if [ -d "$dir" ]; then
                meson setup --reconfigure "$dir" "$@" >"$dir.setup.log" 2>&1 || return 1
        else
                meson setup "$dir" "$@" >"$dir.setup.log" 2>&1 || { rm -rf "$dir"; return 1; }
        fi
}

# build NAME DIR ARGS...: configure and compile; a failure is one failed check
build() {
        name=$1 dir=$2
        shift 2
        if configure "$dir" "$@" && ninja -C "$dir" >"$dir.build.log" 2>&1; then
                count "$name: build" 0
                return 0
        fi
        cat "$dir.setup.log"
        [ ! -e "$dir.build.log" ] || tail -n 60 "$dir.build.log"
        count "$name: build" 1
        return 1
}

# suites NAME DIR MESON-TEST-ARGS...: run tests, print what failed, add meson's own counts
suites() {
        name=$1 dir=$2 log=$out/$1.test.log
        shift 2
        meson test -C "$dir" --no-rebuild --print-errorlogs "$@" >"$log" 2>&1
        n_ok=$(sed -n 's/^Ok: *\([0-9]*\).*/\1/p' "$log" | tail -n 1)
        n_skip=$(sed -n 's/^Skipped: *\([0-9]*\).*/\1/p' "$log" | tail -n 1)
        n_fail=$(sed -n 's/^\(Fail\|Timeout\|Unexpected Pass\): *\([0-9]*\).*/\2/p' "$log" | awk '{n += $1} END {print n + 0}')
        if [ -z "$n_ok" ]; then
                cat "$log"
                count "$name: meson test" 1
                return
        fi
        [ "$n_fail" = 0 ] || cat "$log"
        # What was skipped, and why: a test says "skipped: REASON" itself.
        if [ "${n_skip:-0}" != 0 ]; then
                grep -E '^ *[0-9]+/[0-9]+ .* SKIP' "$log"
                grep -hE '^ *skipped: ' "$dir"/meson-logs/testlog*.txt | sort | uniq -c
        fi
        passed=$((passed + n_ok)) failed=$((failed + n_fail)) skipped=$((skipped + ${n_skip:-0}))
        echo "$name: $n_ok passed, $n_fail failed, ${n_skip:-0} skipped"
}

step_style() {
        say "style"
        for t in tests/style/check-*; do
                "$t" >"$out/style.log" 2>&1
                r=$?
                [ $r = 0 ] || cat "$out/style.log"
                count "${t#tests/}" $r
        done
}

step_gcc() {
        say "gcc, -Werror: every suite"
        build gcc "$out/gcc" -Dwerror=true --buildtype=debugoptimized &&
                suites gcc "$out/gcc" --timeout-multiplier 4
}

step_clang() {
        say "clang, -Werror: unit"
        CC=clang build clang "$out/clang" -Dwerror=true --buildtype=debugoptimized &&
                suites clang "$out/clang" --suite unit --timeout-multiplier 4
}

step_sanitize() {
        say "ASan + UBSan, leaks on: every suite but bench, most stories in one way"
        # Reports go to files: one of a daemon that is started again, or whose stderr nobody reads, counts all the same.
        # The place can be reached by every user.
        reports=$(mktemp -d "${TMPDIR:-/tmp}/drover-reports-XXXXXX") && chmod 1777 "$reports" || exit 1
        ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:abort_on_error=0:log_path=$reports/report
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$reports/report
        export ASAN_OPTIONS UBSAN_OPTIONS
        build sanitize "$out/sanitize" -Dwerror=true --buildtype=debug -Db_sanitize=address,undefined -Db_lundef=false &&
                suites sanitize "$out/sanitize" --no-suite style --no-suite bench --no-suite variant --timeout-multiplier 8
        unset ASAN_OPTIONS UBSAN_OPTIONS
        [ -z "$(ls "$reports")" ]
        r=$?
        [ $r = 0 ] || cat "$reports"/*
        count "sanitize: no report of any program" $r
        rm -rf "$reports"
}

step_valgrind() {
        say "valgrind: unit"
        build gcc "$out/gcc" -Dwerror=true --buildtype=debugoptimized || return
        for t in $(meson test -C "$out/gcc" --list --suite no-valgrind 2>/dev/null | sed -n 's|.* / ||p'); do
                echo "$t: this valgrind knows no pidfd_open(2) and clone3(2), its program runs natively in the other steps"
                count "valgrind: $t" 77
        done
        export DROVER_TEST_VALGRIND=1
        suites valgrind "$out/gcc" --suite unit --no-suite no-valgrind --timeout-multiplier 10 --logbase valgrind \
                --wrap='valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 --child-silent-after-fork=yes'
        unset DROVER_TEST_VALGRIND
}

# lines STATUS LOG: add the "ok NAME" and "FAILED NAME" lines of a script that counts its own checks
lines() {
        cat "$2"
        n_ok=$(grep -c '^ok ' "$2")
        n_fail=$(grep -c '^FAILED ' "$2")
        [ "$1" = 0 ] || [ "$n_fail" != 0 ] || n_fail=1
        passed=$((passed + n_ok)) failed=$((failed + n_fail))
}

step_system() {
        say "installed below a prefix of its own"
        sh tests/system/install.sh "$out/system" >"$out/install.log" 2>&1
        lines $? "$out/install.log"
        say "systemd, booted in a container"
        sh tests/system/run.sh "$out/system" >"$out/system.log" 2>&1
        r=$?
        if [ $r = 77 ]; then
                cat "$out/system.log"
                count "system" 77
        else
                lines $r "$out/system.log"
        fi
}

step_bench() {
        say "bench, smoke run"
        DROVER_BENCH_SMOKE=1 sh tests/bench/run.sh >"$out/bench.log" 2>&1
        r=$?
        cat "$out/bench.log"
        count "bench smoke run" $r
}

sh conf/setup.sh build demo test || exit 1
[ $# -gt 0 ] || set -- style gcc clang sanitize valgrind system bench
for step in "$@"; do
        case $step in
        style | gcc | clang | sanitize | valgrind | system | bench) "step_$step" ;;
        *) echo "run.sh: unknown step '$step'" >&2; exit 2 ;;
        esac
done
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]

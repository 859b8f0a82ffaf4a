#!/bin/sh
# What `meson install` puts below a prefix of its own, and that the installed programs and library work from there when
# the tree they were built in is gone. (tests/install looks at the usual prefix, below a DESTDIR.)
# sh tests/system/install.sh [WORKDIR]
# Prints "ok NAME" or "FAILED NAME" a check; exit status 1 when one failed. Needs no root.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=${1:-$PWD/build-test/system}
mkdir -p "$work"
work=$(cd "$work" && pwd)
prefix=$work/prefix
failed=0

ok() { echo "ok      install: $1"; }
bad() { echo "FAILED  install: $1"; failed=1; }
# check NAME COMMAND...: the command decides; what it said is shown when it failed
check() {
        name=$1
        shift
        if "$@" >"$work/check.log" 2>&1; then ok "$name"; else bad "$name"; cat "$work/check.log"; fi
}

put_in_place() {
        meson setup "$work/other" --prefix="$prefix" --buildtype=debugoptimized --strip -Dtests=false &&
                ninja -C "$work/other" && meson install -C "$work/other" --no-rebuild
}

# LIB is the library directory.
below_prefix() {
        cat <<'EOF'
bin/droverctl
include/drover.h
LIB/libdrover.so
LIB/libdrover.so.0
LIB/libdrover.so.0.1.0
LIB/pkgconfig/drover.pc
lib/sysusers.d/drover.conf
lib/tmpfiles.d/drover.conf
libexec/drover/drover-host
libexec/drover/drover-keeper
libexec/drover/drover-logger
sbin/droverd
share/bash-completion/completions/droverctl.bash
share/doc/drover/examples/README.md
share/doc/drover/examples/basics.c
share/doc/drover/examples/create.c
share/doc/drover/examples/daemonic.c
share/doc/drover/examples/exceptions.c
share/doc/drover/examples/invert.c
share/doc/drover/examples/json.sh
share/doc/drover/examples/lifecycle.c
share/doc/drover/examples/math.c
share/doc/drover/examples/picture.c
share/doc/drover/examples/processes.sh
share/doc/drover/examples/sizes.sh
share/doc/drover/examples/speedup.c
share/doc/drover/examples/start-methods.c
share/doc/drover/examples/stats.c
share/doc/drover/examples/sum-tasks.c
share/doc/drover/examples/sums.c
share/doc/drover/examples/sums.sh
share/doc/drover/examples/tasks.sh
share/doc/drover/examples/threads.c
share/doc/drover/examples/workers/own-main.c
share/doc/drover/examples/workers/template.py
share/doc/drover/examples/workers/worker.js
share/doc/drover/examples/workers/worker.py
share/doc/drover/examples/workers/worker.sh
share/doc/drover/relax.conf
share/drover/logrotate.example
share/drover/schema.json
share/fish/vendor_completions.d/droverctl.fish
share/man/man1/droverctl.1
share/man/man3/libdrover.3
share/man/man5/drover.json.5
share/man/man7/drover-protocol.7
share/man/man8/droverd.8
share/zsh/site-functions/_droverctl
EOF
}
below_etc() {
        printf 'etc/drover/%s\n' drover.json
        printf 'etc/drover/pools.d/%s.json.example\n' hooks isolated notify order recycle reload shell web workers
}
units() { printf 'lib/systemd/system/droverd.%s\n' service socket; }

# holds_exactly LIB: the files below the prefix are those of the lists
holds_exactly() {
        {
                below_prefix | sed "s|^LIB|$1|"
                below_etc
                units
        } | sort >"$work/expected"
        (cd "$prefix" && find . ! -type d | sed 's|^\./||' | sort) >"$work/found"
        diff -u "$work/expected" "$work/found"
}

rm -rf "$prefix" "$work/other"
check "builds for another prefix" put_in_place
lib=$(cd "$prefix" && find lib -name libdrover.so | sed 's|/libdrover.so$||')
check "every file is below the prefix" holds_exactly "$lib"
rm -rf "$work/other"
check "nothing installed names the tree it was built in" sh -c '! grep -rlF -e "$1/other" -e "$PWD/client" -e "$PWD/daemon" "$2"' sh "$work" "$prefix"
check "the unit starts the installed program" grep -qx "ExecStart=$prefix/sbin/droverd" "$prefix/lib/systemd/system/droverd.service"
check "the default configuration has no fault" "$prefix/sbin/droverd" --check -c "$prefix/etc/drover/drover.json"
check "completion is a script" bash -n "$prefix/share/bash-completion/completions/droverctl.bash"
check "the schema is JSON" jq -e .properties "$prefix/share/drover/schema.json"

# A daemon of its own: the three programs find each other below the prefix.
here=$(mktemp -d "${TMPDIR:-/tmp}/drover-install-XXXXXX") || exit 1
daemon=
finish() {
        [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
        wait
        rm -rf "$here"
}
trap finish EXIT
trap 'exit 1' INT TERM
mkdir "$here/pools.d"
echo "{\"log_dir\":\"$here/log\",\"state_dir\":\"$here/state\"}" >"$here/drover.json"
export DROVER_SOCKET="$here/control.sock"
unset DROVER_LIBEXEC
(cd / && exec env -i PATH=/usr/bin:/bin HOME="$here" "$prefix/sbin/droverd" -S "$DROVER_SOCKET" -c "$here/drover.json") >"$here/log.txt" 2>&1 &
daemon=$!
cd "$here" || exit 1
tries=0
until "$prefix/bin/droverctl" info >/dev/null 2>&1 || [ $tries = 200 ]; do
        tries=$((tries + 1))
        sleep 0.05
done
check "the installed daemon answers" "$prefix/bin/droverctl" info
check "a command runs under it" [ "$("$prefix/bin/droverctl" run -- /bin/echo it works 2>&1)" = "it works" ]
check "its helpers are the installed ones" sh -c 'for p in keeper_pid:libexec/drover/drover-keeper logger_pid:libexec/drover/drover-logger pid:sbin/droverd; do
        [ "$(readlink "/proc/$("$1/bin/droverctl" -o json info | jq ".${p%%:*}")/exe")" = "$1/${p#*:}" ] || exit 1; done' sh "$prefix"

# A client written elsewhere, with what pkg-config says.
cat >client.c <<'EOF'
#include <drover.h>
#include <stdio.h>

int main(void) {
        drover_client *client = NULL;
        drover_error *error = NULL;
        json_t *result = NULL;

        if (drover_connect(&client, NULL, &error) < 0 || drover_call(client, "daemon.info", NULL, -1, &result, &error) < 0)
                return 1;
        puts(json_string_value(json_object_get(result, "version")));
        json_decref(result);
        drover_close(client);
        return 0;
}
EOF
check "a client compiles against the installed library" sh -c \
        'PKG_CONFIG_PATH=$1/pkgconfig; export PKG_CONFIG_PATH; cc -Wall -Wextra -Werror -o client client.c $(pkg-config --cflags --libs drover)' sh "$prefix/$lib"
check "and is answered" sh -c '[ "$(LD_LIBRARY_PATH=$1 ./client)" = "$(PKG_CONFIG_PATH=$1/pkgconfig pkg-config --modversion drover)" ]' sh "$prefix/$lib"
check "shutdown is answered" "$prefix/bin/droverctl" shutdown
wait "$daemon"
check "and ends with status 0" [ $? = 0 ]
daemon=
exit $failed

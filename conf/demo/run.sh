#!/bin/sh
# The main job, for real, on a bare Debian 12: sh conf/demo/run.sh
# Installs what is missing, builds, installs into a directory of its own, starts droverd there on conf/demo/demo.json,
# and does what an administrator does. Leaves nothing running.
set -eu
cd "$(dirname "$0")/../.."

sh conf/setup.sh build demo
build=build-demo
[ -d $build ] || meson setup $build -Dtests=false --buildtype=release >/dev/null
ninja -C $build >/dev/null
DESTDIR=$PWD/$build/root meson install -C $build --no-rebuild >/dev/null
PATH=$PWD/$build/root/usr/sbin:$PWD/$build/root/usr/bin:$PATH

place=$(mktemp -d)
DROVER_SOCKET=$place/control.sock
export PATH DROVER_SOCKET
daemon=
finish() {
        status=$?
        if [ -n "$daemon" ]; then
                kill "$daemon" 2>/dev/null || true
                wait "$daemon" 2>/dev/null || true
        fi
        [ $status = 0 ] || { echo "demo failed; droverd said:" >&2; cat "$place/droverd.log" >&2; }
        rm -rf "$place"
}
trap finish EXIT
trap 'exit 130' INT TERM

show() {
        printf '\n$ %s\n' "$*"
        "$@"
}
# A configuration must be its owner's alone: a copy with clear modes, whatever the checkout has.
umask 022
sed "s|^  \"pools\": {|  \"log_dir\": \"$place/log\", \"state_dir\": \"$place/state\",\n  \"pools\": {|" conf/demo/demo.json >"$place/drover.json"
show droverd --config "$place/drover.json" --check
droverd --config "$place/drover.json" >"$place/droverd.log" 2>&1 &
daemon=$!
droverctl -T 20s wait --for ready web redis ticker runaway mute >/dev/null

show droverctl status
printf '\n$ nc -U control.sock | jq    # the same from any language\n'
echo '{"jsonrpc":"2.0","id":1,"method":"status","params":{"select":["web"]}}' |
        nc -N -U "$DROVER_SOCKET" | jq -c '.result.pools[0].workers[] | {name, state, pid}'

pid() { droverctl -o json status "$1" | jq -r '.pools[0].workers[0].pid'; }

printf '\n== a worker is killed and replaced\n'
old=$(pid web/0)
show kill -9 "$old"
droverctl -T 10s wait --for ready web/0 >/dev/null
until [ "$(pid web/0)" != "$old" ] && [ "$(pid web/0)" != null ]; do :; done
show droverctl status web/0
show droverctl describe web/0

printf '\n== kill -9 of droverd: every worker runs on\n'
before=$(droverctl -o json status web redis | jq -c '[.pools[].workers[].pid]')
show kill -9 "$(droverctl -o json info | jq .pid)"
until after=$(droverctl -o json status web redis 2>/dev/null | jq -c '[.pools[].workers[].pid]') && [ -n "$after" ]; do :; done
echo "workers before $before, after $after"
[ "$before" = "$after" ]

printf '\n== logs, scale, one command\n'
show droverctl logs -n 3 ticker
show droverctl scale web 3
show droverctl run -- /bin/sh -c 'echo "hello from $DROVER_NAME"; exit 7' || echo "exit status $?"
show droverctl start flood
show droverctl status ticker
show droverctl stop stubborn flood
show droverctl status

printf '\n== stop: workers first, nothing left behind\n'
show droverctl shutdown
wait "$daemon"
daemon=
! pgrep -f 'sleep 43(19|20|21)' >/dev/null
echo "all gone"

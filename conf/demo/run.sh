#!/bin/sh
# The main job, for real, on a bare Debian 12: sh conf/demo/run.sh
# Installs what is missing, builds, installs into a directory of its own, starts droverd there on conf/demo/demo.json,
# and does what an administrator does. Leaves nothing running. Root or an ordinary user (who installs no packages).
# DROVER_DEMO_PORT: the first of the ports of its servers; without it free ones are looked for.
set -eu
cd "$(dirname "$0")/../.."
# A shell's PATH may lack sbin; a configuration must be its owner's alone.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022

sh conf/setup.sh build demo
build=${DROVER_DEMO_BUILD:-$PWD/build-demo}
# quiet COMMAND...: its output only when it fails
quiet() {
        "$@" >"$build.log" 2>&1 || { cat "$build.log"; echo "demo: failed: $*" >&2; exit 1; }
}
echo "building in $build"
[ -e "$build/build.ninja" ] || { rm -rf "$build"; quiet meson setup "$build" -Dtests=false --buildtype=release --prefix=/usr; }
quiet ninja -C "$build"
quiet env DESTDIR="$build/root" meson install -C "$build" --no-rebuild
PATH=$build/root/usr/sbin:$build/root/usr/bin:$PATH

place=$(mktemp -d)
DROVER_SOCKET=$place/control.sock
export PATH DROVER_SOCKET
daemon=
finish() {
        status=$?
        trap '' INT TERM
        if [ -n "$daemon" ]; then
                kill "$daemon" 2>/dev/null || true
                wait "$daemon" 2>/dev/null || true
        fi
        [ $status = 0 ] || { echo "demo failed; droverd said:" >&2; cat "$place/droverd.log" >&2; }
        rm -rf "$place"
        exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

title() { printf '\n== %s\n' "$*"; }
show() {
        printf '\n$ %s\n' "$*"
        "$@"
}
# until_true WHAT COMMAND...: repeated until it is true, 20 seconds at most
until_true() {
        what=$1 end=$(($(date +%s) + 20))
        shift
        until "$@" 2>/dev/null; do
                [ "$(date +%s)" -lt $end ] || { echo "demo: in vain: $what" >&2; exit 1; }
                [ -z "$daemon" ] || kill -0 "$daemon" || { echo "demo: droverd ended" >&2; exit 1; }
                sleep 0.05
        done
}
pids() { droverctl -o json status "$@" | jq -c '[.pools[].workers[].pid]'; }
is_in_use() { nc -z 127.0.0.1 "$1" 2>/dev/null; }
# Three web servers and redis, on PORT to PORT + 3.
are_free() { for n in 0 1 2 3; do ! is_in_use $(($1 + n)) || return 1; done; }
free_ports() {
        for port in 18080 28080 38080 48080; do
                ! are_free $port || { echo $port; return; }
        done
        echo "demo: no free ports; name the first of four by DROVER_DEMO_PORT" >&2
        return 1
}

port=${DROVER_DEMO_PORT:-}
[ -n "$port" ] || port=$(free_ports)
sed -e "s|^  \"pools\": {|  \"log_dir\": \"$place/log\", \"state_dir\": \"$place/state\",\n  \"pools\": {|" \
        -e "s|18080|$port|; s|18083|$((port + 3))|" conf/demo/demo.json >"$place/drover.json"

title "three programs for one: keeper, droverd, logger"
show droverd --config "$place/drover.json" --check
printf '\n$ droverd --config %s &\n' "$place/drover.json"
droverd --config "$place/drover.json" >"$place/droverd.log" 2>&1 &
daemon=$!
until_true "droverd answers" droverctl -q info
droverctl -T 20s wait --for ready web redis ticker stubborn runaway mute >/dev/null
show droverctl status
printf '\n$ nc -U control.sock | jq    # the same from any language\n'
echo '{"jsonrpc":"2.0","id":1,"method":"status","params":{"select":["web"]}}' |
        nc -N -U "$DROVER_SOCKET" | jq -c '.result.pools[0].workers[] | {name, state, pid}'

title "the servers answer"
page() { printf 'GET /GPL-3 HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 "$1" | grep -a -m 1 GENERAL; }
pong() { printf 'PING\r\nQUIT\r\n' | nc -w 5 127.0.0.1 "$1" | grep PONG; }
until_true "web/0 answers" page "$port"
until_true "web/1 answers" page $((port + 1))
until_true "redis answers" pong $((port + 3))

title "kill -9 of a worker of each: every one is replaced"
for pool in web redis ticker stubborn runaway mute; do
        old=$(pids $pool/0)
        droverctl kill $pool/0 >/dev/null
        replaced() { new=$(pids $pool/0) && [ "$new" != "$old" ] && [ "$new" != '[null]' ]; }
        until_true "$pool/0 is replaced" replaced
        echo "$pool/0: process $old, then $new"
done
droverctl -T 20s wait --for ready web redis ticker stubborn runaway mute >/dev/null
until_true "web/0 answers again" page "$port"
show droverctl status web/0
show droverctl describe web/0

title "kill -9 of droverd: every worker runs on"
before=$(pids web redis)
show kill -9 "$(droverctl -o json info | jq .pid)"
until_true "droverd is back" droverctl -q info
after=$(pids web redis)
echo "workers before $before, after $after"
[ "$before" = "$after" ]

title "logs, scale, one command"
show droverctl logs -n 3 ticker
show droverctl scale web 3
show droverctl run -- /bin/sh -c 'echo "hello from $DROVER_NAME"; exit 7' || echo "exit status $?"

title "another configuration: planned, applied, rolled out one worker after the other"
show droverctl plan
sed -i "s|echo tick|echo tock|; s|\"workers\": 2,|\"workers\": 3,|" "$place/drover.json"
show droverctl plan && exit 1 || [ $? = 2 ] # 2: there are changes
show droverctl apply
show droverctl plan
old=$(pids web)
show droverctl reload web
echo "web was $old, is $(pids web)"

title "why did it end? a worker that is killed, and one that fails"
pool=redis old=$(pids redis)
show kill -s SEGV "$(droverctl -o json status redis | jq '.pools[].workers[].pid')"
until_true "redis/0 is replaced" replaced
show droverctl describe redis/0
show droverctl describe crasher/0

title "a worker module: calls of its targets as tasks"
lib=$(dirname "$(find "$build/root" -name libdrover.so | head -n 1)")
show cc -shared -fPIC -o "$place/math.so" client/examples/math.c -I"$build/root/usr/include" \
        -L"$lib" -Wl,-rpath,"$lib" -ldrover -ljansson
show droverctl targets "$place/math.so"
show droverctl add math --module "$place/math.so" --workers 2
show droverctl submit --wait math square 5 base=2
show droverctl submit --wait math divide 1 0 || echo "exit status $?"
printf '\n$ seq 100000 | droverctl map math square | tail -n 1\n'
last=$(seq 100000 | droverctl map math square | tail -n 1)
echo "$last"
[ "$last" = 10000000000 ]
show droverctl status math

title "bad company: one floods its output, one ignores SIGTERM, one fails at once"
show droverctl start flood
until_true "the flood's files are rotated" test -e "$place/log/flood/0.stdout.log.2"
show droverctl status ticker
show droverctl stop stubborn flood
echo "the flood's log: $(du -sh "$place/log/flood" | cut -f 1), as configured"
given_up() { droverctl -o json status crasher | jq -e '.pools[0].state == "failed"' >/dev/null; }
until_true "crasher is given up" given_up
show droverctl logs -n 1 crasher || true
show droverctl status

title "stop: workers first, nothing left behind"
# The workers, and whatever they started: it has this droverd's socket in its environment.
workers=$(droverctl -o json status | jq '.pools[].workers[].pid // empty')
left() {
        for p in $workers; do
                [ ! -d "/proc/$p" ] || cat "/proc/$p/comm"
        done
        for p in /proc/[0-9]*; do
                ! tr '\0' '\n' <"$p/environ" | grep -q '^DROVER_NAME=' || ! tr '\0' '\n' <"$p/environ" |
                        grep -qxF "DROVER_SOCKET=$DROVER_SOCKET" || cat "$p/comm"
        done 2>/dev/null
}
echo "there are: $(left | sort | tr '\n' ' ')"
show droverctl shutdown
wait "$daemon"
daemon=
[ -z "$(left)" ] || { echo "demo: left behind: $(left)" >&2; exit 1; }
echo "all gone"

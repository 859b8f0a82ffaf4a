#!/bin/sh
# droverctl against the real programs: exit statuses, stdio and signals of `run`, logs, names for completion.
# Environment: DROVERCTL, DROVERD, HELPER, BASICS, DROVER_LIBEXEC, as meson gives them. TAP-less: prints what failed, exits 1.
set -u
place=$(mktemp -d)
DROVER_SOCKET=$place/control.sock
export DROVER_SOCKET
failures=0
daemon=

finish() {
        [ -z "$daemon" ] || { kill "$daemon"; wait "$daemon"; } 2>/dev/null
        [ $failures = 0 ] || cat "$place/droverd.log"
        rm -rf "$place"
}
trap finish EXIT

# expect NAME STATUS COMMAND...: its exit status; output is left in $place/out and $place/err
expect() {
        name=$1 wanted=$2
        shift 2
        "$@" >"$place/out" 2>"$place/err" </dev/null
        got=$?
        if [ $got != "$wanted" ]; then
                echo "FAILED $name: exit status $got, not $wanted"
                cat "$place/out" "$place/err"
                failures=$((failures + 1))
        fi
}
# says NAME TEXT [FILE]: the last output holds it
says() {
        grep -qF -- "$2" "$place/${3:-out}" && return
        echo "FAILED $1: no '$2' in:"
        cat "$place/out" "$place/err"
        failures=$((failures + 1))
}
ctl() { "$DROVERCTL" "$@"; }

expect "no daemon" 7 ctl status
says "no daemon" "$DROVER_SOCKET" err

umask 022
cat >"$place/drover.json" <<EOF
{ "log_dir": "$place/log", "state_dir": "$place/state", "pools": {
  "web": { "command": ["$HELPER", "sleep"], "workers": 2 },
  "off": { "command": ["$HELPER", "sleep"], "autostart": false },
  "talk": { "command": ["$HELPER", "lines", "5"], "restart": "never" },
} }
EOF
"$DROVERD" -c "$place/drover.json" >"$place/droverd.log" 2>&1 &
daemon=$!
while ! ctl status >/dev/null 2>&1; do
        kill -0 $daemon || { cat "$place/droverd.log"; exit 1; }
done

# A target of a module, as a process.
expect "targets" 0 ctl targets "$BASICS"
says "targets" "greet(name): say hello"
expect "run a target" 0 ctl run --module "$BASICS" --target show 5 base=2 x 'k={"a": [1]}'
says "run a target" 'args=[5,"x"] kwargs={"base":2,"k":{"a":[1]}}'
expect "exit code of a target" 3 ctl run -m "$BASICS" --target leave 3
expect "exception of a target" 1 ctl run -m "$BASICS" --target fail ValueError nothing
says "exception of a target" "ValueError: nothing" err
says "exception of a target" "#0 fail (" err
expect "crash of a target" 134 ctl run -m "$BASICS" --target crash
expect "no such module" 2 ctl run -m /nonexistent/m.so --target x
says "no such module" "cannot be read" err

expect "wait for ready" 0 ctl -T 10s wait --for ready web
expect "status" 0 ctl status
says "status" "web"
says "status" "2/2"
expect "status of one" 0 ctl status web/1
expect "status of what is stopped" 3 ctl status off
expect "unknown name" 4 ctl status wbe
says "unknown name: a hint" "web" err
expect "unknown verb" 2 ctl statsu
says "unknown verb: a hint" "status" err
expect "unknown option" 2 ctl status --colour
expect "names" 0 ctl -o name status
expect "json" 0 sh -c "'$DROVERCTL' -o json status web | jq -e '.pools[0].workers | length == 2'"
expect "jsonl" 0 ctl -o jsonl status
expect "describe" 0 ctl describe web/0
expect "info" 0 ctl info
expect "version" 0 ctl version
expect "check" 0 ctl check

expect "start" 0 ctl start off
expect "status of what runs now" 0 ctl status off
expect "stop" 0 ctl stop off
expect "terminate what does not run" 3 ctl terminate off
expect "add what cannot be: it is there" 0 ctl add broken -- /no/such/program
says "add what cannot be: why" "No such file" err
expect "start what cannot be" 1 ctl start broken
says "start what cannot be: why" "No such file" err
expect "scale" 0 ctl scale web 3
expect "kill" 0 ctl kill web/2
expect "add" 0 ctl add later -- "$HELPER" sleep
expect "rm" 0 ctl rm later
expect "gone" 4 ctl status later
expect "time out" 6 ctl -T 200ms wait --for exit web/0

# What the configuration says, what is set over it, and what is wished for.
expect "plan: nothing" 0 ctl plan
cp "$place/drover.json" "$place/before.json"
sed 's/"workers": 2/"workers": 3/; s/"restart": "never"/"restart": "never", "umask": "077"/' "$place/before.json" >"$place/drover.json"
expect "plan" 2 ctl plan
says "plan: from and to" "2 → 3"
says "plan: class" "live"
expect "apply" 0 ctl apply
expect "plan: nothing any more" 0 ctl plan
expect "set" 0 ctl set web stop.timeout 7s
says "set: what it changed" "stop.timeout"
expect "get" 0 ctl get web stop.timeout
says "get" "7s"
expect "set: no such key" 2 ctl set web stop.tmeout 7s
expect "set: no such pool" 4 ctl set wbe stop.timeout 7s
expect "set --unset" 0 ctl set --unset web stop.timeout
expect "disable --now" 0 ctl disable --now off
expect "disabled and stopped" 3 ctl status off
expect "enable --now" 0 ctl enable --now off
expect "enabled and started" 0 ctl status off

expect "pause" 0 ctl pause web/0
expect "paused" 0 sh -c "'$DROVERCTL' -o json status web/0 | jq -e '.pools[0].workers[0].paused'"
expect "resume" 0 ctl resume web/0
expect "drain" 0 ctl drain web/1
expect "wait for idle" 0 ctl -T 10s wait --for idle web/1
expect "resume it" 0 ctl resume web/1
expect "reload" 0 ctl -T 30s reload web
expect "reload of what is not there" 4 ctl reload wbe
expect "promises" 0 ctl promises
says "promises" "PROMISE"

# A reload that cannot become ready is put back and says why; a rollback brings back what was configured before.
cat >"$place/app.sh" <<EOF
if [ -e "$place/is-broken" ]; then echo "no database" >&2; exit 4; fi
exec "$HELPER" sleep
EOF
cat >"$place/app.json" <<EOF
{ "name": "app", "command": ["/bin/sh", "$place/app.sh", "first"], "workers": 2, "reload": { "soak": "300ms" } }
EOF
expect "add what is reloaded" 0 ctl add "$place/app.json"
expect "rollback of what never changed" 2 ctl rollback app
says "rollback of what never changed: why" "no earlier configuration" err
pids() { ctl -o json status app | jq -c '[.pools[0].workers[].pid]'; }
before=$(pids)
: >"$place/is-broken"
expect "reload that fails" 1 ctl -T 30s reload app
says "reload that fails: where and why" "the reload stopped at app/0: exited with code 4" err
rm "$place/is-broken"
expect "reload that failed: all come back" 0 ctl -T 30s wait --for ready app
expect "reload" 0 ctl -T 30s reload app
[ "$(pids)" != "$before" ] || { echo "FAILED reload: the same processes"; failures=$((failures + 1)); }
expect "set" 0 ctl set app command "[\"/bin/sh\",\"$place/app.sh\",\"second\"]"
expect "set: ready" 0 ctl -T 30s wait --for ready app
expect "get: the second" 0 ctl get app command
says "get: the second" "second"
expect "rollback" 0 ctl -T 30s rollback app
expect "rollback: ready" 0 ctl -T 30s wait --for ready app
[ "$(ctl -o json get app command | grep -c second)" = 0 ] || { echo "FAILED rollback: the second is in force"; failures=$((failures + 1)); }
expect "rm it" 0 ctl rm app

expect "metrics" 0 ctl metrics
says "metrics" "# EOF"
expect "top, once" 0 ctl top --sort cpu web
says "top" "web/0"
expect "status -w" 0 ctl -T 300ms status -w web
says "status -w" "web"

expect "logs since" 0 ctl logs --since 10m talk
says "logs since" "line 0"
expect "logs rotate" 0 ctl logs --rotate talk
expect "logs clear" 0 ctl logs --clear talk
expect "logs, cleared" 0 ctl logs talk
expect "start it again" 0 ctl start talk
expect "wait for its end" 0 ctl -T 10s wait talk

expect "logs" 0 ctl logs -n 2 talk
says "logs" "line 4"
expect "events" 0 ctl events
says "events" "worker.running"

expect "run: exit code" 7 ctl run -- sh -c 'exit 7'
expect "run: signal" 137 ctl run -- sh -c 'kill -9 $$'
expect "run: not found" 127 ctl run -- /no/such/program
says "run: not found" "No such file" err
expect "run: cannot be executed" 126 ctl run -- /etc/passwd
expect "run: output and error apart" 0 ctl run -- sh -c 'echo out; echo err >&2'
says "run: out" "out" out
says "run: err" "err" err
expect "run: detached" 0 ctl run -d --name job -- "$HELPER" sleep
expect "run: the same name" 1 ctl run -d --name job -- "$HELPER" sleep
expect "terminate it" 0 ctl terminate job
expect "wait gives its code" 143 ctl wait job

# Binary data through stdin and stdout, both ways complete.
head -c 3000000 /dev/urandom >"$place/data"
ctl run -- cat <"$place/data" >"$place/copy"
cmp "$place/data" "$place/copy" || { echo "FAILED run: stdin to stdout"; failures=$((failures + 1)); }
# A reader that leaves early ends it.
n=$(ctl run -- yes | head -n 3 | wc -l)
[ "$n" = 3 ] || { echo "FAILED run | head: $n lines"; failures=$((failures + 1)); }
# Signals are passed on.
"$DROVERCTL" run --name sig -- sh -c 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.01; done' >"$place/sig" &
run=$!
until grep -q ready "$place/sig"; do :; done
kill -TERM $run
wait $run
[ $? = 9 ] && grep -q "got it" "$place/sig" || { echo "FAILED run: signal passed on"; failures=$((failures + 1)); }
# droverd killed in the middle: nothing is lost.
"$DROVERCTL" run --name through -- sh -c 'i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); sleep 0.005; done; exit 5' >"$place/through" &
run=$!
until grep -q '^10$' "$place/through"; do :; done
kill -9 "$(ctl -o json info | jq .pid)"
wait $run
[ $? = 5 ] && [ "$(wc -l <"$place/through")" = 200 ] || { echo "FAILED run over kill -9 of droverd"; failures=$((failures + 1)); }

expect "keys are completed" 0 ctl __complete set web stop.t
says "keys are completed" "stop.timeout"
for shell in bash zsh fish; do
        expect "completion $shell" 0 ctl completion $shell
done
bash -n "$place/out" 2>/dev/null || true
expect "shutdown" 0 ctl shutdown
wait $daemon || { echo "FAILED droverd's own exit status"; failures=$((failures + 1)); }
daemon=
[ $failures = 0 ]

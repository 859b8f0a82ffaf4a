#!/bin/sh
# Run by systemd inside the container: each check prints "ok NAME" or "FAILED NAME". Last line: "end".
set -u
exec 2>/details
set -x

ok() { echo "ok      $1"; }
bad() { echo "FAILED  $1"; journalctl -u droverd --no-pager -n 40 >&2; }
# check NAME COMMAND...: the command decides
check() {
        name=$1
        shift
        if "$@" >&2; then ok "$name"; else bad "$name"; fi
}
# until_true SECONDS COMMAND...: repeated until it is true
until_true() {
        end=$(($(date +%s) + $1))
        shift
        while ! "$@" >/dev/null 2>&1; do
                [ "$(date +%s)" -lt $end ] || return 1
                sleep 0.05
        done
}
property() { systemctl show droverd -P "$1"; }
pids() { droverctl -o json status "$@" | jq -r '.pools[].workers[].pid' | sort | tr '\n' ' '; }
info() { droverctl -o json info | jq -r ".$1"; }
all_running() { [ "$(droverctl -o json status | jq -r '[.pools[].workers[].state] | unique | join(",")')" = running ]; }

mkdir -p /etc/drover/pools.d
cat >/etc/drover/pools.d/loop.json <<'EOF'
{ "pools": { "loop": {
    "command": ["/bin/sh", "-c", "echo hello from $DROVER_NAME; exec sleep 1000"],
    "workers": 3, "output": "journal" } } }
EOF
mkdir -p /etc/systemd/system/droverd.service.d
printf '[Service]\nWatchdogSec=3s\n' >/etc/systemd/system/droverd.service.d/test.conf
systemd-sysusers
systemd-tmpfiles --create
systemctl daemon-reload

check "units verify" systemd-analyze verify droverd.service droverd.socket
check "sysusers made the group" getent group drover
check "security exposure below 5" sh -c 'systemd-analyze security --no-pager droverd.service | tail -n 1 >&2; systemd-analyze security --threshold=50 --no-pager droverd.service >/dev/null'

check "start returns" systemctl start droverd
check "active after READY" [ "$(property ActiveState)" = active ]
check "main process is the keeper" grep -q drover-keeper "/proc/$(property MainPID)/comm"
check "STATUS is shown" sh -c 'systemctl show droverd -P StatusText | grep -q .'
check "three workers run" until_true 10 all_running
check "workers live in the unit's cgroup" sh -c 'grep -q droverd.service /proc/$(droverctl -o json status loop/0 | jq .pools[0].workers[0].pid)/cgroup'
check "journal has the worker's line with its fields" until_true 10 sh -c \
        'journalctl -o json DROVER_POOL=loop DROVER_WORKER=loop/1 --no-pager | jq -e "select(.MESSAGE == \"hello from loop/1\")"'

before=$(pids loop)
cat >/etc/drover/pools.d/second.json <<'EOF'
{ "pools": { "second": { "command": ["/bin/sleep", "1000"] } } }
EOF
check "reload returns" systemctl reload droverd
check "reload brings the new pool" until_true 10 sh -c 'droverctl status second | grep -q running'
check "reload left the other pool alone" [ "$(pids loop)" = "$before" ]

old=$(info pid)
kill -9 "$old"
check "kill -9: a new droverd" until_true 10 sh -c "p=\$(droverctl -o json info | jq .pid); [ -n \"\$p\" ] && [ \"\$p\" != $old ]"
check "kill -9: the same workers" [ "$(pids loop)" = "$before" ]
check "kill -9: systemd saw no restart" [ "$(property NRestarts)" = 0 ]

old=$(info pid)
kill -STOP "$old"
check "watchdog: a stopped droverd is replaced" until_true 20 sh -c \
        "p=\$(timeout 2 droverctl -o json info | jq .pid); [ -n \"\$p\" ] && [ \"\$p\" != $old ]"
check "watchdog: the same workers" [ "$(pids loop)" = "$before" ]
check "watchdog: systemd saw no restart" [ "$(property NRestarts)" = 0 ]

logger=$(info logger_pid)
kill -9 "$logger"
check "kill -9 of the logger: a new one" until_true 10 sh -c "p=\$(droverctl -o json info | jq .logger_pid); [ -n \"\$p\" ] && [ \"\$p\" != $logger ]"
worker=$(droverctl -o json status loop/2 | jq '.pools[0].workers[0].pid')
kill -9 "$worker"
check "journal has a line of after that" until_true 10 sh -c \
        '[ "$(journalctl -o json DROVER_WORKER=loop/2 --no-pager | jq -s "[.[] | select(.MESSAGE == \"hello from loop/2\")] | length")" -ge 2 ]'

cgroup=$(property ControlGroup)
check "stop returns" systemctl stop droverd droverd.socket
check "stop leaves nothing in the cgroup" sh -c "! grep -q . /sys/fs/cgroup/unified$cgroup/cgroup.procs /sys/fs/cgroup$cgroup/cgroup.procs 2>/dev/null"
check "stop leaves no worker" sh -c '! pgrep -x sleep -f "sleep 1000"'
check "stop was clean" [ "$(property Result)" = success ]

check "the socket unit starts" systemctl start droverd.socket
check "nothing runs before the first connection" [ "$(property ActiveState)" = inactive ]
check "socket activation" sh -c 'droverctl -o json info | jq -e .pid'
check "active by activation" [ "$(property ActiveState)" = active ]
check "the workers are back" until_true 10 all_running
check "an ordinary user is refused" sh -c 'setpriv --reuid=65534 --regid=65534 --clear-groups droverctl -S /run/drover/control.sock status; [ $? = 5 ]'

# The keeper itself killed: systemd starts all again, and no second copy of a worker is left.
main=$(property MainPID)
kill -9 "$main"
check "kill -9 of the keeper: systemd brings it back" until_true 20 sh -c "[ \"\$(systemctl show droverd -P MainPID)\" != $main ] && droverctl status | grep -q running"
systemctl stop droverd droverd.socket
check "and a stop leaves nothing" sh -c "! grep -q . /sys/fs/cgroup/unified$cgroup/cgroup.procs 2>/dev/null"

journalctl -u droverd --no-pager -n 200 >&2
echo end

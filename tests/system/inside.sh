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
mkdir -m 0755 /var/lib/witness /var/lib/unlisted
chown nobody /var/lib/witness /var/lib/unlisted
printf '[Service]\nWatchdogSec=3s\nReadWritePaths=/var/lib/witness\n' >/etc/systemd/system/droverd.service.d/test.conf
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

# Under the unit's hardening: another user, its own limits, places to write, logs and stdio.
# A container without CAP_SYS_RESOURCE can only go the other way.
oom=-100 nofile=100000
sh -c 'echo -1 >/proc/self/oom_score_adj' 2>/dev/null || oom=100 nofile=1000
cat >/etc/drover/pools.d/keen.json <<EOF
{ "pools": { "keen": { "nice": -5, "oom_score_adj": $oom, "limits": { "nofile": $nofile }, "cpu_affinity": [0],
    "command": ["/bin/sleep", "1000"] } } }
EOF
cat >/etc/drover/pools.d/hard.json <<'EOF'
{ "pools": {
    "plain": { "user": "nobody", "directory": "/var/lib/witness", "restart": "never",
        "command": ["/bin/sh", "-c", "id -u; id -G; grep -E 'CapEff|NoNewPrivs|SigIgn|SigBlk' /proc/self/status; echo yes >mine; echo no >/var/lib/unlisted/mine; exec sleep 1000"] },
    "path": { "user": "nobody", "output": "/var/lib/witness/path.log",
        "command": ["/bin/sh", "-c", "echo a line; exec sleep 1000"] } } }
EOF
check "reload for the hardening" systemctl reload droverd
# plain_says LINE: the log of plain holds exactly this one
plain_says() { droverctl logs -n 100 plain 2>&1 | grep -qx "$1"; }
check "user: the process is that user's" until_true 10 plain_says 65534
check "user: only its own group" plain_says "$(id -G nobody)"
check "user: no capability" plain_says "CapEff:.0000000000000000"
check "user: no new privileges" plain_says "NoNewPrivs:.1"
check "user: no signal ignored or blocked" sh -c \
        '[ "$(droverctl logs -n 100 plain | grep -cE "Sig(Ign|Blk):.0000000000000000")" = 2 ]'
check "a place of ReadWritePaths= can be written" until_true 10 grep -q yes /var/lib/witness/mine
check "another one cannot" until_true 10 plain_says ".*/var/lib/unlisted/mine: Read-only file system"
keen=$(droverctl -o json status keen | jq '.pools[0].workers[0].pid')
check "nice" [ "$(ps -o ni= -p "$keen" | tr -d ' ')" = -5 ]
check "oom_score_adj" grep -qx -- $oom "/proc/$keen/oom_score_adj"
check "limits" grep -q "Max open files *$nofile " "/proc/$keen/limits"
check "cpu_affinity" grep -qx 'Cpus_allowed_list:.0' "/proc/$keen/status"
check "oom_score_adj is 0 without the key" grep -qx 0 "/proc/$(droverctl -o json status loop/0 | jq '.pools[0].workers[0].pid')/oom_score_adj"
check "output to a path in another user's directory" until_true 10 grep -qx "a line" /var/lib/witness/path.log
cd /root
said=$(printf 'from stdin' | droverctl run -- /bin/sh -c 'pwd; cat; echo to stderr >&2; exit 5' 2>/run/stderr)
status=$?
check "run: exit status" [ $status = 5 ]
check "run: stdin, stdout and directory" [ "$said" = "/root
from stdin" ]
check "run: stderr" grep -qx "to stderr" /run/stderr
check "run: as another user" [ "$(cd / && droverctl run --user nobody -- /usr/bin/id -u)" = 65534 ]
rm /etc/drover/pools.d/hard.json /etc/drover/pools.d/keen.json
systemctl reload droverd
check "reload takes the pools away" until_true 10 sh -c 'droverctl status keen; [ $? = 4 ]'

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

# The group of the configuration on the socket that systemd made; its members operate, others are kept out by the kernel.
mv /etc/drover/drover.json /drover.json.before 2>/dev/null
echo '{ "socket_group": "drover" }' >/etc/drover/drover.json
check "reload for socket_group" systemctl reload droverd
check "socket_group: owner and mode of systemd's socket" until_true 10 sh -c \
        '[ "$(stat -c %G:%a /run/drover/control.sock)" = drover:660 ]'
drover_gid=$(getent group drover | cut -d: -f3)
check "socket_group: a member operates" sh -c "setpriv --reuid=65534 --regid=65534 --groups $drover_gid \
        droverctl -S /run/drover/control.sock -o json info | jq -e '.you.role == \"operate\"'"
check "socket_group: somebody else is refused" sh -c 'setpriv --reuid=65534 --regid=65534 --clear-groups droverctl -S /run/drover/control.sock status; [ $? = 5 ]'
rm /etc/drover/drover.json
mv /drover.json.before /etc/drover/drover.json 2>/dev/null

# The keeper itself killed: systemd starts all again, and no second copy of a worker is left.
main=$(property MainPID)
kill -9 "$main"
check "kill -9 of the keeper: systemd brings it back" until_true 20 sh -c "[ \"\$(systemctl show droverd -P MainPID)\" != $main ] && droverctl status | grep -q running"
systemctl stop droverd droverd.socket
check "and a stop leaves nothing" sh -c "! grep -q . /sys/fs/cgroup/unified$cgroup/cgroup.procs 2>/dev/null"

journalctl -u droverd --no-pager -n 200 >&2
echo end

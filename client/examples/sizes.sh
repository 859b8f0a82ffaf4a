#!/bin/sh
# sizes.sh BASICS.so - how many workers a pool has: a number, one for each CPU, or as many as the load wants.
#
# CPUs are those that droverd may use: by its affinity, and by the quota of its cgroup (Python's cpu_count() knows neither).
# The rule of thumb: work that computes has "cpus"; work that waits has more, CPUs * (1 + time waited / time computed);
# work that comes and goes has {"min", "max"}, and grows with the queue.
set -eu
B=$1
size() { droverctl status -o json crew | jq '.pools[0].workers | length'; }

droverctl add crew --workers cpus --module "$B" >/dev/null
droverctl get -o json crew workers
[ "$(size)" = "$(nproc)" ] && echo 'as nproc says'
droverctl scale crew '2*cpus' >/dev/null
[ "$(size)" = $((2 * $(nproc))) ] && echo 'twice that'
droverctl scale crew 3 >/dev/null
echo "now $(size)"
droverctl rm crew

echo '{"name": "crew", "module": "'"$B"'", "workers": {"min": 1, "max": 4}}' | droverctl add - >/dev/null
droverctl wait --for ready crew >/dev/null
echo "without work: $(size)"
droverctl map --count 40 --chunk 1 crew nap_a_little >/dev/null &
map=$!
until [ "$(size)" = 4 ]; do :; done
echo "with a queue: $(size)"
wait $map
droverctl rm crew

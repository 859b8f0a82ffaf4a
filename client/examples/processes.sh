#!/bin/sh
# processes.sh BASICS.so STATS.so - what the command line shows of processes, a chapter after the other.
set -u
B=$1 S=$2
target() { droverctl run --module "$B" --target "$@"; }

echo '# arguments'
target show 1 two              # positional
target show a=1 b=two          # by name
target show 1 '[2,3]' c=null   # both

echo '# name, pid and parent'
droverctl run --name worker-7 --module "$B" --target whoami

echo '# four processes'
for i in 1 2 3 4; do
        droverctl run -d --name "p$i" --module "$B" --target greet "process $i" >/dev/null
done
droverctl wait p1 p2 p3 p4 >/dev/null && echo "all four joined"

echo '# exit codes'
target leave 0; echo "leave 0: $?"
target leave 1; echo "leave 1: $?"
droverctl run -d --name crashed --module "$B" --target crash >/dev/null
droverctl wait -o json crashed | jq -r '.workers[0] | "crash: \(.exitcode)"'

echo '# terminate'
droverctl run -d --name napping --module "$B" --target nap 1000 >/dev/null
droverctl terminate napping
droverctl wait -o json napping | jq -r '.workers[0] | "\(.state) \(.exitcode)"'

echo '# kill'
droverctl run -d --name mule --module "$B" --target stubborn >/dev/null
until droverctl logs mule | grep -q ignored; do :; done
droverctl terminate mule
droverctl status -o json mule | jq -r '.pools[0].workers[0] | "after SIGTERM: \(.state)"'
droverctl kill mule
droverctl wait -o json mule | jq -r '.workers[0] | "after SIGKILL: \(.exitcode)"'

echo '# exceptions'
target fail ValueError 'of no value' 2>"${TMPDIR:-/tmp}/drover-example.$$"; echo "the child: $?"
tail -n 1 "${TMPDIR:-/tmp}/drover-example.$$"
rm -f "${TMPDIR:-/tmp}/drover-example.$$"
echo 'the parent goes on'

echo '# a worker class'
droverctl run -m "$S" --target describe A '[10,20,30,40,50]'
droverctl run -m "$S" --target describe B '[100,200,300]'
droverctl run -m "$S" --target describe C '[1.5,2.5,3.5,4.5]'

#!/bin/sh
# json.sh BASICS.so STATS.so - the chapters that are shorter in JSON: a line to the socket, a line back. Needs nc and jq.
set -eu
export LC_ALL=C # a point in 30.00
B=$1 STATS=$2
# call METHOD PARAMS: the result
call() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' "$1" "$2" | nc -N -U "$DROVER_SOCKET" | jq -c '.result // .error'; }

echo '# create a process, and join it'
call run '{"module":"'"$B"'","target":"greet","args":["Alice"],"name":"alice"}' | jq -c '.process'
call wait '{"process":"alice"}' | jq -c '.workers[0] | [.alive, .exitcode]'

echo '# exit codes'
for code in 0 1; do
        call run '{"module":"'"$B"'","target":"leave","args":['$code'],"name":"leave-'$code'"}' >/dev/null
        call wait '{"process":"leave-'$code'"}' | jq '.workers[0].exitcode'
done

echo '# an exception, captured'
call pool.add '{"name":"crew","module":"'"$B"'"}' >/dev/null
call task.submit '{"pool":"crew","target":"fail","args":["ValueError","of no value"],"wait":true}' | jq -c '[.state, .error.data.type, .error.message]'

echo '# mean and standard deviation, by one map'
call pool.add '{"name":"stats","module":"'"$STATS"'"}' >/dev/null
printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"task.map","params":{"pool":"stats","target":"describe","items":[[10,20,30,40,50],[100,200,300],[1.5,2.5,3.5,4.5]]}}' |
        nc -N -U "$DROVER_SOCKET" | jq -rc 'select(.method == "result") | .params.results[] | "\(.mean) \(.stdev)"' |
        while read -r mean stdev; do printf '%.2f/%.2f\n' "$mean" "$stdev"; done

call pool.remove '{"pool":"crew"}' >/dev/null
call pool.remove '{"pool":"stats"}' >/dev/null

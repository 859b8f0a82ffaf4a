#!/bin/sh
# json.sh BASICS.so STATS.so - the chapters that are shorter in JSON: a line to the socket, a line back. Needs nc and jq.
set -eu
export LC_ALL=C # a point in 30.00
B=$1 STATS=$2
# say METHOD PARAMS: the lines that come back
say() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' "$1" "$2" | nc -N -U "$DROVER_SOCKET"; }
# call METHOD PARAMS FILTER: that of the result; an error is shown, and ends the script
call() { say "$1" "$2" | jq -c "if .error then \"$1: \(.error.message)\n\" | halt_error(1) else .result | $3 end"; }

echo '# create a process, and join it'
call run '{"module":"'"$B"'","target":"greet","args":["Alice"],"name":"alice"}' .process
call wait '{"process":"alice"}' '.workers[0] | [.alive, .exitcode]'

echo '# exit codes'
for code in 0 1; do
        call run '{"module":"'"$B"'","target":"leave","args":['$code'],"name":"leave-'$code'"}' empty
        call wait '{"process":"leave-'$code'"}' '.workers[0].exitcode'
done

echo '# an exception, captured'
call pool.add '{"name":"crew","module":"'"$B"'"}' empty
call task.submit '{"pool":"crew","target":"fail","args":["ValueError","of no value"],"wait":true}' '[.state, .error.data.type, .error.message]'

echo '# mean and standard deviation, by one map'
call pool.add '{"name":"stats","module":"'"$STATS"'"}' empty
say task.map '{"pool":"stats","target":"describe","items":[[10,20,30,40,50],[100,200,300],[1.5,2.5,3.5,4.5]]}' |
        jq -r '((.error, .params.errors[]?) // empty | "task.map: \(.message)\n" | halt_error(1)), (.params.results[]? | "\(.mean) \(.stdev)")' |
        while read -r mean stdev; do printf '%.2f/%.2f\n' "$mean" "$stdev"; done

call pool.remove '{"pool":"crew"}' empty
call pool.remove '{"pool":"stats"}' empty

#!/bin/sh
# tasks.sh BASICS.so SUMS.so STATS.so - what the command line shows of pools whose workers take tasks.
set -eu
export LC_ALL=C # a point in 30.00
B=$1 SUMS=$2 STATS=$3
add() { droverctl add "$@" >/dev/null; }

echo '# a result, later'
add crew --workers 2 --module "$B"
task=$(droverctl submit crew burn 1000)
droverctl wait "$task"

echo '# an exception, captured'
droverctl submit --wait -o json crew fail ValueError 'of no value' |
        jq -r '.error | "\(.data.type); \(.message); \(.data.traceback | startswith("#0 fail ("))"' || true

echo '# a call for each line'
printf '%s\n' 10 20 30 | droverctl map crew burn
printf '%s\n' Alice Bob | droverctl map --raw crew greet

echo '# partial sums'
add sums --workers 4 --module "$SUMS"
# shellcheck disable=SC2046
droverctl submit --wait sums total $(seq 0 1000000 3000000 | sed 's/.*/[&,&]/' | jq -c '[.[0], .[1] + 1000000]' | droverctl map --chunk 1 sums partial)

echo '# mean and standard deviation'
add stats --module "$STATS"
describe() {
        droverctl submit --wait stats describe "$@" | jq -r '"\(.mean) \(.stdev)"' | {
                read -r mean stdev
                printf '%s: %.2f/%.2f\n' "$1" "$mean" "$stdev"
        }
}
describe A '[10,20,30,40,50]'
describe B '[100,200,300]'
describe C '[1.5,2.5,3.5,4.5]'

droverctl rm crew sums stats

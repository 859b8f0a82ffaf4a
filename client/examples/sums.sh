#!/bin/sh
# sums.sh SUMS.so - the squares below 4 000 000 in four ranges by four processes, and in one by one.
set -eu
M=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

begin=$(milliseconds)
for i in 0 1 2 3; do
        droverctl run -m "$M" --target partial $((i * 1000000)) $(((i + 1) * 1000000)) >"$place/$i" &
done
wait
cat "$place"/?
# shellcheck disable=SC2046
echo "total $(droverctl run -m "$M" --target total $(cat "$place"/?)) in $(($(milliseconds) - begin)) ms"

begin=$(milliseconds)
echo "sequential $(droverctl run -m "$M" --target partial 0 4000000) in $(($(milliseconds) - begin)) ms"

#!/bin/sh
# worker.sh - a worker in shell; jq reads and writes the JSON:
# {"pools": {"sh": {"command": ["sh", "/path/worker.sh"], "protocol": "tasks"}}}
square() { jq -n --argjson x "$1" '$x * $x'; }
divide() { jq -n --argjson a "$1" --argjson b "$2" '$a / $b'; }
join() { jq -n --arg words "$*" '$words'; }

field() { printf '%s\n' "$task" | jq -r "$1"; }
while read -r task <&"$DROVER_TASKS_FD"; do
        target=$(field .method) code=1
        eval "set -- $(field '.params.args | @sh')" # jq quotes each for the shell
        case $target in
        square | divide | join) text=$("$target" "$@" 2>&1) && code=0 ;;
        *) code=-32601 text="there is no target $target" ;;
        esac
        [ $code = 0 ] && key=result || key=error text=$(jq -nc --argjson code $code --arg text "$text" '{$code, message: $text}')
        printf '{"jsonrpc":"2.0","id":%s,"%s":%s}\n' "$(field .id)" $key "$text" >&"$DROVER_TASKS_FD"
done

#!/usr/bin/env bash
# A sessions.json is cut to its last five entries while a client goes on logging. What leaves the file is in the archive.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
cap=$(cd "$(dirname "$0")/cron" && pwd)/cap-sessions.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

sessions=$dir/sessions.json
memory-update "$sessions" --create '.sessions = [range(1; 21) | {id: .}]' 2>>"$dir/log"

for id in {21..30}; do
	memory-update "$sessions" '.sessions += [{id: $id}]' --argjson id "$id"
done 2>>"$dir/log" &
for _ in {1..4}; do "$cap" "$sessions" 5; done 2>>"$dir/log"
wait
"$cap" "$sessions" 5 2>>"$dir/log"

kept=$(memory-read "$sessions" -c '[.sessions[].id]')
archived=$(memory-read "$dir/sessions.archive.json" -c '[.sessions[].id]')
echo "kept:     $kept"
echo "archived: $archived"

if [[ $kept != '[26,27,28,29,30]' || $archived != "[$(seq -s, 25)]" ]]; then
	cat "$dir/log" >&2
	exit 1
fi

#!/usr/bin/env bash
# Two clients log ten sessions each into one file at the same time. All twenty are there at the end.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

SESSIONS_FILE=$dir/test-sessions.json
echo '{"project": "test", "sessions": []}' >"$SESSIONS_FILE"

log_ten_sessions() {
	local prefix=$1 client=$2 i
	for i in {1..10}; do
		memory-update "$SESSIONS_FILE" '.sessions += [{id: $id, client: $client}]' \
			--arg id "$prefix-$i" --arg client "$client"
		sleep 0.1
	done
}

log_ten_sessions claude claude-code 2>>"$dir/log" &
log_ten_sessions cursor cursor 2>>"$dir/log" &
wait

total=$(memory-read "$SESSIONS_FILE" '.sessions | length')
unique=$(memory-read "$SESSIONS_FILE" '[.sessions[].id] | unique | length')
echo "Total sessions: $total"
echo "Unique IDs: $unique"

if [[ $total != 20 || $unique != 20 ]]; then
	cat "$dir/log" >&2
	exit 1
fi
echo "✓ Valid JSON"

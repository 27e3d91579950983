#!/usr/bin/env bash
# A lock that is held for 40 s does not hold up a caller who waits for five.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
export AICONFIG_PATH=$dir/aiconfig

TEST_FILE=$dir/test-timeout.json
echo '{}' >"$TEST_FILE"

file-lock with "$TEST_FILE" -- sleep 40 2>"$dir/log" &
holder=$!
trap 'kill "$holder" 2>/dev/null; wait "$holder" || true; rm -rf "$dir"' EXIT

for _ in {1..100}; do
	file-lock status "$TEST_FILE" >/dev/null 2>&1 || break
	sleep 0.05
done

echo "Trying to acquire lock with 5s timeout..."
start=$SECONDS status=0
LOCK_TIMEOUT=5 file-lock acquire "$TEST_FILE" 2>"$dir/message" || status=$?
waited=$((SECONDS - start))

if ((status != 75 || waited < 4 || waited > 15)); then
	echo "acquire ended with status $status after $waited s" >&2
	cat "$dir/message" >&2
	exit 1
fi
echo "✓ Timeout worked as expected"

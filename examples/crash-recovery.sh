#!/usr/bin/env bash
# A process takes a lock and is killed. Who waits for the lock gets it within a second; nobody has to clean up.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

TEST_FILE=$dir/test-crash.json
echo '{"data": "initial"}' >"$TEST_FILE"

# The subshell owns what it acquires. `kill -9 $$` would hit this script, for $$ is the script in a subshell too;
# a shell that takes the subshell's place has a $$ of its own and kills the right process.
(
	LOCK_ID=$(file-lock acquire "$TEST_FILE" 2>>"$dir/log")
	echo "$LOCK_ID" >"$dir/acquired"
	sleep 2
	date +%s >"$dir/killed"
	exec sh -c 'kill -9 $$'
) 2>/dev/null &
disown # so that bash does not report the kill

for _ in {1..600}; do
	[[ ! -s $dir/acquired ]] || break
	sleep 0.05
done
echo "Lock acquired: $(cat "$dir/acquired")"

if file-lock status "$TEST_FILE" >/dev/null 2>&1; then
	echo "the lock is free while its owner lives" >&2
	exit 1
fi

echo "Attempting to acquire lock..."
file-lock with "$TEST_FILE" -- echo "Lock acquired successfully after crash!"

waited=$(($(date +%s) - $(cat "$dir/killed")))
if ((waited > 2)); then
	echo "the waiter got the lock only $waited s after the crash" >&2
	exit 1
fi

#!/usr/bin/env bash
# An AI client runs every command in a fresh shell. A lock that such a shell acquires ends with it; one that is acquired
# for the client lasts until the client gives it back, or ends.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig
cd "$dir"
echo '{"steps": 0}' >plan.json

fail() {
	echo "$1" >&2
	exit 1
}
is_held() { ! file-lock status "$dir/plan.json" >/dev/null; }

# Stands in for the client: it tells its commands its own PID, as Claude Code does, and runs each in a new shell.
client() (
	CLAUDE_PID=$(exec sh -c 'echo "$PPID"')
	export CLAUDE_PID
	for command in "$@"; do
		bash -c "$command"$'\n:' 2>>"$dir/log" >/dev/null || fail "failed in the client: $command"
	done
)

client 'file-lock acquire plan.json'
if is_held; then fail "the lock of a shell outlived it"; fi
# Only Linux tells what a shell was started for.
[[ ! -d /proc/self ]] || grep -q -e '--owner client' "$dir/log" || fail "nobody was told that the lock is about to end"
echo "acquire: the lock is over with the command, and the client was told"

client 'file-lock acquire plan.json --owner client --ttl 600' \
	'file-lock status plan.json && exit 1 || true' \
	'memory-update plan.json ".steps += 1" --timeout 0' \
	'memory-update plan.json ".steps += 1" --timeout 0' \
	'file-lock release plan.json' \
	'file-lock status plan.json'
[[ $(memory-read plan.json .steps) == 2 ]] || fail "the client did not work under its own lock"
echo "acquire --owner client: held from one command to the next, until the release"

client 'file-lock acquire plan.json --owner client' 'file-lock status plan.json && exit 1 || true'
if is_held; then fail "the lock outlived the client"; fi
echo "a client that forgets: the lock is over with it"

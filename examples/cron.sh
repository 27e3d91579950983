#!/usr/bin/env bash
# The crontab line, run with the bare environment that cron gives it: it removes the lock of a dead process, keeps a
# lock that is held, and the lock folder shows it.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
line=$(grep -v '^#' "$(dirname "$0")/cron/crontab")
dir=$(mktemp -d)
export AICONFIG_PATH=$dir/aiconfig
memlatch install "$AICONFIG_PATH/scripts" >/dev/null 2>&1

echo '{}' >"$dir/dead.json"
echo '{}' >"$dir/held.json"

# A lease whose owner, the subshell, ends without a release; `true` keeps the shell from making way for file-lock.
(
	file-lock acquire "$dir/dead.json" >/dev/null 2>"$dir/log"
	true
)
file-lock with "$dir/held.json" -- sleep 60 2>>"$dir/log" &
holder=$!
trap 'kill "$holder" 2>/dev/null; wait "$holder" || true; rm -rf "$dir"' EXIT
for _ in {1..100}; do
	file-lock status "$dir/held.json" >/dev/null 2>&1 || break
	sleep 0.05
done

fail() {
	echo "$1" >&2
	cat "$dir/log" >&2
	exit 1
}

# A line is five fields of time, then the command.
read -r _ _ _ _ _ command <<<"$line"
env -i HOME="$dir" SHELL=/bin/sh PATH=/usr/bin:/bin sh -c "$command" >>"$dir/log" 2>&1 || fail "cleanup failed"

locks=$(file-lock show --json)
[[ $locks == *held.json* ]] || fail "the lock that is held is gone: $locks"
[[ $locks != *dead.json* ]] || fail "the dead owner's lock is still there: $locks"
echo "cleanup removed the dead owner's lock and kept the other"

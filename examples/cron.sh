#!/usr/bin/env bash
# The crontab's lines, run with the bare environment that cron gives them: the first removes the lock of a dead process,
# keeps a lock that is held, and says nothing when there is nothing to do; the second cuts the sessions of each project.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
cron=$(cd "$(dirname "$0")/cron" && pwd)
dir=$(mktemp -d)
export AICONFIG_PATH=$dir/aiconfig
HOME=$dir memlatch install >/dev/null 2>&1
cp "$cron/cap-sessions.sh" "$dir/.local/bin/"

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

# A line is five fields of time, then the command. What it prints is what cron would send by mail.
run_line() {
	local command
	read -r _ _ _ _ _ command <<<"$(grep -v '^#' "$cron/crontab" | sed -n "$1p")"
	env -i HOME="$dir" SHELL=/bin/sh PATH=/usr/bin:/bin sh -c "$command" >"$dir/mail" 2>&1 || fail "line $1 failed: $(cat "$dir/mail")"
}

run_line 1
grep -q 'Cleaned 1 stale lock(s)' "$dir/mail" || fail "the mail does not tell of the cleaned lock: $(cat "$dir/mail")"
locks=$(file-lock show --json)
[[ $locks == *held.json* ]] || fail "the lock that is held is gone: $locks"
[[ $locks != *dead.json* ]] || fail "the dead owner's lock is still there: $locks"
echo "cleanup removed the dead owner's lock and kept the other"

run_line 1
[[ ! -s $dir/mail ]] || fail "a mail although there was nothing to do: $(cat "$dir/mail")"
echo "cleanup said nothing when there was nothing to do"

run_line 2
[[ ! -s $dir/mail ]] || fail "a mail although there are no sessions: $(cat "$dir/mail")"
for project in one two; do
	mkdir -p "$AICONFIG_PATH/memory/projects/$project"
	memory-update "$AICONFIG_PATH/memory/projects/$project/sessions.json" --create \
		'.sessions = [range(502) | {id: .}]' 2>>"$dir/log"
done
run_line 2
for project in one two; do
	sessions=$AICONFIG_PATH/memory/projects/$project/sessions.json
	[[ $(memory-read "$sessions" -c '.sessions | [length, .[0].id]') == '[500,2]' ]] || fail "$project was not cut"
	[[ $(memory-read "${sessions%.json}.archive.json" -c '[.sessions[].id]') == '[0,1]' ]] || fail "$project was not archived"
done
echo "two projects were cut to 500 sessions"

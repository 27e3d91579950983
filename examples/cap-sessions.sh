#!/usr/bin/env bash
# A sessions.json is cut to its last five entries while a client goes on logging, and the cut is killed between its two
# writes. What leaves the file is in the archive, each entry once, in the order in which it was logged.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
cap=$(cd "$(dirname "$0")/cron" && pwd)/cap-sessions.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

sessions=$dir/sessions.json archive=$dir/sessions.archive.json
fail() {
	echo "$1" >&2
	cat "$dir/log" >&2
	exit 1
}

# The numbers of the sessions in both files together, the archive's first.
all() { memory-read "$archive" -c --slurpfile now "$sessions" '[.sessions[].id, $now[0].sessions[].id]'; }
log() { memory-update "$sessions" '.sessions += [{id: $id}]' --argjson id "$1" 2>>"$dir/log"; }
numbers() { echo "[$(seq -s, "$1")]"; }

memory-update "$sessions" --create '.sessions = [range(1; 21) | {id: .}]' 2>>"$dir/log"
for id in {21..30}; do log "$id"; done &
for _ in {1..4}; do "$cap" "$sessions" 5; done 2>>"$dir/log"
wait
"$cap" "$sessions" 5 2>>"$dir/log"

kept=$(memory-read "$sessions" -c '[.sessions[].id]')
[[ $kept == '[26,27,28,29,30]' ]] || fail "kept: $kept"
[[ $(all) == "$(numbers 30)" ]] || fail "archived and kept: $(all)"
echo "cut while a client logs: 25 archived, 5 kept"

# A memory-update that kills whoever runs it instead of writing the sessions: the archive has been written then.
real=$(command -v memory-update)
mkdir "$dir/deadly"
cat >"$dir/deadly/memory-update" <<SCRIPT
#!/bin/sh
case \$1 in
*archive*) exec "$real" "\$@" ;;
*) kill -KILL \$PPID ;;
esac
SCRIPT
chmod +x "$dir/deadly/memory-update"
for id in {31..40}; do log "$id"; done
for _ in 1 2; do
	if MEMLATCH_SCRIPTS=$dir/deadly${MEMLATCH_SCRIPTS:+:$MEMLATCH_SCRIPTS} "$cap" "$sessions" 5 2>>"$dir/log"; then
		fail "it was not killed"
	fi
done
[[ $(memory-read "$archive" '.sessions | length') == 35 ]] || fail "the kill came before the archive was written"
[[ $(memory-read "$sessions" '.sessions | length') == 15 ]] || fail "the kill came after both files were written"
for id in {41..43}; do log "$id"; done
"$cap" "$sessions" 5 2>>"$dir/log"
[[ $(all) == "$(numbers 43)" ]] || fail "after the kill, archived and kept: $(all)"
echo "killed between the two writes: nothing lost, nothing doubled"

# Equal entries are entries all the same, and an archive that was put away begins anew.
rm "$archive"
{
	memory-update "$sessions" '.sessions = [range(12) | {id: 0}]'
	"$cap" "$sessions" 5
	memory-update "$sessions" '.sessions += [range(3) | {id: 0}]'
	"$cap" "$sessions" 5
} 2>>"$dir/log"
[[ $(memory-read "$archive" '.sessions | length') == 10 ]] || fail "equal entries: $(all)"
echo "equal entries: all archived"

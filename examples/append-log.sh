#!/usr/bin/env bash
# Several clients add lines to one log at once, without reading or rewriting what is already there. No line is lost or torn,
# and a line that a crash has cut off is taken out by the next writer.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

log=$dir/events.jsonl
fail() {
	echo "$1" >&2
	cat "$dir/messages" >&2
	exit 1
}
add() { memory-update "$log" --append --create '{client: $client, n: $n}' --arg client "$1" --argjson n "$2" 2>>"$dir/messages"; }

for client in claude codex cursor; do
	for n in {1..10}; do add "$client" "$n"; done &
done
wait
count=$(memory-read "$log" -s length)
[[ $count == 30 ]] || fail "$count of 30 lines"
# Each client's own lines are in the order in which it wrote them.
for client in claude codex cursor; do
	order=$(memory-read "$log" --arg client "$client" 'select(.client == $client) | .n' | paste -sd ' ')
	[[ $order == "1 2 3 4 5 6 7 8 9 10" ]] || fail "$client: $order"
done
echo "three clients at once: $count lines"

# Half a line, as a writer leaves it that is killed in the middle.
printf '{"client":"claude","n":' >>"$log"
add claude 11
last=$(memory-read "$log" -s -c '.[-1]')
[[ $last == '{"client":"claude","n":11}' ]] || fail "the last line: $last"
grep -q 'unfinished line' "$dir/messages" || fail "the unfinished line was not reported"
count=$(memory-read "$log" -s length)
[[ $count == 31 ]] || fail "$count of 31 lines"
echo "a line cut off by a crash: taken out, and $count whole lines"

# --append makes no backup, for it changes nothing that is there. A change of the whole log is a write like any other.
memory-update "$log" 'map(select(.n > 5))' --backup 2>>"$dir/messages"
count=$(memory-read "$log" -s length)
[[ $count == 16 ]] || fail "$count of 16 lines"
[[ $(wc -l <"$log.bak") == 31 ]] || fail "the backup is not the whole log"
echo "old lines removed: $count left, all of them in the backup"

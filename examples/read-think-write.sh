#!/usr/bin/env bash
# Two clients read one document, think, and write the whole of it back. A plain write loses the first one's work; with the
# base nothing is lost, and only what both changed differently is left to decide.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
file=$dir/decisions.json

fail() {
	echo "$1" >&2
	cat "$dir/log" >&2
	exit 1
}

start() {
	echo '{"decisions": [{"title": "keep it small", "id": 1}], "owner": "nobody"}' >"$file"
	memory-read "$file" --raw >"$dir/base.json"
}

# What a client has made of the document while it was thinking.
thought_of() {
	memory-read "$dir/base.json" --arg client "$1" '.decisions += [{title: "by \($client)", id: $client}]'
}

start
thought_of one | atomic-write "$file" 2>>"$dir/log"
thought_of two | atomic-write "$file" 2>>"$dir/log"
[[ $(memory-read "$file" '.decisions | length') == 2 ]] || fail "without a base the first one's work should be lost"
echo "two plain writes: the first one's work is lost"

start
for client in one two; do
	thought_of "$client" | atomic-write "$file" --base "$dir/base.json" 2>>"$dir/log" || fail "$client could not write"
done
[[ $(memory-read "$file" -c '[.decisions[].id]') == '[1,"one","two"]' ]] || fail "something is lost: $(cat "$file")"
echo "two writes with their base: everything is there"

start
memory-update "$file" '.owner = "one"' 2>>"$dir/log"
status=0
memory-read "$dir/base.json" '.owner = "two"' | atomic-write "$file" --base "$dir/base.json" 2>"$dir/conflict" || status=$?
[[ $status == 76 && $(<"$dir/conflict") == *'.owner: '* ]] || fail "the conflict was not told: $status, $(<"$dir/conflict")"
[[ $(memory-read "$file" -r .owner) == one ]] || fail "a conflict changed the file"
echo "both changed one thing: status 76, and nothing has changed"

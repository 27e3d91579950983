#!/usr/bin/env bash
# Money goes from one file to another and back, from two sides at once. One `with` locks both files, in an order of
# its own, so that the two sides cannot lock each other out; the sum never changes.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

mine=$dir/mine.json yours=$dir/yours.json
echo '{"coins": 100}' >"$mine"
echo '{"coins": 100}' >"$yours"

# The command runs under the locks, so its own updates do not wait for them.
move() {
	file-lock with "$1" "$2" -- sh -ec '
		memory-update "$1" ".coins -= 1"
		memory-update "$2" ".coins += 1"
	' move "$1" "$2"
}

(for _ in {1..25}; do move "$mine" "$yours"; done) 2>>"$dir/log" &
(for _ in {1..25}; do move "$yours" "$mine"; done) 2>>"$dir/log" &
wait

left=$(memory-read "$mine" .coins)
right=$(memory-read "$yours" .coins)
echo "mine: $left, yours: $right"

if [[ $left != 100 || $right != 100 ]]; then
	cat "$dir/log" >&2
	exit 1
fi

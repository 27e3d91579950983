#!/usr/bin/env bash
# Five readers look at a counter while a writer counts to 100. No reader ever sees half a file, and none sees the
# counter go back.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

DATA_FILE=$dir/test-data.json
echo '{"counter": 0}' >"$DATA_FILE"

count_to_100() {
	for _ in {1..100}; do
		memory-update "$DATA_FILE" '.counter += 1' 2>>"$dir/log"
		sleep 0.02
	done
}

# Leaves what went wrong in a file of its own, for a background process cannot fail its parent.
read_until_gone() {
	local writer=$1 reader=$2 value last=0
	while kill -0 "$writer" 2>/dev/null; do
		if ! value=$(memory-read "$DATA_FILE" .counter 2>>"$dir/log"); then
			echo "reader $reader could not read" >>"$dir/wrong"
		elif ! ((value >= last)); then
			echo "reader $reader saw '$value' after $last" >>"$dir/wrong"
		else
			last=$value
		fi
		sleep 0.05
	done
	echo "Reader $reader: $last"
}

count_to_100 &
writer=$!
for reader in {1..5}; do
	read_until_gone "$writer" "$reader" &
done
wait

final=$(memory-read "$DATA_FILE" .counter)
echo "Final counter: $final"

if [[ $final != 100 || -e $dir/wrong ]]; then
	cat "$dir/wrong" "$dir/log" >&2 || true
	exit 1
fi

#!/usr/bin/env bash
# Twenty clients start the same missing file at once. --create makes it under the lock: nobody overwrites anybody.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

file=$dir/clients.json
for client in {1..20}; do
	memory-update "$file" '.clients += [$me]' --create='{"clients": []}' --argjson me "$client" 2>>"$dir/log" &
done
wait

clients=$(memory-read "$file" -c '.clients | sort')
expected="[$(seq -s, 20)]"
echo "clients: $clients"

if [[ $clients != "$expected" ]]; then
	cat "$dir/log" >&2
	exit 1
fi

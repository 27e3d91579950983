#!/usr/bin/env bash
# An update that went wrong is looked at and taken back: three backups in a row, a difference before a write, and a
# restore that can itself be taken back.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

file=$dir/notes.json
fail() {
	echo "$1" >&2
	head -- "$file"* "$dir/log" >&2
	exit 1
}
# The first note of the file and of each backup, the newest first.
row() {
	local name
	for name in "$file" "$file".bak "$file".bak.{2..9}; do
		if [[ -e $name ]]; then memory-read "$name" -r --no-lock '.notes[0]'; fi
	done | paste -sd ' '
}

for note in one two three four five; do
	memory-update "$file" '.notes = [$note]' --arg note "$note" --create --backup=3 2>>"$dir/log"
done
[[ $(row) == "five four three two" ]] || fail "the backups are: $(row)"
echo "three backups: $(row)"

# What would change, before it does.
difference=$(memory-update "$file" 'del(.notes)' --diff)
[[ $difference == *'-  "notes": ['* ]] || fail "the difference does not show what would go"
[[ $(row) == "five four three two" ]] || fail "looking has changed the file"

atomic-write "$file" --restore=2 2>>"$dir/log"
[[ $(row) == "three five four two" ]] || fail "after the restore: $(row)"
echo "the second put back: $(row)"

atomic-write "$file" --restore 2>>"$dir/log"
[[ $(row) == "five three four two" ]] || fail "after taking it back: $(row)"
echo "and taken back: $(row)"

if atomic-write "$file" --restore=9 2>"$dir/refusal"; then fail "a backup was restored that does not exist"; fi
grep -q 'there are: 1 .*, 2 .*, 3 ' "$dir/refusal" || fail "the refusal does not list the backups"

#!/usr/bin/env bash
# Why a value is given with --arg or --argjson and never pasted into the filter: pasted text is program text.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

notes=$dir/notes.json
start='{"notes": ["the first note"]}'

fail() {
	echo "$1" >&2
	cat "$notes" >&2
	exit 1
}

# A quote in the text ends the string early: the update fails, and the note is lost.
quoted='use "atomic-write" here'
echo "$start" >"$notes"
if memory-update "$notes" ".notes += [\"$quoted\"]" 2>/dev/null; then
	fail "the pasted quote should have been a syntax error"
fi
echo "pasted, with a quote:  refused, the note is lost"

# A text that closes the string and the brackets goes on as a filter of its own. The update succeeds and every
# note is gone. Such a text needs no enemy: a session about jq filters holds them.
hostile='x"] | .notes = ["'
echo "$start" >"$notes"
memory-update "$notes" ".notes += [\"$hostile\"]" 2>/dev/null
[[ $(memory-read "$notes" -c .notes) == '[""]' ]] || fail "the pasted filter should have run"
echo "pasted, with a filter: done, all notes are lost"

# As a variable the text is only ever a value.
echo "$start" >"$notes"
for text in "$quoted" "$hostile"; do
	memory-update "$notes" '.notes += [$text]' --arg text "$text" 2>/dev/null
done
[[ $(memory-read "$notes" '.notes | length') == 3 ]] || fail "a note is missing"
[[ $(memory-read "$notes" -r '.notes[1]') == "$quoted" ]] || fail "the quoted note has changed"
[[ $(memory-read "$notes" -r '.notes[2]') == "$hostile" ]] || fail "the hostile note has changed"
echo "with --arg:            every note kept, letter by letter"

# JSON goes through --argjson, which refuses what is not JSON before the file is touched.
memory-update "$notes" '.notes += [$note]' --argjson note '{"text": "as an object"}' 2>/dev/null
[[ $(memory-read "$notes" -r '.notes[3].text') == "as an object" ]] || fail "the object is missing"
if memory-update "$notes" '.notes += [$note]' --argjson note '{"text": "cut off' 2>/dev/null; then
	fail "half an object should have been refused"
fi
echo "with --argjson:        a value is checked before the file is touched"

#!/usr/bin/env bash
# The skills as two clients use them: both start the same project and log at the same time, then look back.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
skills=$(cd "$(dirname "$0")/skills" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

fail() {
	echo "$1" >&2
	cat "$dir/log" >&2
	exit 1
}

client() {
	local name=$1 i
	"$skills/init-memory/init-memory.sh" myapp
	for i in {1..5}; do
		"$skills/log-session/log-session.sh" myapp <<-JSON
			{"id": "$name-$i", "client": "$name", "summary": "step $i of \"the parser\""}
		JSON
	done
}

client claude-code 2>>"$dir/log" &
client cursor 2>>"$dir/log" &
wait

project=$AICONFIG_PATH/memory/projects/myapp
[[ $(memory-read "$project/sessions.json" '.sessions | length') == 10 ]] || fail "sessions are missing"
[[ $(memory-read "$project/context.json" -r .project) == myapp ]] || fail "the context is missing"
echo "two clients, ten sessions: all there"

echo '{"id": "cursor-5", "client": "cursor", "summary": "again"}' |
	"$skills/log-session/log-session.sh" myapp 2>>"$dir/log"
[[ $(memory-read "$project/sessions.json" '.sessions | length') == 10 ]] || fail "the retry made a second entry"
echo "the same session once more: still ten"

[[ $("$skills/recall/recall.sh" myapp PARSER | wc -l) -eq 9 ]] || fail "recall did not find nine sessions"
[[ $("$skills/recall/recall.sh" myapp again) == *'"cursor-5"'* ]] || fail "recall did not find the retry"
if "$skills/recall/recall.sh" myapp "no such text" 2>>"$dir/log"; then fail "recall found what is not there"; fi
echo "recall: found by their text"

edit=$skills/edit-memory/edit-memory.sh
"$edit" read myapp context >"$dir/read.json"
revision=$(memory-read "$dir/read.json" -r .revision)
memory-update "$project/context.json" '.stack += ["rust"]' 2>>"$dir/log"
memory-read "$dir/read.json" '.value | .description = "a parser"' |
	"$edit" write myapp context "$revision" 2>>"$dir/log" || fail "the edited document was not written"
[[ $(memory-read "$project/context.json" -c '[.description, .stack]') == '["a parser",["rust"]]' ]] || fail "an edit is lost"
echo "a document edited for a while: what others did meanwhile is kept"

before=$(memory-read "$project/sessions.json" --raw)
if echo '"no object"' | "$skills/log-session/log-session.sh" myapp 2>>"$dir/log"; then fail "a string was logged"; fi
if echo '{"id": "cut' | "$skills/log-session/log-session.sh" myapp 2>>"$dir/log"; then fail "half an object was logged"; fi
if "$skills/log-session/log-session.sh" ../other </dev/null 2>>"$dir/log"; then fail "a path was taken for a project"; fi
[[ $(memory-read "$project/sessions.json" --raw) == "$before" ]] || fail "a refused session changed the file"
echo "wrong input: refused, the file is as it was"

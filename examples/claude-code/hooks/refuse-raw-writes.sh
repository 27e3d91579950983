#!/usr/bin/env bash
# A PreToolUse hook: refuses tool calls that write to a memory file past its lock, and says what to do instead. The
# client gives the call as JSON on stdin; exit status 2 refuses it and stderr goes to the model.
# It is a reminder and not a wall: a command can hide what it writes.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/aiconfig/scripts}:$PATH

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/call.json"

# The path of a memory file as a word of a command; then what writes to such a word: a redirection, a command that
# changes its arguments, or one that changes its last argument.
if memory-read "$folder/call.json" --no-lock -e '
	"[^\\s;|&<>()]*memory/[^\\s;|&<>()]*\\.json" as $file
	| .tool_input
	| (.file_path // "" | test("/memory/.*\\.json$"))
		or (.command // "" | test(">\\s*" + $file)
			or test("\\b(tee|sponge|truncate|dd|rm|sed\\s+-i|perl\\s+-i)\\b[^;|&]*" + $file)
			or test("\\b(mv|cp|ln|install)\\b[^;|&]*\\s" + $file + "[\"\u0027]?\\s*($|[;|&])"))
' >/dev/null; then
	cat >&2 <<-'TEXT'
		Memory files are shared with other clients: write to them under their lock.
		  to change a file:   memory-update FILE 'FILTER' --arg NAME TEXT --argjson NAME JSON
		  to replace a file:  atomic-write FILE < NEW-CONTENT
		  several commands:   file-lock with FILE -- COMMAND
	TEXT
	exit 2
fi

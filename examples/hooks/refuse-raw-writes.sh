#!/usr/bin/env bash
# Refuses tool calls that write to a memory file past its lock, and says what to do instead. It is a PreToolUse hook of Claude
# Code and Codex, and a BeforeTool hook of Gemini CLI: exit status 2 refuses, and stderr goes to the model. For Cursor it is a
# beforeShellExecution or preToolUse hook: the answer is JSON on stdout. All give the call as JSON on stdin.
# It is a reminder and not a wall: a command can hide what it writes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

# The call may be larger than a command line can be: it holds what a file is to be filled with.
call=$(mktemp)
trap 'rm -f "$call"' EXIT
cat >"$call"

verdict=$(memory-read "$call" --no-lock -r -f "$here/refuse-raw-writes.jq")
{
	read -r event
	files=$(cat)
} <<<"$verdict"

reason="Memory files are shared with other clients: write to them under their lock.
  refused:            ${files//$'\n'/, }
  to change a file:   memory-update FILE 'FILTER' --arg NAME TEXT --argjson NAME JSON
  to replace a file:  atomic-write FILE --base REVISION < NEW-CONTENT (memory-read FILE --revision, when you read it)
  several commands:   file-lock with FILE -- COMMAND"

case $event in
PreToolUse | BeforeTool)
	if [[ $files ]]; then
		printf '%s\n' "$reason" >&2
		exit 2
	fi
	;;
beforeShellExecution | preToolUse)
	if [[ $files ]]; then
		memory-read "$call" --no-lock -n --arg reason "$reason" \
			'{permission: "deny", user_message: "A raw write to a memory file was refused.", agent_message: $reason}'
	else
		echo '{"permission": "allow"}'
	fi
	;;
*)
	echo "refuse-raw-writes.sh: the event '$event' is unknown, so nothing was checked" >&2
	exit 1
	;;
esac

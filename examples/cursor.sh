#!/usr/bin/env bash
# The hooks for Cursor, fed with what the client sends: a raw write to a memory file is denied, other calls are allowed,
# and the end of a session is logged.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
examples=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig HOME=$dir
[[ ${MEMLATCH_SCRIPTS-} ]] || export MEMLATCH_SCRIPTS=$dir/scripts
memlatch install "$MEMLATCH_SCRIPTS" >/dev/null 2>&1 || true
mkdir -p "$AICONFIG_PATH"
cp -R "$examples/hooks" "$AICONFIG_PATH/hooks"

fail() {
	echo "$1" >&2
	exit 1
}

# The command of an event's hook, as hooks.json has it, run by a shell with the event on stdin.
run_hook() {
	local command
	command=$(memory-read "$examples/cursor/hooks.json" --no-lock -r --arg event "$1" '.hooks[$event][0].command')
	sh -c "$command"
}

# What the hook answers to an event, a jq object that is filled with the text.
permission() {
	memory-update "$dir/event.json" --create --arg event "$1" --arg text "$2" "
		$3 + {hook_event_name: \$event, conversation_id: \"c1\", generation_id: \"g1\", workspace_roots: [\"/src/myapp\"]}" 2>/dev/null
	run_hook "$1" <"$dir/event.json" >"$dir/answer.json"
	memory-read "$dir/answer.json" --no-lock -r .permission
}
command_is() { permission beforeShellExecution "$1" '{command: $text, cwd: "/src/myapp", sandbox: false}'; }
file_is() { permission preToolUse "$1" '{tool_name: "Write", tool_input: {file_path: $text, content: "{}"}, cwd: "/src/myapp"}'; }

[[ $(command_is "echo '{}' > memory/projects/myapp/context.json") == deny ]] || fail "a redirection was not denied"
memory-read "$dir/answer.json" --no-lock -e '.agent_message | test("context.json") and test("memory-update")' >/dev/null ||
	fail "the denial does not name the file, or not say what to do instead"
[[ $(command_is "cd memory && jq .a b.json | tee n.json") == deny ]] || fail "tee was not denied"
[[ $(command_is "memory-update memory/n.json '.n += 1'") == allow ]] || fail "memory-update was denied"
[[ $(command_is "npm test > log.txt") == allow ]] || fail "another command was denied"
[[ $(file_is /home/me/aiconfig/memory/n.json) == deny ]] || fail "a Write was not denied"
[[ $(file_is /src/myapp/package.json) == allow ]] || fail "a Write to another file was denied"
echo "raw writes: denied, other calls: allowed"

for id in a b c d a; do
	echo '{"hook_event_name": "sessionEnd", "session_id": "'$id'", "reason": "completed", "duration_ms": 45000}' |
		CURSOR_PROJECT_DIR=/src/myapp run_hook sessionEnd 2>>"$dir/log"
done
ended=$(memory-read "$AICONFIG_PATH/memory/projects/myapp/sessions.json" -c '[.sessions[] | [.id, .client, .reason]]')
expected='[["a","cursor","completed"],["b","cursor","completed"],["c","cursor","completed"],["d","cursor","completed"]]'
[[ $ended == "$expected" ]] || fail "logged sessions: $ended"
echo "four sessions end: all logged, the resumed one once"

# The rule comes with what Cursor reads of it: when it applies.
head -n 5 "$examples/cursor/memory-files.mdc" | grep -q '^globs: .*memory' || fail "the rule does not say where it applies"

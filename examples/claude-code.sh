#!/usr/bin/env bash
# The hooks for Claude Code, fed with what the client sends: raw writes to memory files are refused, other calls are
# not, and the end of a session is logged.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
here=$(cd "$(dirname "$0")/claude-code" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig HOME=$dir
[[ ${MEMLATCH_SCRIPTS-} ]] || export MEMLATCH_SCRIPTS=$dir/scripts
memlatch install "$MEMLATCH_SCRIPTS" >/dev/null 2>&1 || true

fail() {
	echo "$1" >&2
	exit 1
}

# The hook's exit status for one tool call.
judge() {
	local status=0
	"$here/hooks/refuse-raw-writes.sh" 2>"$dir/reason" || status=$?
	echo "$status"
}
bash_call() {
	memory-update "$dir/call.json" --create --arg command "$1" '
		{hook_event_name: "PreToolUse", session_id: "abc123", tool_name: "Bash", tool_input: {command: $command}}' 2>/dev/null
	judge <"$dir/call.json"
}
file_call() {
	memory-update "$dir/call.json" --create --arg tool "$1" --arg path "$2" '
		{hook_event_name: "PreToolUse", session_id: "abc123", tool_name: $tool, tool_input: {file_path: $path}}' 2>/dev/null
	judge <"$dir/call.json"
}

refused=0 allowed=0
while IFS= read -r command; do
	[[ $(bash_call "$command") == 2 ]] || fail "not refused: $command"
	grep -q memory-update "$dir/reason" || fail "the refusal does not say what to do instead"
	refused=$((refused + 1))
done <<'COMMANDS'
echo '{}' > ~/aiconfig/memory/projects/myapp/context.json
jq '.n += 1' a.json >"$HOME/aiconfig/memory/n.json"
cat new.json | tee ~/aiconfig/memory/n.json
jq . x.json > /tmp/x && mv /tmp/x ~/aiconfig/memory/n.json
sed -i 's/a/b/' memory/projects/myapp/context.json
COMMANDS
while IFS= read -r command; do
	[[ $(bash_call "$command") == 0 ]] || fail "refused: $command"
	allowed=$((allowed + 1))
done <<'COMMANDS'
memory-update ~/aiconfig/memory/n.json '.n += 1' 2>/dev/null
memory-read ~/aiconfig/memory/n.json > /tmp/n.json
echo hello > notes.txt; memory-read ~/aiconfig/memory/n.json
atomic-write ~/aiconfig/memory/n.json < /tmp/n.json
cp ~/aiconfig/memory/n.json /tmp/n.json
COMMANDS
[[ $(file_call Write /home/me/aiconfig/memory/projects/myapp/context.json) == 2 ]] || fail "Write was not refused"
[[ $(file_call Edit /home/me/src/memory.rs) == 0 ]] || fail "Edit of another file was refused"
echo "raw writes: $refused refused, $allowed other commands allowed"

end_session() {
	echo '{"hook_event_name": "SessionEnd", "session_id": "'"$1"'", "cwd": "/src/myapp", "reason": "'"$2"'"}' |
		CLAUDE_PROJECT_DIR=/src/myapp "$here/hooks/log-session-end.sh" 2>>"$dir/log"
}
for id in a b c d; do end_session "$id" other & done
wait
end_session a logout

sessions=$AICONFIG_PATH/memory/projects/myapp/sessions.json
ids=$(memory-read "$sessions" -c '[.sessions[].id] | sort')
[[ $ids == '["a","b","c","d"]' ]] || fail "logged sessions: $ids"
[[ $(memory-read "$sessions" -r '.sessions[] | select(.id == "a") | .reason') == logout ]] || fail "the second end is missing"
echo "four sessions end at once: all logged, the resumed one once"

memory-read "$here/settings.json" --no-lock -e '.hooks | has("PreToolUse") and has("SessionEnd")' >/dev/null ||
	fail "settings.json lacks a hook"

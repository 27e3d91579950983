#!/usr/bin/env bash
# The hooks for Claude Code, fed with what the client sends: raw writes to memory files are refused, other calls are
# not, and the end of a session is logged.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
examples=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig HOME=$dir
[[ ${MEMLATCH_SCRIPTS-} ]] || export MEMLATCH_SCRIPTS=$dir/scripts
memlatch install "$MEMLATCH_SCRIPTS" >/dev/null 2>&1 || true

fail() {
	echo "$1" >&2
	exit 1
}

# The hooks lie where the settings look for them, and run as the client runs them: by a shell, with the event on stdin.
mkdir -p "$AICONFIG_PATH"
cp -R "$examples/hooks" "$AICONFIG_PATH/hooks"
hook() {
	memory-read "$examples/claude-code/settings.json" --no-lock -r --arg event "$1" '.hooks[$event][0].hooks[0].command'
}
on_tool_use=$(hook PreToolUse)
on_session_end=$(hook SessionEnd)

# The hook's exit status for one tool call.
judge() {
	local status=0
	sh -c "$on_tool_use" 2>"$dir/reason" >"$dir/answer" || status=$?
	[[ ! -s $dir/answer ]] || fail "the hook printed what the client would take for an answer: $(cat "$dir/answer")"
	echo "$status"
}
bash_call() {
	memory-update "$dir/call.json" --create --arg command "$1" '
		{hook_event_name: "PreToolUse", session_id: "abc123", cwd: "/home/me/src", tool_name: "Bash",
			tool_input: {command: $command, description: "a step"}}' 2>/dev/null
	judge <"$dir/call.json"
}
file_call() {
	memory-update "$dir/call.json" --create --arg tool "$1" --arg path "$2" '
		{hook_event_name: "PreToolUse", session_id: "abc123", cwd: "/home/me/src", tool_name: $tool,
			tool_input: {file_path: $path, content: "{}"}}' 2>/dev/null
	judge <"$dir/call.json"
}

# One command a line; ⏎ stands for a newline in it.
refused=0 allowed=0
while IFS= read -r command; do
	[[ $(bash_call "${command//⏎/$'\n'}") == 2 ]] || fail "not refused: $command"
	grep -q 'refused: .*memory/.*\.json' "$dir/reason" || fail "the refusal does not name the file: $command"
	grep -q memory-update "$dir/reason" || fail "the refusal does not say what to do instead"
	refused=$((refused + 1))
done <<'COMMANDS'
echo '{}' > ~/aiconfig/memory/projects/myapp/context.json
jq '.n += 1' a.json >"$HOME/aiconfig/memory/n.json"
echo '{}' >> memory/n.json
echo '{}' >| memory/n.json
ls &> memory/n.json
cat new.json | tee ~/aiconfig/memory/n.json
FOO=1 sudo tee "memory/with a blank.json" <<< '{}'
jq . x.json > /tmp/x && mv /tmp/x ~/aiconfig/memory/n.json
mv ~/aiconfig/memory/n.json /tmp/
cp new.json ~/aiconfig/memory/n.json
cp context.json ~/aiconfig/memory/projects/myapp/
rm -f ~/aiconfig/memory/n.json
sed -i 's/a/b/' memory/projects/myapp/context.json
perl -pi -e 's/a/b/' memory/n.json
yq -i '.a = 1' memory/n.json
dd if=new.json of=memory/n.json
curl -s https://example.org/n.json -o memory/n.json
cd ~/aiconfig/memory/projects/myapp && echo '{}' > context.json
bash -c "echo '{}' > memory/n.json"
if true; then echo '{}' > memory/n.json; fi
file-lock with memory/n.json -- jq '.n += 1' a.json > memory/n.json
cat > ~/aiconfig/memory/n.json <<'JSON'⏎{}⏎JSON
python3 - <<'PY'⏎with open("/home/me/aiconfig/memory/n.json", "w") as file:⏎    file.write("{}")⏎PY
node -e 'require("fs").writeFileSync("memory/n.json", "{}")'
COMMANDS
while IFS= read -r command; do
	[[ $(bash_call "${command//⏎/$'\n'}") == 0 ]] || fail "refused: $command: $(cat "$dir/reason")"
	allowed=$((allowed + 1))
done <<'COMMANDS'
memory-update ~/aiconfig/memory/n.json '.n += 1' 2>/dev/null
memory-update ~/aiconfig/memory/n.json '.list |= map(select(. > 3))'
memory-read ~/aiconfig/memory/n.json > /tmp/n.json
echo hello > notes.txt; memory-read ~/aiconfig/memory/n.json
atomic-write ~/aiconfig/memory/n.json < /tmp/n.json
atomic-write ~/aiconfig/memory/n.json <<'JSON'⏎{}⏎JSON
file-lock with ~/aiconfig/memory/n.json -- sed -i 's/a/b/' ~/aiconfig/memory/n.json
cp ~/aiconfig/memory/n.json /tmp/n.json
sed -n 1p memory/n.json
grep -c a memory/n.json > /tmp/count 2>&1
git commit -m "never write echo > memory/n.json"
cat > notes.md <<'EOF'⏎never write echo > memory/n.json⏎EOF
cd ~/aiconfig/memory/projects/myapp && memory-read context.json
python3 -c 'print(open("memory/n.json").read())'
echo '{}' > package.json
COMMANDS
for tool in Write Edit MultiEdit; do
	[[ $(file_call "$tool" /home/me/aiconfig/memory/projects/myapp/context.json) == 2 ]] || fail "$tool was not refused"
done
[[ $(file_call Edit /home/me/src/memory.rs) == 0 ]] || fail "Edit of another file was refused"
echo "raw writes: $refused refused, $allowed other commands allowed"

# What the hook cannot judge is an error that the client shows, and refuses nothing: only status 2 does.
[[ $(echo '{"hook_event_name": "Stop"}' | judge) == 1 ]] || fail "an unknown event was taken for a tool call"
[[ $(echo 'no event' | judge) == 1 ]] || fail "a broken event was taken for a tool call"

end_session() {
	echo '{"hook_event_name": "SessionEnd", "session_id": "'"$1"'", "cwd": "/src/myapp", "reason": "'"$2"'"}' |
		CLAUDE_PROJECT_DIR=/src/myapp sh -c "$on_session_end" 2>>"$dir/log"
}
for id in a b c d; do end_session "$id" other & done
wait
end_session a logout

sessions=$AICONFIG_PATH/memory/projects/myapp/sessions.json
ids=$(memory-read "$sessions" -c '[.sessions[].id] | sort')
[[ $ids == '["a","b","c","d"]' ]] || fail "logged sessions: $ids"
[[ $(memory-read "$sessions" -r '.sessions[] | select(.id == "a") | .reason') == logout ]] || fail "the second end is missing"
[[ $(memory-read "$sessions" -r '.sessions[0].client') == claude-code ]] || fail "the client is missing"
echo "four sessions end at once: all logged, the resumed one once"

# A skill is found by its folder, and says by its first lines what it is for.
for skill in log-session init-memory recall; do
	for client in claude-code cursor; do
		grep -qx "name: $skill" "$examples/$client/skills/$skill/SKILL.md" || fail "$client lacks the skill $skill"
	done
done

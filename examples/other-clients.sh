#!/usr/bin/env bash
# The hooks for Codex, Gemini CLI and opencode, fed with what each client sends: raw writes to memory files are refused,
# reading them is not, and the end of a session is logged under the client's own name.
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

# judge SETTINGS EVENT: the exit status of the first hook that the settings name for the event, with a call on stdin.
judge() {
	local command status=0
	command=$(memory-read "$examples/$1" --no-lock -r --arg event "$2" '.hooks[$event][0].hooks[0].command')
	sh -c "$command" 2>"$dir/reason" || status=$?
	echo "$status"
}
expect() {
	[[ $2 == "$3" ]] || fail "$1: expected $2, got $3: $(cat "$dir/reason")"
}

# Codex runs the shell as Bash, and has apply_patch, whose patch stands where a command would.
codex() {
	memory-read "$dir/call.json" -n --arg tool "$1" --arg command "$2" \
		'{hook_event_name: "PreToolUse", session_id: "c1", turn_id: "t1", cwd: "/home/me/aiconfig", tool_name: $tool, tool_input: {command: $command}}' |
		judge codex/hooks.json PreToolUse
}
echo '{}' >"$dir/call.json"
expect "Codex, a redirection" 2 "$(codex Bash 'echo 1 > memory/x.json')"
expect "Codex, git restore" 2 "$(codex Bash 'git restore memory/x.json')"
expect "Codex, git checkout" 2 "$(codex Bash 'git checkout HEAD -- memory/x.json')"
expect "Codex, an update" 0 "$(codex Bash "memory-update memory/x.json '.n = 1'")"
for verb in 'Add File' 'Update File' 'Delete File' 'Move to'; do
	expect "Codex, $verb" 2 "$(codex apply_patch $'*** Begin Patch\n*** '"$verb"$': memory/y.json\n+{}\n*** End Patch')"
	grep -q 'refused: .*memory/y.json' "$dir/reason" || fail "the file is not named: $(cat "$dir/reason")"
done
expect "Codex, a patch of other files" 0 "$(codex apply_patch $'*** Begin Patch\n*** Add File: src/y.json\n+> memory/x.json\n*** End Patch')"
expect "Codex, a patch in the shell" 2 "$(codex Bash $'apply_patch <<EOF\n*** Begin Patch\n*** Add File: memory/y.json\n+{}\n*** End Patch\nEOF')"
echo "Codex: raw writes are refused, in patches too"

gemini() {
	memory-read "$dir/call.json" -n --arg tool "$1" --argjson input "$2" \
		'{hook_event_name: "BeforeTool", session_id: "g1", timestamp: "2026-01-25T10:30:00Z", cwd: "/home/me/aiconfig/memory", tool_name: $tool, tool_input: $input}' |
		judge gemini/settings.json BeforeTool
}
expect "Gemini CLI, its shell" 2 "$(gemini run_shell_command '{"command": "echo 1 > x.json"}')"
expect "Gemini CLI, write_file with a relative path" 2 "$(gemini write_file '{"file_path": "x.json", "content": "{}"}')"
expect "Gemini CLI, replace" 2 "$(gemini replace '{"file_path": "/home/me/aiconfig/memory/x.json"}')"
expect "Gemini CLI, read_file" 0 "$(gemini read_file '{"file_path": "/home/me/aiconfig/memory/x.json"}')"
expect "Gemini CLI, another file" 0 "$(gemini write_file '{"file_path": "../notes.txt"}')"
echo "Gemini CLI: raw writes are refused, and reading is not"

end() {
	local settings=$1 id=$2 command
	command=$(memory-read "$examples/$settings" --no-lock -r '.hooks.SessionEnd[0].hooks[0].command')
	mkdir -p "$dir/myapp"
	echo "{\"hook_event_name\": \"SessionEnd\", \"session_id\": \"$id\", \"reason\": \"other\"}" |
		(cd "$dir/myapp" && CLAUDE_PROJECT_DIR=$dir/myapp sh -c "$command" 2>>"$dir/reason")
}
end codex/hooks.json c1
end gemini/settings.json g1
end claude-code/settings.json a1
logged=$(memory-read "$AICONFIG_PATH/memory/projects/myapp/sessions.json" -c '[.sessions[].client]')
expect "the clients' names" '["codex","gemini","claude-code"]' "$logged"
echo "each session is logged under its client's name"

if command -v node >/dev/null; then
	cp "$examples/opencode/memlatch.js" "$dir/memlatch.mjs"
	cat >"$dir/drive.mjs" <<-'JS'
		import { Memlatch } from "./memlatch.mjs"
		const before = (await Memlatch({ directory: "/home/me/aiconfig" }))["tool.execute.before"]
		const call = async (tool, args) => {
		  try { await before({ tool }, { args }); return "runs" } catch (error) { return error.message.includes("refused:") ? "refused" : error.message }
		}
		console.log([
		  await call("bash", { command: "echo 1 > memory/x.json" }),
		  await call("write", { filePath: "memory/x.json", content: "{}" }),
		  await call("read", { filePath: "memory/x.json" }),
		  await call("bash", { command: "memory-read memory/x.json" }),
		].join(" "))
	JS
	expect "opencode" "refused refused runs runs" "$(node "$dir/drive.mjs" 2>&1)"
	echo "opencode: raw writes are refused, and reading is not"
fi

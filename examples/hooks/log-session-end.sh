#!/usr/bin/env bash
# Notes the end of a session in the project's sessions.json: a SessionEnd hook of Claude Code, Codex and Gemini CLI, a
# sessionEnd hook of Cursor. The client gives the event as JSON on stdin; its own name is the argument, for Codex and Gemini CLI
# send what Claude Code sends. The project's name is that of its folder.
# usage: log-session-end.sh [CLIENT] < EVENT
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

project=$(basename "${GEMINI_PROJECT_DIR:-${CLAUDE_PROJECT_DIR:-${CURSOR_PROJECT_DIR:-$PWD}}}")
client=${1-}
[[ $client || ! ${GEMINI_SESSION_ID-} ]] || client=gemini
sessions=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project/sessions.json
event=$(cat)
mkdir -p "${sessions%/*}"

# A session that is resumed ends more than once: its entry keeps what a skill has put there. The wait is shorter than
# the time that the settings give the hook.
memory-update "$sessions" --timeout 20 --create='{"sessions": []}' --argjson event "$event" --arg client "$client" '
	($event.session_id // $event.conversation_id | strings // error("the event names no session")) as $id
	| {
		id: $id,
		client: (if $client != "" then $client elif $event.hook_event_name == "SessionEnd" then "claude-code" else "cursor" end),
		ended: (now | todate),
		reason: $event.reason
	} as $end
	| if any(.sessions[]; .id == $id)
	  then (.sessions[] | select(.id == $id)) += $end
	  else .sessions += [$end]
	  end'

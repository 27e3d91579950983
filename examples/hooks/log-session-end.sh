#!/usr/bin/env bash
# Notes the end of a session in the project's sessions.json: a SessionEnd hook of Claude Code, a sessionEnd hook of
# Cursor. The client gives the event as JSON on stdin. The project's name is that of its folder.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

project=$(basename "${CLAUDE_PROJECT_DIR:-${CURSOR_PROJECT_DIR:-$PWD}}")
sessions=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project/sessions.json
event=$(cat)
mkdir -p "${sessions%/*}"

# A session that is resumed ends more than once: its entry keeps what a skill has put there. The wait is shorter than
# the time that the settings give the hook.
memory-update "$sessions" --timeout 20 --create='{"sessions": []}' --argjson event "$event" '
	($event.session_id // $event.conversation_id | strings // error("the event names no session")) as $id
	| {
		id: $id,
		client: (if $event.hook_event_name == "SessionEnd" then "claude-code" else "cursor" end),
		ended: (now | todate),
		reason: $event.reason
	} as $end
	| if any(.sessions[]; .id == $id)
	  then (.sessions[] | select(.id == $id)) += $end
	  else .sessions += [$end]
	  end'

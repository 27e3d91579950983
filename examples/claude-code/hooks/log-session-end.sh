#!/usr/bin/env bash
# A SessionEnd hook: notes the end of the session in the project's sessions.json. The client gives the event as JSON
# on stdin. The project's name is that of its folder.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/aiconfig/scripts}:$PATH

project=$(basename "${CLAUDE_PROJECT_DIR:-$PWD}")
sessions=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project/sessions.json
event=$(cat)
mkdir -p "${sessions%/*}"

# A session that is resumed ends more than once: its entry keeps what a skill has put there. The wait is shorter than
# the time that the settings give the hook.
memory-update "$sessions" --timeout 20 --client claude-code --create='{"sessions": []}' --argjson event "$event" '
	{id: $event.session_id, client: "claude-code", ended: (now | todate), reason: $event.reason} as $end
	| if any(.sessions[]; .id == $end.id)
	  then (.sessions[] | select(.id == $end.id)) += $end
	  else .sessions += [$end]
	  end'

#!/usr/bin/env bash
# Puts one session, a JSON object with an "id" on stdin, into a project's sessions.json. The same id again replaces
# the earlier entry, so that a client may simply try again.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

project=${1-}
if [[ ! $project =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]]; then
	echo "usage: log-session.sh PROJECT < SESSION.json" >&2
	exit 2
fi

sessions=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project/sessions.json
session=$(cat)
mkdir -p "${sessions%/*}"

memory-update "$sessions" --create='{"sessions": []}' --backup --argjson session "$session" '
	if ($session | type) != "object" or ($session.id | type) != "string" then
		error("a session is an object with a string \"id\"")
	else
		.sessions |= (map(select(.id != $session.id)) + [$session])
	end'

#!/usr/bin/env bash
# Gives a project its memory files. What is already there stays as it is, so it may run twice, or in two clients at once.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

project=${1-}
if [[ ! $project =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]]; then
	echo "usage: init-memory.sh PROJECT" >&2
	exit 2
fi

folder=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project
mkdir -p "$folder"

# The defaults come first and the file's own content second, and the second wins.
memory-update "$folder/context.json" --create --arg project "$project" \
	'{project: $project, description: "", stack: [], conventions: []} + .'
memory-update "$folder/decisions.json" --create '{decisions: []} + .'
memory-update "$folder/sessions.json" --create '{sessions: []} + .'

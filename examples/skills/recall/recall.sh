#!/usr/bin/env bash
# Prints the latest sessions of a project that hold a text, newest last, one a line. Ends with 1 if there is none.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

project=${1-} text=${2-}
if [[ ! $project =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]]; then
	echo "usage: recall.sh PROJECT [TEXT]" >&2
	exit 2
fi

sessions=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project/sessions.json
if [[ ! -e $sessions ]]; then
	echo "project '$project' has no sessions yet" >&2
	exit 1
fi

found=$(memory-read "$sessions" -c --arg text "$text" '
	[.sessions[] | select(tojson | ascii_downcase | contains($text | ascii_downcase))] | .[-10:][]')
if [[ -z $found ]]; then
	echo "no session of '$project' holds '$text'" >&2
	exit 1
fi
printf '%s\n' "$found"

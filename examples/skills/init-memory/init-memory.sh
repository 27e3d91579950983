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

# Of all that start a file at once exactly one succeeds; for the others it is there, which status 76 says. Then only what is
# missing is added: the defaults come first and the file's own content second, and the second wins.
start() {
	local file=$folder/$1 defaults=$2 status=0 said
	said=$(memory-update "$file" --create --if-revision none --argjson defaults "$defaults" '$defaults' 2>&1) || status=$?
	if ((status == 76)); then
		memory-update "$file" --argjson defaults "$defaults" '$defaults + .'
	else
		echo "$said" >&2
		return "$status"
	fi
}

start context.json "{\"project\": \"$project\", \"description\": \"\", \"stack\": [], \"conventions\": []}"
start decisions.json '{"decisions": []}'
start sessions.json '{"sessions": []}'

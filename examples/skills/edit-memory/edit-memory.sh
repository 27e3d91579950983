#!/usr/bin/env bash
# Reads a memory document with its revision, and writes a new one over that base: what others have changed meanwhile is kept.
# What was read is kept beside the file, so that the base is found even if nobody leaves backups.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

verb=${1-} project=${2-} document=${3-} revision=${4-}
name='^[A-Za-z0-9_][A-Za-z0-9._-]*$'
if [[ ! $project =~ $name || ! $document =~ $name ]]; then
	echo "usage: edit-memory.sh read PROJECT DOCUMENT | write PROJECT DOCUMENT REVISION < NEW.json" >&2
	exit 2
fi
folder=${AICONFIG_PATH:-$HOME/aiconfig}/memory/projects/$project
file=$folder/$document.json
bases=$folder/.bases

case $verb in
read)
	mkdir -p "$bases"
	kept=$(mktemp "$bases/reading.XXXXXX")
	trap 'rm -f "$kept"' EXIT
	memory-read "$file" --raw >"$kept"
	revision=$(memory-read "$kept" --revision)
	mv "$kept" "$bases/$revision.json"
	memory-read "$bases/$revision.json" --with-revision
	# A base that nobody has come back for in a week is of no more use.
	find "$bases" -name '*.json' -mtime +7 -delete
	;;
write)
	if [[ ! $revision =~ ^[0-9a-f]{64}$ ]]; then
		echo "edit-memory.sh: give the revision that read has printed" >&2
		exit 2
	fi
	base=$bases/$revision.json
	[[ -e $base ]] || base=$revision
	atomic-write "$file" --backup=9 --base "$base"
	;;
*)
	echo "usage: edit-memory.sh read|write …" >&2
	exit 2
	;;
esac

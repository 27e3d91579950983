#!/usr/bin/env bash
# Keeps the last sessions of a sessions.json and moves the earlier ones to an archive beside it.
# usage: cap-sessions.sh SESSIONS.json [KEEP]
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH

# The part that runs under the locks of both files. A kill between the two updates leaves sessions in both files and
# loses none; the next run adds to the archive only what is not there yet. The sessions go by a file, for a command
# line has a limit.
if [[ ${1-} == --locked ]]; then
	sessions=$2 archive=$3 keep=$4
	earlier=$(mktemp)
	trap 'rm -f "$earlier"' EXIT
	memory-read "$sessions" --argjson keep "$keep" '.sessions[:-$keep]' >"$earlier"
	memory-update "$archive" --create='{"sessions": []}' --slurpfile earlier "$earlier" \
		'.sessions += ($earlier[0] - .sessions)'
	memory-update "$sessions" --argjson keep "$keep" '.sessions |= .[-$keep:]'
	exit
fi

sessions=${1-} keep=${2-500}
if [[ ! -f $sessions || ! $keep =~ ^[1-9][0-9]*$ ]]; then
	echo "usage: cap-sessions.sh SESSIONS.json [KEEP]" >&2
	exit 2
fi
archive=${sessions%.json}.archive.json

# Without the lock, for it is only to spare both files a write when there is nothing to move.
if (($(memory-read "$sessions" '.sessions | length') <= keep)); then
	exit
fi
file-lock with "$sessions" "$archive" -- "$0" --locked "$sessions" "$archive" "$keep"

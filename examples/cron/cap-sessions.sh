#!/usr/bin/env bash
# Keeps the last sessions of a sessions.json and moves the earlier ones to an archive beside it.
# usage: cap-sessions.sh SESSIONS.json [KEEP]
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:-$HOME/.local/bin}:$PATH

# The part that runs under the locks of both files. It may be killed anywhere: the archive comes first, so no session is
# lost. That none is doubled takes a count: both files say in `moved` how many have ever gone to the archive. Where the
# archive's number is the greater one, a run was killed between the two writes, and the archive's last sessions still
# stand in the other file: those are not added again. The sessions go by a file, for a command line has a limit.
if [[ ${1-} == --locked ]]; then
	sessions=$2 archive=$3 keep=$4
	before=$(mktemp)
	trap 'rm -f "$before"' EXIT
	memory-read "$sessions" --argjson keep "$keep" '{moved: (.moved // 0), earlier: .sessions[:-$keep]}' >"$before"
	memory-update "$archive" --create='{"sessions": []}' --slurpfile before "$before" '
		$before[0] as {moved: $before, earlier: $earlier}
		| ([(.moved // 0) - $before, 0] | max) as $pending
		| ($earlier - if $pending > 0 then .sessions[-$pending:] else [] end) as $new
		| .moved = $before + $pending + ($new | length)
		| .sessions += $new'
	moved=$(memory-read "$archive" .moved)
	memory-update "$sessions" --argjson keep "$keep" --argjson moved "$moved" '.moved = $moved | .sessions |= .[-$keep:]'
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

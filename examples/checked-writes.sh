#!/usr/bin/env bash
# A file that has to look like a schema says: what the skills write fits, what does not fit is refused before it is
# written, with each place and its reason.
set -euo pipefail
PATH=${MEMLATCH_SCRIPTS:+$MEMLATCH_SCRIPTS:}$PATH
here=$(cd "$(dirname "$0")" && pwd)
schemas=$here/schemas
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export AICONFIG_PATH=$dir/aiconfig

fail() {
	echo "$1" >&2
	cat "$dir/log" >&2
	exit 1
}

"$here/skills/init-memory/init-memory.sh" myapp 2>"$dir/log"
echo '{"id": "a1", "client": "cursor", "started": "2026-01-25T10:30:00Z", "summary": "Moved the parser"}' |
	"$here/skills/log-session/log-session.sh" myapp 2>>"$dir/log"

# A dry run with the filter that changes nothing checks a file as it is.
project=$AICONFIG_PATH/memory/projects/myapp
for name in context decisions sessions; do
	memory-update "$project/$name.json" . --dry-run --schema "$schemas/$name.schema.json" >/dev/null 2>>"$dir/log" ||
		fail "what the skills wrote to $name.json does not fit its schema"
done
echo "what the skills write fits the schemas"

sessions=$project/sessions.json
memory-update "$sessions" '.sessions += [{id: "a2", client: "cursor"}]' --schema "$schemas/sessions.schema.json" 2>>"$dir/log"
[[ $(memory-read "$sessions" '.sessions | length') == 2 ]] || fail "a session that fits was not written"

before=$(memory-read "$sessions" --raw)
status=0
memory-update "$sessions" '.sessions += [{client: 5, started: "yesterday"}]' --backup \
	--schema "$schemas/sessions.schema.json" 2>"$dir/refusal" || status=$?
cat "$dir/refusal" >>"$dir/log"
[[ $status == 1 ]] || fail "a session that does not fit ended with status $status"
[[ $(memory-read "$sessions" --raw) == "$before" ]] || fail "a refused session changed the file"
for place in 'at /sessions/2/client: 5 ' 'at /sessions/2/started: "yesterday" ' 'at /sessions/2: "id" '; do
	grep -qF "$place" "$dir/refusal" || fail "the refusal does not say what is wrong $place"
done
echo "what does not fit is refused, with three reasons"

# A whole new content is checked in the same way.
if echo '{"project": "my app"}' |
	atomic-write "$project/context.json" --schema "$schemas/context.schema.json" 2>>"$dir/log"; then
	fail "a name with a blank was written"
fi
[[ $(memory-read "$project/context.json" -r .project) == myapp ]] || fail "a refused context changed the file"
echo "atomic-write checks as well"

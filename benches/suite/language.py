"""What filters cost that build, cut, search and sort: beside jq and jaq, and as the work doubles.

Each row is measured in memory-read at N and at half of it, and at N in the others: the processor's seconds, of the best of
a few runs where one is short. A program that needs more than LIMIT seconds or MEMORY is stopped, and has no figure.
"""

import json
import subprocess

from .bench import Result

LIMIT = 10
MEMORY = 6 << 20  # KB
RUNS = 2

# Filter, N, and what it reads: `null`, or a maker of the document. $n in the filter is N.
NOTHING = "null"


def strings(n):
    return [f"text {i}" for i in range(n)]


def records(n):
    return [{"id": i, "k": i * 7919 % 1000, "tags": ["a", "b"], "t": {"x": i % 10}} for i in range(n)]


def members(n):
    return {f"key{i}": i for i in range(n)}


def lines(n):
    return "\n".join(f"line {i},with,parts" for i in range(n))


def accents(n):
    return "é" * n


def rows():
    """(group, filter, N, document)"""
    build = "Strings and arrays that grow"
    yield build, '[range($n) | tostring] | join(",") | length', 100_000, NOTHING
    yield build, 'join(" ") | length', 200_000, strings
    yield build, 'reduce range($n) as $i (""; . + "abc") | length', 100_000, NOTHING
    yield build, 'reduce range($n) as $i ({s: ""}; .s += "abc") | .s | length', 50_000, NOTHING
    yield build, "reduce range($n) as $i ([]; . + [$i]) | length", 100_000, NOTHING
    yield build, "reduce range($n) as $i ({}; .l |= . + [$i]) | .l | length", 100_000, NOTHING
    yield build, 'reduce range($n) as $i ({}; .["\\($i % 1000)"] += 1) | length', 100_000, NOTHING
    cut = "Slices and deletions in a loop"
    yield cut, "[range($n)] | until(length < 2; .[2:])", 40_000, NOTHING
    yield cut, "reduce range($n) as $i ([range($n)]; .[1:])", 40_000, NOTHING
    yield cut, "reduce range($n) as $i ([range($n)]; .[:-1])", 40_000, NOTHING
    yield cut, '("0123456789" * ($n / 10)) | until(length < 2; .[2:])', 400_000, NOTHING
    yield cut, "def nwise($k): def w: if length <= $k then . else .[:$k], (.[$k:] | w) end; w;"\
               " [[range($n)] | nwise(10)] | length", 200_000, NOTHING
    yield cut, "reduce keys_unsorted[] as $k (.; del(.[$k]))", 20_000, members
    yield cut, "reduce range($n) as $i ([range($n)]; del(.[0]))", 20_000, NOTHING
    yield cut, "reduce range($n) as $i ([range($n)]; del(.[-1]))", 20_000, NOTHING
    yield cut, "del(.[] | select(. % 2 == 0)) | length", 100_000, members
    yield cut, "del(.[]) | length", 100_000, members
    yield cut, "map(del(.t)) | length", 100_000, records
    yield cut, "map(ltrimstr(\"te\")) | length", 200_000, strings
    search = "Search and comparison"
    yield search, "[range($n)] - [range(0; $n; 2)] | length", 30_000, NOTHING
    yield search, "[range($n)] as $a | [range($n) | select(IN($a[]))] | length", 2_000, NOTHING
    yield search, "any(.[]; .id == -1)", 200_000, records
    yield search, "index(\"text 199999\")", 200_000, strings
    yield search, "INDEX(.id) | length", 100_000, records
    expressions = "Regular expressions"
    yield expressions, '[splits("\\n")] | length', 60_000, lines
    yield expressions, '[splits("\\n") | split(",")] | length', 50_000, lines
    yield expressions, 'gsub("1"; "b") | length', 50_000, lines
    yield expressions, 'gsub("é"; "e") | length', 300_000, accents
    yield expressions, '[scan("\\\\w+")] | length', 60_000, lines
    yield expressions, '[match("l(i)ne"; "g").offset] | add', 50_000, lines
    yield expressions, 'test("nothing like it")', 500_000, lines
    yield expressions, 'map(test("[0-9]$")) | length', 200_000, strings
    yield expressions, 'map(split(" "; null)) | length', 50_000, strings
    yield expressions, 'map(sub("1"; "x")) | length', 50_000, strings
    yield expressions, 'map(capture("(?<n>[0-9]+)")) | length', 50_000, strings
    yield expressions, 'test("(?=x)zz")', 1_000_000, accents
    sort = "Sorting and grouping"
    yield sort, "[range($n) | . * 7919 % 1000003] | sort | length", 1_000_000, NOTHING
    yield sort, "[range($n)] | group_by(. % 10) | length", 1_000_000, NOTHING
    yield sort, "sort | length", 200_000, strings
    yield sort, "sort_by(.k) | length", 200_000, records
    yield sort, "group_by(.k) | length", 200_000, records
    yield sort, "unique_by(.k) | length", 200_000, records
    deep = "Nesting, paths and streams"
    yield deep, "reduce range($n) as $i (null; [$i, .]) | [..] | length", 8_000, NOTHING
    yield deep, "[range(7) | [range($n)]] | [combinations] | length", 7, NOTHING
    yield deep, "[paths] | length", 200_000, records
    yield deep, "[.. | numbers] | add", 200_000, records
    yield deep, "fromstream(tostream) | length", 100_000, strings
    yield deep, "fromstream(tostream) | length", 200_000, records
    yield deep, "to_entries | from_entries | length", 100_000, members
    yield deep, "walk(if type == \"number\" then . + 1 else . end) | length", 100_000, records
    yield deep, "tojson | fromjson | length", 100_000, records
    control = "Control"
    yield control, "def fib: if . < 2 then . else (. - 1 | fib) + (. - 2 | fib) end; $n | fib", 24, NOTHING
    yield control, "[range($n) | label $f | (., 1) | ., break $f] | length", 1_000_000, NOTHING
    yield control, "reduce range($n) as $i ([0, 1]; [.[1], (.[0] + .[1]) % 1000])", 100_000, NOTHING
    yield control, "last(range($n))", 10_000_000, NOTHING
    yield control, "[range($n)] | add", 1_000_000, NOTHING
    yield control, "[limit($n; repeat(1))] | length", 1_000_000, NOTHING
    yield control, "[foreach range($n) as $i (0; . + $i)] | length", 1_000_000, NOTHING


def measure(bench):
    result = Result("language", "The language: cost as the work grows")
    groups = {}
    for group, text, n, document in rows():
        row, ratio = one(bench, text, max(2, n // 100) if bench.smoke else n, document)
        groups.setdefault(group, []).append(row)
        if ratio is not None:
            result.target(f"memory-read / the faster of jq and jaq: {text}", ratio, 1.2)
    columns = ["filter", "N", "memory-read, s", "MB", "N / half", *peers(bench), "to the faster"]
    for group, table in groups.items():
        result.table(group, columns, table)
    return result


def peers(bench):
    found = {"jaq": bench.jaq} if bench.jaq else {}
    return {**dict([bench.jq] if bench.jq else []), **found}


def one(bench, text, n, document):
    """A row of the table, and the ratio to the faster of the others."""
    less = max(1, n // 2)
    commands = {"ours": [bench.memory_read, written(bench, document, n), text, "--argjson", "n", str(n)],
                "half": [bench.memory_read, written(bench, document, less), text, "--argjson", "n", str(less)]}
    for name, path in peers(bench).items():
        commands[name] = [path, "--argjson", "n", str(n), text, written(bench, document, n)]
    found = best(bench, commands)
    (ours, megabytes), (before, _) = found.pop("ours"), found.pop("half")
    others = [seconds for seconds, _ in found.values()]
    ran = [seconds for seconds in others if seconds]
    # What a process needs that does nothing is not worth a ratio.
    much = ours and ours > 0.02
    growth = f"{ours / before:.1f} ×" if much and before else "–"
    ratio = ours / min(ran) if much and ran else None
    row = [f"`{text}`", f"{n:,}", shown(ours), f"{megabytes:.0f}", growth, *map(shown, others),
           f"{ratio:.2f} ×" if ratio else "–"]
    return row, ratio


def best(bench, commands):
    """For each command the least seconds of the processor and the peak of memory; the commands run in turn."""
    found = {}
    for turn in range(1 if bench.smoke else RUNS):
        for name, command in commands.items():
            so_far, peak = found.get(name, (None, 0))
            # What failed fails again, and long runs vary little.
            if turn == 0 or so_far and so_far < 0.5:
                seconds, memory = cpu(bench, command)
                known = [s for s in (so_far, seconds) if s]
                found[name] = (min(known) if known else None, max(peak, memory))
    return found


def written(bench, document, n):
    value = None if document == NOTHING else document(n)
    return bench.file(f"language-{document if document == NOTHING else document.__name__}-{n}.json", json.dumps(value))


def shown(seconds):
    return "–" if seconds is None else f"{seconds:.2f}"


def cpu(bench, command):
    """The processor's seconds and the peak of memory in MB of one run; no seconds if it fails or takes too long."""
    limited = ["sh", "-c", f'ulimit -t {LIMIT}; ulimit -v {MEMORY}; exec "$@"', "sh", *command]
    done = subprocess.run([bench.drive, "compare", "1", *limited], env=bench.environment, cwd=bench.work,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        return None, 0
    _, _, microseconds, kilobytes = map(float, done.stdout.split())
    return microseconds / 1e6, kilobytes / 1024

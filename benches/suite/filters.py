"""Filters that reach much of the standard library, against jaq on the same 1 KB file."""

from .bench import Result
from .documents import sessions

RUNS = 60
FILTERS = [
    ".",
    "walk(if type == \"number\" then . + 1 else . end)",
    "[.sessions[].summary | test(\"notes|plan\")]",
    "[.sessions[].summary | gsub(\"[aeiou]\"; \"\")]",
    "[.sessions[].started | fromdate | strftime(\"%Y-%m-%d\")]",
    ".sessions | group_by(.client) | map({key: .[0].client, value: length}) | from_entries",
    ".sessions |= (sort_by(.started) | unique_by(.id))",
    "[paths(type == \"number\")] | length",
    "with_entries(select(.key != \"x\")) | to_entries | map(.key) | join(\",\")",
    "[limit(3; .sessions[])] | map(.tags | index(\"memory\")) | add",
    ".sessions[-1:] | @base64 \"\\(.)\", @uri \"\\(.)\"",
]


def measure(bench):
    result = Result("filters", "Filters that reach much of the standard library, 1 KB file")
    if not bench.jaq:
        return result
    json = bench.file("filters.json", sessions(1000))
    commands = {}
    for text in FILTERS:
        commands["ours", text] = [bench.memory_read, json, text]
        commands["jaq", text] = [bench.jaq, text, json]
    samples = bench.compare(commands, RUNS)
    rows = []
    for text in FILTERS:
        ours, jaq = samples["ours", text].ms, samples["jaq", text].ms
        rows.append([f"`{text}`", f"{ours:.2f}", f"{jaq:.2f}", f"{ours / jaq:.2f} ×"])
        result.target(f"memory-read / jaq, {text}", ours / jaq, 1.0)
    result.table("memory-read against jaq", ["filter", "memory-read, ms", "jaq, ms", "ratio"], rows)
    return result

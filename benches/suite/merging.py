"""Conditional writes and merges: what a condition adds to an update, and documents of 10 MB merged beside peers."""

import json
import shutil
import subprocess

from .bench import Result
from .documents import sessions

RUNS = 200
ADD = ".counter += 1"


def measure(bench):
    result = Result("merging", "Conditions and merges")
    conditions(bench, result)
    merges(bench, result)
    return result


def conditions(bench, result):
    """An update under a condition beside a plain one. The filter changes nothing, so that the revision stays."""
    plain, conditional = (bench.file(f"condition-{name}.json", sessions(1000)) for name in ("plain", "held"))
    for file in (plain, conditional):
        subprocess.run([bench.memory_update, file, "."], check=True, capture_output=True, env=bench.environment)
    read = [bench.memory_read, conditional, "--revision"]
    revision = subprocess.run(read, check=True, capture_output=True, text=True, env=bench.environment).stdout.strip()
    samples = bench.compare({
        "memory-update": [bench.memory_update, plain, "."],
        "memory-update --if-revision": [bench.memory_update, conditional, ".", "--if-revision", revision],
        "memory-update --if-revision --print-revision":
            [">/dev/null", bench.memory_update, conditional, ".", "--if-revision", revision, "--print-revision"],
    }, RUNS)
    base = samples["memory-update"]
    rows = [[name, f"{sample.ms:.3f}", f"{sample.ms / base.ms:.3f} ×"] for name, sample in samples.items()]
    result.table("one update of 1 KB", ["command", "ms (median)", "to a plain update"], rows)
    result.target("memory-update --if-revision / memory-update",
                  samples["memory-update --if-revision"].ms / base.ms, 1.05)


def merges(bench, result):
    peers = {"mergiraf": shutil.which("mergiraf"), "git-json-merge": shutil.which("git-json-merge")}
    rows, times = [], {}
    for label, size, runs in [("1 MB", 1_000_000, 10), ("10 MB", 10_000_000, 5)]:
        if bench.smoke and size > 1_000_000:
            continue
        base, ours, theirs = three(bench, label.replace(" ", "-"), size)
        commands = {
            "read all three": ["sh", "-c", f"for f in {base} {ours} {theirs}; do {bench.memory_read} $f -c; done >/dev/null"],
            "memlatch merge": [">/dev/null", str(bench.memlatch), "merge", base, ours, theirs],
        }
        if peers["mergiraf"]:
            # Two appends to one list are a conflict to it, which is status 1.
            merge = f"{peers['mergiraf']} merge --timeout=0 {base} {ours} {theirs} >/dev/null 2>&1 || [ $? = 1 ]"
            commands["mergiraf"] = ["sh", "-c", merge]
        if peers["git-json-merge"]:
            copy = str(bench.work / "merge-copy.json")
            commands["git-json-merge"] = ["sh", "-c", f"cp {ours} {copy} && {peers['git-json-merge']} {copy} {base} {theirs}"]
        samples = bench.compare(commands, runs)
        reading = samples["read all three"]
        for name, sample in samples.items():
            rows.append([label, name, f"{sample.ms:.0f}", f"{sample.peak_mb:.0f}", f"{sample.ms / reading.ms:.2f} ×"])
        times[label] = samples["memlatch merge"].ms / reading.ms
        last = label, samples["memlatch merge"].ms
        times[f"{label} ms"] = samples["memlatch merge"].ms
    columns = ["documents", "command", "ms (median)", "peak MB", "to reading them"]
    result.table("three documents, of which each side has changed 1 %", columns, rows)
    result.target(f"memlatch merge of {last[0]} / reading them", times[last[0]], 3.0)
    if "10 MB ms" in times:
        result.target("ten times the document / ten times the time", times["10 MB ms"] / times["1 MB ms"] / 10, 1.3)
    for name in (name for name, path in peers.items() if not path):
        print(f"{name} is not installed, so its rows are missing")


def three(bench, label, size):
    """A base, and what two sides have made of it: each has changed one session in a hundred, not the same, and added one in
    a thousand."""
    base = json.loads(sessions(size))
    files = [bench.file(f"merge-{label}-base.json", json.dumps(base, indent=2) + "\n")]
    for side, place in (("ours", 3), ("theirs", 57)):
        document = json.loads(json.dumps(base))
        listed = document["sessions"]
        for session in listed[place::100]:
            session["summary"] = f"changed by {side}"
        listed.extend({**listed[0], "id": f"{side}-{number}"} for number in range(max(len(listed) // 1000, 1)))
        files.append(bench.file(f"merge-{label}-{side}.json", json.dumps(document, indent=2) + "\n"))
    return files

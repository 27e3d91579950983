"""Conditional writes and merges: what a condition adds to an update, and documents of 10 MB merged beside peers."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

from .bench import Result
from .documents import sessions

RUNS = 200

# The seconds after which a peer is ended.
PATIENCE = 300
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
    rows, times, work = [], {}, {}
    for label, size, runs in [("1 MB", 1_000_000, 10), ("10 MB", 10_000_000, 5)]:
        if bench.smoke and size > 1_000_000:
            continue
        documents = base, ours, theirs = three(bench, label.replace(" ", "-"), size)
        samples = bench.compare({
            "read all three": ["sh", "-c", f"for f in {base} {ours} {theirs}; do {bench.memory_read} $f -c; done >/dev/null"],
            "memlatch merge": [">/dev/null", str(bench.memlatch), "merge", base, ours, theirs],
        }, runs)
        reading = samples["read all three"]
        for name, sample in samples.items():
            rows.append([label, name, f"{sample.ms:.0f}", f"{sample.peak_mb:.0f}", f"{sample.ms / reading.ms:.2f} ×"])
        if not bench.smoke:
            rows += [[label, *row] for row in peers(bench, documents, reading.ms)]
        times[label] = samples["memlatch merge"].ms / reading.ms
        work[label] = samples["memlatch merge"].cpu_ms / size
        last = label
    columns = ["documents", "command", "ms (median)", "peak MB", "to reading them"]
    result.table("three documents, of which each side has changed 1 % (a peer runs once)", columns, rows)
    result.target(f"memlatch merge of {last} / reading them", times[last], 3.0)
    if "10 MB" in work:
        result.target("processor time of the merge a byte, 10 MB / 1 MB", work["10 MB"] / work["1 MB"], 1.3)


def peers(bench, documents, reading):
    """The rows of the other programs. Each runs once: the distance is far greater than the noise, and one takes minutes."""
    base, ours, theirs = documents
    copy = str(bench.work / "merge-copy.json")
    shutil.copy(ours, copy)
    commands = {
        "mergiraf": ["merge", "--timeout=0", base, ours, theirs],
        "git-json-merge": [copy, base, theirs],
    }
    for name, words in commands.items():
        program = shutil.which(name)
        if not program:
            print(f"{name} is not installed, so its rows are missing")
            continue
        ms, peak_mb = once([program, *words], PATIENCE)
        if ms is None:
            yield [name, f"> {PATIENCE * 1000}", f"{peak_mb:.0f}", f"> {PATIENCE * 1000 / reading:.0f} ×"]
        else:
            yield [name, f"{ms:.0f}", f"{peak_mb:.0f}", f"{ms / reading:.2f} ×"]


def once(command, patience):
    """The milliseconds of one run, `None` after so many seconds, and its greatest memory in MB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stop = threading.Timer(patience, process.kill)
    stop.start()
    _, status, usage = os.wait4(process.pid, 0)
    ms = (time.monotonic() - start) * 1000
    stop.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if process.returncode == -signal.SIGKILL else ms, usage.ru_maxrss / 1024


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

"""How the time of one update grows with the file, 1 KB to 100 MB."""

import shutil

from .bench import Result
from .documents import sessions
from .large import SPOTS

SIZES = [("1 KB", 10**3, 50), ("10 KB", 10**4, 50), ("100 KB", 10**5, 50),
         ("1 MB", 10**6, 20), ("10 MB", 10**7, 7), ("100 MB", 10**8, 3)]


def measure(bench):
    result = Result("growth", "Growth with size: append one session")
    series, rows = {}, []
    for label, size, runs in SIZES[:2] if bench.smoke else SIZES:
        samples = at_size(bench, size, runs)
        for name, sample in samples.items():
            series.setdefault(name, []).append([size, sample.ms])
        rows.append([label, *(f"{sample.ms:,.2f}" for sample in samples.values())])
    result.table("milliseconds for one update", ["size", *series], rows)
    result.plots["growth"] = {"kind": "lines", "title": "Append one session: time by size of the file",
                              "x": "bytes", "y": "ms", "series": series}
    return result


def at_size(bench, size, runs):
    original = bench.file("growth-original.json", sessions(size))
    ours, output = str(bench.work / "growth.json"), str(bench.work / "growth-output.json")
    shutil.copyfile(original, ours)
    text = SPOTS["append"]
    commands = {
        "memory-update": [bench.memory_update, ours, text],
        "memory-update --no-sync": [bench.memory_update, ours, text, "--no-sync"],
        "durable cp (floor)": [bench.floor, "copy", original, output],
    }
    peers = {"jaq": bench.jaq, "gojq": bench.gojq, **dict([bench.jq] if bench.jq else [])}
    for name, path in peers.items():
        if path:
            commands[f"{name} > file"] = [f">{output}", path, text, original]
    return bench.compare(commands, runs)

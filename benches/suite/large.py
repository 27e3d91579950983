"""Files that grew for a year: 1 MB and 97 MB of sessions, time and peak memory."""

import json
import shutil

from .bench import Result
from .documents import session, sessions

SESSION = session(1).replace("\n", " ")
SPOTS = {
    "append": f".sessions += [{json.dumps(json.loads(SESSION))}]",
    "count": ".counter += 1",
    "set": ".a.b.c = 1",
    "delete": "del(.x)",
}
GENERAL = {
    "select": "[.sessions[] | select(.client == \"codex\") | .id] | length",
    "map": ".sessions |= map(.duration += 1)",
    "group": ".sessions | group_by(.client) | map(length)",
    "keep last": ".sessions |= .[-500:]",
}


def measure(bench):
    result = Result("large", "Large files")
    for label, size, runs in [("1 MB", 1_000_000, 50), ("97 MB", 97_000_000, 5)]:
        if bench.smoke and size > 1_000_000:
            continue
        original = bench.file("large-original.json", sessions(size))
        spot_updates(bench, result, label, original, runs)
        general(bench, result, label, original, runs)
    return result


def spot_updates(bench, result, label, original, runs):
    file = str(bench.work / "large.json")
    output = str(bench.work / "large-output.json")
    shutil.copyfile(original, file)
    commands = {
        "cat FILE | wc -c": ["sh", "-c", f"cat {original} | wc -c"],
        "durable cp (floor)": [bench.floor, "copy", original, output],
        "cp without fsync (floor)": [bench.floor, "copy", original, output, "--no-sync"],
    }
    for name, text in SPOTS.items():
        commands[f"memory-update, {name}"] = [bench.memory_update, file, text]
        commands[f"memory-update --no-sync, {name}"] = [bench.memory_update, file, text, "--no-sync"]
        if bench.jaq:
            commands[f"jaq, {name}"] = [f">{output}", bench.jaq, text, original]
    peers = {**bench.jqs, "gojq": bench.gojq}
    for peer, path in peers.items():
        if path:
            commands[f"{peer}, append"] = [f">{output}", path, SPOTS["append"], original]
    samples = bench.compare(commands, runs)

    rows = [[name, f"{sample.ms:,.1f}", f"{sample.cpu_ms:,.1f}", f"{sample.peak_mb:,.0f}"]
            for name, sample in samples.items()]
    result.table(f"{label}: an update that touches one spot (jaq and jq: filter into a file, no lock, no fsync)",
                 ["command", "ms", "CPU ms", "peak MB"], rows)
    if bench.jaq:
        for name in SPOTS:
            ours, jaq = samples[f"memory-update, {name}"], samples[f"jaq, {name}"]
            result.target(f"{label}, {name}: time / jaq", ours.ms / jaq.ms, 0.35)
            fast = samples[f"memory-update --no-sync, {name}"]
            result.target(f"{label}, {name}: time without fsync / jaq", fast.ms / jaq.ms, 0.35)
            result.target(f"{label}, {name}: peak / jaq", ours.peak_mb / jaq.peak_mb, 0.4)
    beyond = samples["cat FILE | wc -c"].ms + samples["durable cp (floor)"].ms
    result.target(f"{label}, append: time / (cat | wc + durable cp)",
                  samples["memory-update, append"].ms / beyond, 3.0)
    result.plots[f"large-{label.replace(' ', '').lower()}"] = {
        "kind": "bars", "title": f"Append one session to {label}", "unit": "ms",
        "bars": {name: sample.ms for name, sample in samples.items()
                 if not name.endswith(tuple(name for name in SPOTS if name != "append"))}}
    for path in (file, output):
        (bench.work / path).unlink(missing_ok=True)


def general(bench, result, label, original, runs):
    if not bench.jaq:
        return
    commands = {}
    for name, text in GENERAL.items():
        commands["ours", name] = [bench.memory_read, original, text]
        commands["jaq", name] = [bench.jaq, text, original]
    samples = bench.compare(commands, max(3, runs // 2))
    rows = []
    for name, text in GENERAL.items():
        ours, jaq = samples["ours", name], samples["jaq", name]
        rows.append([f"`{text}`", f"{ours.ms:,.1f}", f"{jaq.ms:,.1f}", f"{ours.ms / jaq.ms:.2f} ×",
                     f"{ours.peak_mb:,.0f}", f"{jaq.peak_mb:,.0f}", f"{ours.peak_mb / jaq.peak_mb:.2f} ×"])
        result.target(f"{label}, {name}: time / jaq", ours.ms / jaq.ms, 1.0)
        result.target(f"{label}, {name}: peak / jaq", ours.peak_mb / jaq.peak_mb, 1.0)
    result.table(f"{label}: any filter, memory-read against jaq",
                 ["filter", "ms", "jaq, ms", "ratio", "peak MB", "jaq, MB", "ratio"], rows)

"""The headline: what one command on a 1 KB file costs, and how far that is from the floor."""

from .bench import Result
from .documents import sessions

RUNS = 200
ADD = ".counter += 1"


def measure(bench):
    result = Result("small", "One command on a 1 KB file")
    update(bench, result)
    others(bench, result)
    return result


def update(bench, result):
    def file(name):
        return bench.file(f"{name}.json", sessions(1000))

    commands = {
        "nothing (a static C program that ends at once)": [bench.floor, "nothing"],
        "floor, no fsync": [bench.floor, "update", file("floor-fast"), "--no-sync"],
        "floor": [bench.floor, "update", file("floor")],
        "memory-update --no-sync": [bench.memory_update, file("fast"), ADD, "--no-sync"],
        "memory-update": [bench.memory_update, file("durable"), ADD],
    }
    if bench.jaq:
        commands["jaq . alone"] = [bench.jaq, ".", file("jaq")]
    for label, jq in bench.jqs.items():
        commands[f"{label} . alone"] = [jq, ".", file(label)]
        if bench.flock:
            commands[f"flock + {label} + mv"] = bench.pipeline(jq, ADD, file(f"pipe-{label[3:]}"))
    samples = bench.compare(commands, RUNS)
    show(result, "one update", samples, "floor")

    ours = samples["memory-update"].ms
    result.target("memory-update / floor", ours / samples["floor"].ms, 1.3)
    result.target("memory-update --no-sync / floor, no fsync",
                  samples["memory-update --no-sync"].ms / samples["floor, no fsync"].ms, 1.3)
    if bench.jq and bench.flock:
        label = bench.jq[0]
        result.target(f"memory-update / flock + {label} + mv",
                      ours / samples[f"flock + {label} + mv"].ms, 0.30)
    result.plots["small"] = {"kind": "bars", "title": "One update of a 1 KB file", "unit": "ms",
                             "bars": {name: sample.ms for name, sample in samples.items()}}


def others(bench, result):
    text = sessions(1000)
    json, source = bench.file("other.json", text), bench.file("source.json", text)
    pairs = {
        "memory-read": ([bench.memory_read, json], [bench.floor, "read", json]),
        "memory-read .counter": ([bench.memory_read, json, ".counter"], [bench.floor, "read", json]),
        "atomic-write": ([f"<{source}", bench.atomic_write, json],
                         [f"<{source}", bench.floor, "write", json]),
        "file-lock status": ([bench.file_lock, "status", json], [bench.floor, "status", json]),
    }
    commands = {}
    for name, (ours, floor) in pairs.items():
        commands[name] = ours
        commands[f"floor of {name}"] = floor
    samples = bench.compare(commands, RUNS)
    rows = []
    for name in pairs:
        ours, floor = samples[name], samples[f"floor of {name}"]
        rows.append([name, f"{ours.ms:.2f}", f"{floor.ms:.2f}", f"{ours.ms / floor.ms:.2f} ×"])
        result.target(f"{name} / its floor", ours.ms / floor.ms, 1.3)
    result.table("the other commands", ["command", "ms", "floor, ms", "ratio"], rows)


def show(result, heading, samples, base):
    rows = [[name, f"{sample.ms:.2f}", f"{sample.low_ms:.2f}–{sample.high_ms:.2f}", f"{sample.cpu_ms:.2f}",
             f"{sample.peak_mb:.1f}", f"{sample.ms / samples[base].ms:.2f} ×"]
            for name, sample in samples.items()]
    result.table(heading, ["command", "ms (median)", "10–90 %", "CPU ms", "peak MB", f"to {base}"], rows)

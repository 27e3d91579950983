"""Many writers at once: updates per second, none lost, and how long the slowest waits."""

import re

from .bench import Result, joined
from .documents import sessions

ADD = ".counter += 1"
ROUNDS = 3


def measure(bench):
    result = Result("crowds", "Crowds")
    writers(bench, result)
    many_files(bench, result)
    readers(bench, result)
    return result


def writers(bench, result):
    sizes = [2] if bench.smoke else [2, 8, 64]
    rows, bars = [], {}
    for size in sizes:
        contestants = {
            "floor": lambda file: [bench.floor, "update", file],
            "memory-update": lambda file: [bench.memory_update, file, ADD],
            "floor, no fsync": lambda file: [bench.floor, "update", file, "--no-sync"],
            "memory-update --no-sync": lambda file: [bench.memory_update, file, ADD, "--no-sync"],
        }
        if bench.jq and bench.flock:
            contestants[f"flock + {bench.jq[0]} + mv"] = lambda file: bench.pipeline(bench.jq[1], ADD, file)
        rates, worst = {}, {}
        for _ in range(1 if bench.smoke else ROUNDS):
            for name, command in contestants.items():
                rate, mean_spread, longest = one_file(bench, size, command)
                rates.setdefault(name, []).append(rate)
                worst.setdefault(name, []).append((mean_spread, longest))
        for name in contestants:
            rate = sorted(rates[name])[len(rates[name]) // 2]
            spread, longest = max(spread for spread, _ in worst[name]), max(longest for _, longest in worst[name])
            rows.append([size, name, f"{rate:,.0f}", f"{spread:.2f} ×", f"{longest:.1f} ×"])
            bars[f"{size} × {name}"] = rate
            rates[name] = rate
            worst[name] = spread, longest
        result.target(f"{size} writers: updates/s to the floor's", rates["memory-update"] / rates["floor"],
                      0.7, at_least=True)
        result.target(f"{size} writers, no fsync: updates/s to the floor's",
                      rates["memory-update --no-sync"] / rates["floor, no fsync"], 0.7, at_least=True)
        result.target(f"{size} writers: slowest writer's mean wait / mean", worst["memory-update"][0], 3.0)
    result.table("writers on one file (none lost: the counter is checked)",
                 ["writers", "command", "updates/s", "slowest writer's mean wait / mean", "longest wait / mean"], rows)
    result.plots["crowds"] = {"kind": "bars", "title": "Writers on one file", "unit": "updates/s", "bars": bars}


def one_file(bench, size, command):
    """Updates per second; the slowest writer's mean wait and the longest wait, both to the mean."""
    file = bench.file("crowd.json", sessions(1000))
    lines = crowd(bench, [(size, command(file))])
    total = sum(runs for _, _, runs, _, _ in lines)
    counted = int(re.search(r'"counter": (\d+)', open(file).read())[1])
    if counted != total:
        raise SystemExit(f"{command(file)}: {total} updates reported, {counted} stored")
    mean = sum(elapsed for *_, elapsed, _ in lines) / total
    slowest = max(elapsed / runs for _, _, runs, elapsed, _ in lines)
    longest = max(line[-1] for line in lines)
    return rate_of(lines), slowest / mean, longest / mean


def many_files(bench, result):
    size = 2 if bench.smoke else 64
    rates = {}
    for _ in range(1 if bench.smoke else ROUNDS):
        for number in range(size):
            bench.file(f"many-{number}.json", sessions(1000))
        file = str(bench.work / "many-{}.json")
        for name, command in {"floor": [bench.floor, "update", file],
                              "memory-update": [bench.memory_update, file, ADD]}.items():
            rates.setdefault(name, []).append(rate_of(crowd(bench, [(size, command)])))
    medians = {name: sorted(rate)[len(rate) // 2] for name, rate in rates.items()}
    result.table(f"{size} writers, each on a file of its own", ["command", "updates/s"],
                 [[name, f"{rate:,.0f}"] for name, rate in medians.items()])
    result.target(f"{size} writers on {size} files: updates/s to the floor's",
                  medians["memory-update"] / medians["floor"], 0.7, at_least=True)


def readers(bench, result):
    """One writer beside readers of its file.

    Readers without a pause take the processors from the writer, whatever they read: what the lock itself costs is the
    difference between readers of its file and as many readers of another.
    """
    size = 2 if bench.smoke else 64
    mine, other = bench.file("mine.json", sessions(1000)), bench.file("other.json", sessions(1000))
    writer = (1, [bench.memory_update, mine, ADD])
    floor_writer = (1, [bench.floor, "update", mine])
    alone, paced, apart, together = ("alone", f"beside {size} readers of its file, each every 100 ms",
                                     f"beside {size} readers of another file, without a pause",
                                     f"beside {size} readers of its file, without a pause")
    settings = {
        alone: [writer],
        paced: [writer, (f"{size}:100", [bench.memory_read, mine])],
        apart: [writer, (size, [bench.memory_read, other])],
        together: [writer, (size, [bench.memory_read, mine])],
        "floor, alone": [floor_writer],
        "floor, " + apart: [floor_writer, (size, [bench.memory_read, other])],
    }
    rates = {}
    for _ in range(1 if bench.smoke else ROUNDS):
        for name, groups in settings.items():
            lines = crowd(bench, groups)
            rates.setdefault(name, []).append((rate_of(lines, 0), rate_of(lines, 1)))
    rows = []
    for name, pairs in rates.items():
        rates[name] = [sorted(side)[len(side) // 2] for side in zip(*pairs)]
        rows.append([name, f"{rates[name][0]:,.0f}", f"{rates[name][1]:,.0f}"])
    result.table("one writer", ["", "updates/s", "reads/s"], rows)
    result.target(f"a writer {paced} / alone", rates[paced][0] / rates[alone][0], 0.5, at_least=True)
    result.target(f"a writer beside {size} readers of its file / of another file",
                  rates[together][0] / rates[apart][0], 0.5, at_least=True)


def crowd(bench, groups):
    seconds = 0.3 if bench.smoke else 3
    return bench.drive_lines("crowd", seconds, *joined([str(size), *command] for size, command in groups))


def rate_of(lines, part=0):
    return sum(runs / elapsed * 1e6 for which, _, runs, elapsed, _ in lines if which == part)

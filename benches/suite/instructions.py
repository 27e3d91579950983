"""Instructions and system calls: the figures that do not depend on a quiet machine."""

import re
import shutil
import subprocess

from .bench import Result
from .documents import sessions


def measure(bench):
    result = Result("instructions", "Instructions and system calls, 1 KB file")
    json = bench.file("count.json", sessions(1000))
    commands = {
        "floor nothing": [bench.floor, "nothing"],
        "floor update": [bench.floor, "update", json],
        "memory-update": [bench.memory_update, json, ".counter += 1"],
        "memory-read": [bench.memory_read, json],
        "memory-read .counter": [bench.memory_read, json, ".counter"],
        "atomic-write --content": [bench.atomic_write, json, "--content", '{"counter": 1}'],
        "file-lock status": [bench.file_lock, "status", json],
    }
    if bench.jaq:
        commands["jaq ."] = [bench.jaq, ".", json]
    if bench.jq:
        commands[f"{bench.jq[0]} ."] = [bench.jq[1], ".", json]
    rows = [[name, thousands(instructions(bench, command)), thousands(system_calls(bench, command))]
            for name, command in commands.items()]
    result.table("per command", ["command", "instructions", "system calls"], rows)
    return result


def instructions(bench, command):
    if not shutil.which("valgrind"):
        return None
    done = run(bench, ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def system_calls(bench, command):
    if not shutil.which("strace"):
        return None
    trace = bench.work / "trace"
    run(bench, ["strace", "-f", "-o", trace, *command])
    return sum(1 for line in trace.read_text().splitlines()
               if re.search(r"^\d+ +\w+\(", line))


def run(bench, command):
    done = subprocess.run(command, env=bench.environment, cwd=bench.work, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise SystemExit(f"{command} failed: {done.stderr}")
    return done


def thousands(number):
    return "–" if number is None else f"{number:,}"

"""The programs under measurement, a folder to work in, and the stopwatch."""

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("file-lock", "memory-update", "memory-read", "atomic-write")


@dataclass
class Sample:
    """The medians of one command's runs."""

    ms: float
    cpu_ms: float
    peak_mb: float
    low_ms: float
    high_ms: float
    runs: int


@dataclass
class Result:
    """What a section found: tables for people, targets to hold, plots to draw."""

    name: str
    title: str
    tables: list = field(default_factory=list)
    targets: list = field(default_factory=list)
    plots: dict = field(default_factory=dict)

    def table(self, heading, columns, rows):
        self.tables.append({"heading": heading, "columns": columns, "rows": rows})

    def target(self, what, value, limit, unit="×", at_least=False):
        """Records that `value` is wanted at or under `limit` (or at least `limit`)."""
        holds = value >= limit if at_least else value <= limit
        self.targets.append({"what": what, "value": round(value, 4), "limit": limit, "unit": unit,
                             "sense": "≥" if at_least else "≤", "holds": holds})


class Bench:
    def __init__(self, binary, smoke):
        self.smoke = smoke
        self.target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        self.folder = self.target / "bench"
        self.work = self.folder / "work"
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("LOCK_", "MEMLATCH_", "AICONFIG_"))}
        self.environment["AICONFIG_PATH"] = str(self.work)
        shutil.rmtree(self.work, ignore_errors=True)
        (self.work / ".locks").mkdir(parents=True, mode=0o700)
        self.memlatch = self.installed(Path(binary) if binary else self.build())
        for tool in TOOLS:
            link = self.work / tool
            link.symlink_to(self.memlatch)
            setattr(self, tool.replace("-", "_"), str(link))
        self.floor, self.drive = self.compile("floor"), self.compile("drive")
        self.jqs = self.find_jqs()
        self.jaq = shutil.which("jaq")
        self.gojq = shutil.which("gojq")
        self.flock = shutil.which("flock")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work, ignore_errors=True)

    # --- programs

    def build(self):
        """Builds the release, and asks cargo where it lies."""
        build = ["cargo", "build", "--release", "--quiet", "--bin", "memlatch", "--message-format=json"]
        done = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        made = [json.loads(line).get("executable") for line in done.stdout.splitlines()]
        return Path(next(path for path in made if path))

    def installed(self, program):
        """A copy, as installing makes one: what a linker has just written lies in the page cache in many small pieces,
        and each start pays for that."""
        copy = self.folder / "installed" / program.name
        copy.parent.mkdir(exist_ok=True)
        copy.unlink(missing_ok=True)
        shutil.copy(program, copy)
        return copy.resolve()

    def compile(self, name):
        made = self.folder / name
        # Static on purpose, and so Linux only: a dynamic loader is no part of the floor.
        subprocess.run(["cc", "-O2", "-static", "-Wno-unused-result", "-o", made,
                        ROOT / "benches" / f"{name}.c"], check=True)
        return str(self.installed(made))

    def find_jqs(self):
        """The installed versions of jq, newest first: {"jq 1.8.2": path}."""
        found = {}
        for name in ("jq", "jq-1.8", "jq-1.7", "jq-1.6"):
            path = shutil.which(name)
            if path:
                version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
                found.setdefault(version.strip().replace("jq-", "jq "), path)
        return dict(sorted(found.items(), key=lambda item: numbers(item[0]), reverse=True))

    @property
    def jq(self):
        """The newest jq as (label, path), or None."""
        return next(iter(self.jqs.items()), None)

    def pipeline(self, jq, filter_text, file):
        """What a careful shell script does: flock, filter into a file beside it, rename."""
        script = f"{jq} '{filter_text}' {file} >{file}.new && mv {file}.new {file}"
        return [self.flock, f"{file}.flock", "sh", "-c", script]

    def describe(self):
        def version(program, *arguments):
            if not program:
                return None
            done = subprocess.run([program, *arguments], capture_output=True, text=True)
            return (done.stdout or done.stderr).strip().splitlines()[0]

        peers = [version(self.memlatch, "--version"), *self.jqs, version(self.jaq, "--version"),
                 version(self.gojq, "--version"), version(self.flock, "--version")]
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT,
                                capture_output=True, text=True).stdout.strip()
        return (f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, commit {commit}; "
                + ", ".join(peer for peer in peers if peer))

    # --- files

    def file(self, name, text):
        path = self.work / name
        path.write_text(text)
        return str(path)

    # --- stopwatch

    def drive_lines(self, *words):
        """Runs the driver; its lines as tuples of numbers."""
        done = subprocess.run([self.drive, *map(str, words)], env=self.environment, cwd=self.work,
                              stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit("a command under measurement failed")
        return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]

    def compare(self, commands, runs):
        """Runs the commands in turn; {name: Sample}. The first round warms up and is dropped."""
        runs = 1 if self.smoke else runs + 1
        lines = self.drive_lines("compare", runs, *joined(commands.values()))
        samples = {}
        for index, name in enumerate(commands):
            mine = [line for line in lines if line[0] == index]
            mine = mine[1:] or mine
            times = sorted(line[1] / 1e3 for line in mine)
            samples[name] = Sample(
                ms=statistics.median(times),
                cpu_ms=statistics.median(line[2] for line in mine) / 1e3,
                peak_mb=max(line[3] for line in mine) / 1024,
                low_ms=times[len(times) // 10],
                high_ms=times[len(times) * 9 // 10],
                runs=len(times),
            )
        return samples


def joined(commands):
    """Commands as the driver takes them: separated by `:::`."""
    words = []
    for command in commands:
        words += [":::"] * bool(words) + list(command)
    return words


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]

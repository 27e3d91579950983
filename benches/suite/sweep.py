"""`show` and `cleanup` over thousands of stale locks."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .bench import Result

COUNT = 10_000


def measure(bench):
    """In memory where that can be had: how a disk frees inodes is no business of memlatch's."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="memlatch-bench-") as folder:
        place = Place(bench, Path(folder), {**bench.environment, "AICONFIG_PATH": folder})
        (place.work / ".locks").mkdir(mode=0o700)
        return sweep(place)


@dataclass
class Place:
    """A lock folder of its own for the bench's programs."""

    bench: object
    work: Path
    environment: dict

    def __getattr__(self, name):
        return getattr(self.bench, name)

    def file(self, name, text):
        path = self.work / name
        path.write_text(text)
        return str(path)


def sweep(bench):
    result = Result("sweep", "Stale locks")
    count = 50 if bench.smoke else COUNT
    rows = []
    for kind, make in {"leases of a dead owner": leases, "locks of the old scripts": script_locks}.items():
        make(bench, count)
        rows.append([kind, "rm -rf of the folder", f"{removal(bench) / count:.4f}"])
        make(bench, count)
        for verb in ("show", "cleanup"):
            began = time.monotonic()
            subprocess.run([bench.file_lock, verb], env=bench.environment, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            each = (time.monotonic() - began) * 1e3 / count
            rows.append([kind, verb, f"{each:.4f}"])
            result.target(f"{verb} of {kind}", each, 0.1, "ms a lock")
        left = [entry for entry in os.listdir(bench.work / ".locks") if entry.endswith(".lock")]
        if left:
            raise SystemExit(f"cleanup left {len(left)} of {count} {kind}")
    result.table(f"{count:,} stale locks", ["kind", "command", "ms a lock"], rows)
    return result


def removal(bench):
    """What the file system alone takes to remove as many."""
    began = time.monotonic()
    subprocess.run(["rm", "-rf", bench.work / ".locks"], check=True)
    took = (time.monotonic() - began) * 1e3
    (bench.work / ".locks").mkdir(mode=0o700)
    return took


def leases(bench, count):
    """One real lease, copied under other names once its owner is dead."""
    locks = bench.work / ".locks"
    first = bench.file("stale.json", "{}\n")
    owner = subprocess.Popen(["sleep", "100"])
    lock = subprocess.run([bench.file_lock, "acquire", first, "--owner", str(owner.pid)], check=True,
                          env=bench.environment, stdout=subprocess.PIPE, text=True).stdout.strip()
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    info = (locks / f"{lock}.lock" / "info").read_text()
    for number in range(count - 1):
        target = str(bench.work / f"stale-{number}.json")
        name = hashlib.sha256(target.encode()).hexdigest()
        folder = locks / f"{name}.lock"
        folder.mkdir()
        shutil.copymode(locks / f"{lock}.lock", folder)
        (folder / "info").write_text(info.replace(first, target))
        (locks / f"{name}.guard").touch(0o600)


def script_locks(bench, count):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for number in range(count):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        folder = bench.work / ".locks" / f"{name}.lock"
        folder.mkdir()
        (folder / "info").write_text(f"PID: {gone.pid}\nACQUIRED: 2026-01-01T00:00:00Z\nHOSTNAME: {os.uname().nodename}\n")

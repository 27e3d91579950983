"""From the end of one holder to the first instruction of the next waiter's command."""

import os
import signal
import statistics
import subprocess
import time

from .bench import Result
from .documents import sessions

RUNS = 50


def measure(bench):
    result = Result("handover", "Hand-over to a waiter that sleeps")
    file = bench.file("handover.json", sessions(1000))
    ways = {
        "the end of `with`": after_with,
        "`release`, from its end": after_release,
        "the owner's death (SIGKILL)": after_death,
        "the death of `with` and its command (SIGKILL)": after_kill,
    }
    rows = []
    for name, way in ways.items():
        times = sorted(way(bench, file) for _ in range(1 if bench.smoke else RUNS))
        median = statistics.median(times)
        rows.append([name, f"{median:.2f}", f"{times[0]:.2f}", f"{times[-1]:.2f}"])
        result.target(f"hand-over after {name}", median, 1.0, "ms")
    if bench.flock:
        times = [after_flock(bench, file) for _ in range(1 if bench.smoke else RUNS)]
        rows.append(["flock(1), the end of its command", f"{statistics.median(times):.2f}",
                     f"{min(times):.2f}", f"{max(times):.2f}"])
    result.table("ms until the waiter's command runs", ["after", "median", "least", "most"], rows)
    return result


def start(bench, *command, **pipes):
    return subprocess.Popen(command, env=bench.environment, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, **pipes)


def waiter(bench, file):
    """A waiter that says when its command begins; asleep by the time this returns."""
    waiting = start(bench, bench.file_lock, "with", file, "--", bench.drive, "stamp", stdin=subprocess.DEVNULL)
    time.sleep(0.03)
    return waiting


def milliseconds(waiting, since):
    return (int(waiting.communicate()[0]) - since) / 1e6


def lease(bench, file):
    owner = subprocess.Popen(["sleep", "100"])
    taken = start(bench, bench.file_lock, "acquire", file, "--owner", str(owner.pid))
    return owner, taken.communicate()[0].strip()


def after_with(bench, file):
    holder = start(bench, bench.file_lock, "with", file, "--", bench.drive, "hold", stdin=subprocess.PIPE)
    time.sleep(0.02)
    waiting = waiter(bench, file)
    since = int(holder.communicate()[0])
    return milliseconds(waiting, since)


def after_flock(bench, file):
    holder = start(bench, bench.flock, f"{file}.flock", bench.drive, "hold", stdin=subprocess.PIPE)
    time.sleep(0.02)
    waiting = start(bench, bench.flock, f"{file}.flock", bench.drive, "stamp")
    time.sleep(0.03)
    since = int(holder.communicate()[0])
    return milliseconds(waiting, since)


def after_release(bench, file):
    """Negative when the waiter's command ran before `release` was gone."""
    owner, lock = lease(bench, file)
    waiting = waiter(bench, file)
    subprocess.run([bench.file_lock, "release", lock, "--force"], env=bench.environment,
                   stderr=subprocess.DEVNULL, check=True)
    since = time.monotonic_ns()
    took = milliseconds(waiting, since)
    owner.kill()
    owner.wait()
    return took


def after_death(bench, file):
    owner, _ = lease(bench, file)
    waiting = waiter(bench, file)
    since = time.monotonic_ns()
    owner.kill()
    took = milliseconds(waiting, since)
    owner.wait()
    return took


def after_kill(bench, file):
    holder = start(bench, bench.file_lock, "with", file, "--", "sleep", "100", start_new_session=True)
    time.sleep(0.02)
    waiting = waiter(bench, file)
    since = time.monotonic_ns()
    os.killpg(holder.pid, signal.SIGKILL)
    took = milliseconds(waiting, since)
    holder.communicate()
    return took

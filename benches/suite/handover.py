"""From the end of one holder to the next waiter's first instruction under the lock, and that of its command."""

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
        runs = [way(bench, file) for _ in range(1 if bench.smoke else RUNS)]
        locked, running = (sorted(times) for times in zip(*runs))
        median = statistics.median(locked)
        rows.append([name, f"{median:.2f}", f"{locked[0]:.2f}", f"{locked[-1]:.2f}", f"{statistics.median(running):.2f}"])
        result.target(f"hand-over after {name}", median, 1.0, "ms")
    if bench.flock:
        times = [after_flock(bench, file) for _ in range(1 if bench.smoke else RUNS)]
        rows.append(["flock(1), the end of its command", "", "", "", f"{statistics.median(times):.2f}"])
    result.table("ms until the waiter has the lock, and until its command runs",
                 ["after", "locked: median", "least", "most", "running: median"], rows)
    return result


def start(bench, *command, **pipes):
    return subprocess.Popen(command, env=bench.environment, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, **pipes)


class Waiter:
    """Tells when it has the lock and when its command begins; asleep by the time it is made."""

    def __init__(self, bench, file):
        self.heard = subprocess.Popen([bench.drive, "heard", "Lock acquired"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen([bench.file_lock, "with", file, "--", bench.drive, "stamp"],
                                        env={**bench.environment, "LOCK_DEBUG": "1"}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.heard.stdin, text=True)
        self.heard.stdin.close()
        time.sleep(0.03)

    def milliseconds(self, since):
        """Until it had the lock, and until its command ran."""
        running = int(self.process.communicate()[0])
        locked = int(self.heard.stdout.read())
        self.heard.wait()
        return (locked - since) / 1e6, (running - since) / 1e6


def lease(bench, file):
    owner = subprocess.Popen(["sleep", "100"])
    taken = start(bench, bench.file_lock, "acquire", file, "--owner", str(owner.pid))
    return owner, taken.communicate()[0].strip()


def after_with(bench, file):
    holder = start(bench, bench.file_lock, "with", file, "--", bench.drive, "hold", stdin=subprocess.PIPE)
    time.sleep(0.02)
    waiting = Waiter(bench, file)
    since = int(holder.communicate()[0])
    return waiting.milliseconds(since)


def after_flock(bench, file):
    holder = start(bench, bench.flock, f"{file}.flock", bench.drive, "hold", stdin=subprocess.PIPE)
    time.sleep(0.02)
    waiting = start(bench, bench.flock, f"{file}.flock", bench.drive, "stamp")
    time.sleep(0.03)
    since = int(holder.communicate()[0])
    return (int(waiting.communicate()[0]) - since) / 1e6


def after_release(bench, file):
    """Negative when the waiter's command ran before `release` was gone."""
    owner, lock = lease(bench, file)
    waiting = Waiter(bench, file)
    subprocess.run([bench.file_lock, "release", lock, "--force"], env=bench.environment,
                   stderr=subprocess.DEVNULL, check=True)
    since = time.monotonic_ns()
    took = waiting.milliseconds(since)
    owner.kill()
    owner.wait()
    return took


def after_death(bench, file):
    owner, _ = lease(bench, file)
    waiting = Waiter(bench, file)
    since = time.monotonic_ns()
    owner.kill()
    took = waiting.milliseconds(since)
    owner.wait()
    return took


def after_kill(bench, file):
    holder = start(bench, bench.file_lock, "with", file, "--", "sleep", "100", start_new_session=True)
    time.sleep(0.02)
    waiting = Waiter(bench, file)
    since = time.monotonic_ns()
    os.killpg(holder.pid, signal.SIGKILL)
    took = waiting.milliseconds(since)
    holder.communicate()
    return took

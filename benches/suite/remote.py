"""Updates of a document on etcd: beside the script that does the same, and beside the two requests that it cannot do without.

One node on this machine, over HTTP without TLS, with its data on the disk of the work folder: what is measured is
memlatch, and not a network.
"""

import base64
import http.client
import json
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time
from pathlib import Path

from .bench import ROOT, Result
from .documents import sessions

PORT, PEERS = 23790, 23800
ADDRESS = f"etcd+http://127.0.0.1:{PORT}"
RUNS = 100
SIZES = [("1 KB", 10**3), ("10 KB", 10**4), ("100 KB", 10**5), ("1 MB", 10**6), ("1.4 MB", 1_400_000)]
CHANGE = '.sessions += [{"id": "s"}] | .sessions |= .[1:]'


def measure(bench):
    result = Result("remote", "Documents beyond one machine")
    if not (shutil.which("etcd") and shutil.which("etcdctl") and bench.jq):
        print("SKIPPED: remote needs etcd-server, etcd-client and jq")
        return result
    install(bench)
    with Node(bench):
        one_update(bench, result)
        growth(bench, result)
        crowd(bench, result)
        hand_over(bench, result)
    return result


def install(bench):
    """The second program beside the first."""
    build = ["cargo", "build", "--release", "--quiet", "--bin", "memlatch-remote", "--message-format=json"]
    done = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    made = next(path for line in done.stdout.splitlines() if (path := json.loads(line).get("executable")))
    bench.installed(Path(made))


class Node:
    def __init__(self, bench):
        self.place = bench.work / "etcd"

    def __enter__(self):
        with open(f"{self.place}.log", "wb") as log:
            self.process = subprocess.Popen(
                ["etcd", "--data-dir", self.place, "--listen-client-urls", f"http://127.0.0.1:{PORT}",
                 "--advertise-client-urls", f"http://127.0.0.1:{PORT}", "--listen-peer-urls", f"http://127.0.0.1:{PEERS}",
                 "--initial-advertise-peer-urls", f"http://127.0.0.1:{PEERS}", "--initial-cluster", f"default=http://127.0.0.1:{PEERS}"],
                stdout=log, stderr=log)
        for _ in range(200):
            try:
                return requests(["/health"]) and self
            except OSError:
                time.sleep(0.05)
        raise SystemExit("etcd does not start")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def requests(paths, bodies=(None,), port=PORT):
    """The requests alone, one after the other on one new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path, body in zip(paths, bodies):
        connection.request("POST" if body else "GET", path, body)
        answer = connection.getresponse().read()
    connection.close()
    return answer


def coded(text):
    return base64.b64encode(text.encode()).decode()


def two_requests(name, text, port=PORT):
    """A read and a write over what was read, as bytes to be sent: no work on either side of them is counted."""
    read = json.dumps({"success": [{"request_range": {"key": coded(name)}}]})
    write = json.dumps({"compare": [{"target": "MOD", "result": "GREATER", "key": coded(name), "mod_revision": "0"}],
                        "success": [{"request_put": {"key": coded(name), "value": coded(text)}}]})
    begun = time.perf_counter()
    requests(["/v3/kv/txn", "/v3/kv/txn"], [read, write], port)
    return (time.perf_counter() - begun) * 1e3


class Line:
    """A line to the node on which everything takes 5 ms each way, as between two machines of one region."""

    PORT, DELAY = PORT + 1, 0.005

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", self.PORT), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            here, _ = self.server.accept()
            there = socket.create_connection(("127.0.0.1", PORT))
            for ends in ((here, there), (there, here)):
                ends[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source, sink):
        while data := source.recv(1 << 20):
            time.sleep(self.DELAY)
            sink.sendall(data)
        sink.close()


SCRIPT = r"""
old=$(etcdctl --endpoints=127.0.0.1:%(port)d get "$1" -w json) || exit
revision=$(%(jq)s '.kvs[0].mod_revision' <<<"$old")
new=$(%(jq)s -r '.kvs[0].value | @base64d' <<<"$old" | %(jq)s "$2") || exit
etcdctl --endpoints=127.0.0.1:%(port)d txn >/dev/null <<END
mod("$1") = "$revision"

put $1 $(%(jq)s -c . <<<"$new" | %(jq)s -R .)


END
"""


def put(bench, name, text):
    subprocess.run([bench.atomic_write, f"{ADDRESS}/{name}"], input=text, text=True, env=bench.environment, check=True,
                   stderr=subprocess.DEVNULL)


def one_update(bench, result):
    text = sessions(1000)
    put(bench, "one.json", text)
    script = SCRIPT % {"port": PORT, "jq": bench.jq[1]}
    commands = {
        "memory-update": [bench.memory_update, f"{ADDRESS}/one.json", CHANGE],
        "memory-read": [bench.memory_read, f"{ADDRESS}/one.json"],
        "etcdctl get, jq, etcdctl txn": ["bash", "-c", script, "sh", "one.json", CHANGE],
    }
    runs = 1 if bench.smoke else RUNS
    floors = []
    for _ in range(runs):
        floors.append(two_requests("floor.json", text) if floors else two_requests("one.json", text))
    samples = bench.compare(commands, runs)
    floor = statistics.median(floors)
    rows = [["the two requests alone (floor)", f"{floor:.2f}", ""]]
    rows += [[name, f"{sample.ms:.2f}", f"{sample.cpu_ms:.2f}"] for name, sample in samples.items()]
    line = Line()
    far_floor = statistics.median(two_requests("one.json", text, line.PORT) for _ in range(runs))
    far = bench.compare({"far": [bench.memory_update, f"etcd+http://127.0.0.1:{line.PORT}/one.json", CHANGE]}, runs)["far"]
    rows += [["5 ms away: the two requests alone", f"{far_floor:.2f}", ""], ["5 ms away: memory-update", f"{far.ms:.2f}", f"{far.cpu_ms:.2f}"]]
    result.target("an update beside its two requests, 5 ms away", far.ms / far_floor, 1.3)
    result.target("an update beside its two requests, on one machine", samples["memory-update"].ms / floor, 1.3)
    result.table("one update of 1 KB, ms", ["command", "ms", "of the processor"], rows)
    result.target("an update beside the script", samples["memory-update"].ms / samples["etcdctl get, jq, etcdctl txn"].ms, 1.0)


def growth(bench, result):
    rows = []
    for label, size in SIZES[:2] if bench.smoke else SIZES:
        text = sessions(size)
        put(bench, "growth.json", text)
        runs = 1 if bench.smoke else 20
        floor = statistics.median(two_requests("growth-floor.json", text) for _ in range(runs))
        sample = bench.compare({"update": [bench.memory_update, f"{ADDRESS}/growth.json", CHANGE]}, runs)["update"]
        rows.append([label, f"{len(text):,}", f"{sample.ms:.1f}", f"{floor:.1f}", f"{sample.ms / floor:.2f}"])
    result.table("an update by the size of the document, ms", ["size", "bytes", "memory-update", "two requests", "ratio"], rows)


def crowd(bench, result):
    rows = []
    for writers in [1, 8] if bench.smoke else [1, 8, 64]:
        each = 1 if bench.smoke else max(2, 64 // writers)
        put(bench, "crowd.json", "[]")
        begun = time.perf_counter()
        script = f'for i in $(seq {each}); do s=$(date +%s%N); "$0" "$1" ". += [1]" 2>/dev/null || echo failed; e=$(date +%s%N); echo $((e - s)); done'
        processes = [subprocess.Popen(["bash", "-c", script, bench.memory_update, f"{ADDRESS}/crowd.json"], env=bench.environment,
                                      stdout=subprocess.PIPE, text=True) for _ in range(writers)]
        lines = [line for process in processes for line in process.communicate()[0].split()]
        took = time.perf_counter() - begun
        assert "failed" not in lines, "an update of the crowd has failed"
        count = subprocess.run([bench.memory_read, f"{ADDRESS}/crowd.json", "length"], env=bench.environment, stdout=subprocess.PIPE, text=True)
        assert int(count.stdout) == writers * each, f"{writers * each - int(count.stdout)} updates of the crowd are lost"
        times = sorted(int(line) / 1e6 for line in lines)
        rows.append([writers, writers * each, f"{writers * each / took:.0f}", f"{statistics.median(times):.0f}", f"{times[-1]:.0f}"])
    result.table("updates of one document by several writers at once", ["writers", "updates", "a second", "median ms", "slowest ms"], rows)


def hand_over(bench, result):
    times = []
    document = f"{ADDRESS}/lock.json"
    for _ in range(1 if bench.smoke else 30):
        holder = subprocess.Popen([bench.file_lock, "with", document, "--", bench.drive, "hold"], env=bench.environment,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while subprocess.run([bench.file_lock, "status", document], env=bench.environment, stdout=subprocess.DEVNULL).returncode == 0:
            pass
        waiter = subprocess.Popen([bench.file_lock, "with", document, "--", bench.drive, "stamp"], env=bench.environment,
                                  stdout=subprocess.PIPE, text=True)
        while '"waiters": 1' not in subprocess.run([bench.file_lock, "status", document, "--json"], env=bench.environment,
                                                   stdout=subprocess.PIPE, text=True).stdout:
            pass
        since = int(holder.communicate()[0])
        times.append((int(waiter.communicate()[0]) - since) / 1e6)
    times.sort()
    result.table("hand-over: from the end of a holder's command to the first instruction of the next, ms", ["median", "least", "most"],
                 [[f"{statistics.median(times):.1f}", f"{times[0]:.1f}", f"{times[-1]:.1f}"]])
    result.target("hand-over of a lock on etcd", statistics.median(times), 10.0, "ms")

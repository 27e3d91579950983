"""Creates per second on one knowledge graph, beside the reference memory server, and how many of them are kept."""

import json
import shutil
import statistics
import subprocess
import time

from .bench import Result

CREATES = 200
ROUNDS = 5


def measure(bench):
    result = Result("mcp", "The server for AI clients")
    # As npm installs @modelcontextprotocol/server-memory; it takes its file from MEMORY_FILE_PATH, as ours does.
    servers = {"memlatch mcp --graph": [str(bench.memlatch), "mcp", "--graph"]}
    reference = shutil.which("mcp-server-memory")
    if reference:
        servers["server-memory"] = [reference]
    ways = {
        "one server, one call after the other": (1, False),
        "one server, all calls at once": (1, True),
        "four servers, all calls at once": (4, True),
    }
    rows = []
    for way, (clients, at_once) in ways.items():
        for name, command in servers.items():
            runs = [graph(bench, command, clients, at_once) for _ in range(1 if bench.smoke else ROUNDS)]
            rate = statistics.median(rate for rate, _ in runs)
            kept = ", ".join(str(kept) for kept in sorted({kept for _, kept in runs}))
            rows.append([way, name, f"{rate:.0f}", kept])
    result.table(f"{CREATES} calls of create_entities", ["how", "server", "calls a second", f"kept, of {CREATES}"], rows)
    starts = {name: start(bench, command) for name, command in servers.items()}
    result.table("from the start of the process to the answer to initialize", ["server", "ms (median)"],
                 [[name, f"{ms:.1f}"] for name, ms in starts.items()])
    file = bench.work / "memory" / "notes.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"n": 0}\n')
    update = {"file": "notes.json", "filter": ".n += 1"}
    with Server(bench, [str(bench.memlatch), "mcp", "--root", str(file.parent)]) as server:
        calls = 20 if bench.smoke else 200
        begun = time.monotonic()
        for number in range(calls):
            server.ask(number, "memory_update", update)
            server.answers(1)
        each = (time.monotonic() - begun) / calls * 1e3
    result.table("one memory_update of a small file", ["", "ms"], [["a call of memlatch mcp", f"{each:.2f}"]])
    return result


class Server:
    """A server that has answered the handshake."""

    def __init__(self, bench, command, graph=None):
        environment = dict(bench.environment)
        if graph:
            environment["MEMORY_FILE_PATH"] = str(graph)
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.send({"id": "hello", "method": "initialize", "params": about})
        self.process.stdout.readline()
        self.send({"method": "notifications/initialized"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, number, tool, arguments):
        self.send({"id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})

    def answers(self, count):
        for _ in range(count):
            self.process.stdout.readline()


def graph(bench, command, clients, at_once):
    """Calls a second, and how many of them are in the file."""
    file = bench.work / "graph.jsonl"
    file.unlink(missing_ok=True)
    servers = [Server(bench, command, file) for _ in range(clients)]
    share = CREATES // clients
    begun = time.monotonic()
    for number in range(share):
        for index, server in enumerate(servers):
            name = f"entity {index} {number}"
            entity = {"name": name, "entityType": "test", "observations": ["an observation of some length, as they have"]}
            server.ask(number, "create_entities", {"entities": [entity]})
            if not at_once:
                server.answers(1)
    if at_once:
        for server in servers:
            server.answers(share)
    seconds = time.monotonic() - begun
    for server in servers:
        server.__exit__()
    return CREATES / seconds, sum(1 for line in file.read_text().splitlines() if '"name":"entity ' in line)


def start(bench, command):
    """Milliseconds until it answers."""
    times = []
    for _ in range(1 if bench.smoke else 10):
        begun = time.monotonic()
        with Server(bench, command, bench.work / "start.jsonl"):
            times.append((time.monotonic() - begun) * 1e3)
    return statistics.median(times)

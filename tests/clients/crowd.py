"""What several clients do at the same time to one file, and what must be left of it.

Each scene takes a room for each client. The reference server of knowledge graphs does the same beside ours.
"""

import json
import shutil
import threading

import npm
from room import PATIENCE, Skipped
from scenes import has_a_server

UPDATES = 30  # of each client through its shell: ten in a row, then twenty at once
CALLS = 50  # of each client to its MCP server, all at once
REFERENCE = npm.Package("@modelcontextprotocol/server-memory", "2026.8.31", "@modelcontextprotocol/server-memory/dist/index.js")



def at_once(rooms, script, servers=()):
    """All clients play their scripts at the same time. Returns the models by their client's name."""
    models, faults, meeting = {}, [], threading.Barrier(len(rooms))

    def after_the_meeting(calls):
        # One client starts in two seconds and another in ten.
        meeting.wait(PATIENCE)
        return calls

    def play(room):
        try:
            first, *rest = script(room)
            models[room.client.name] = room.play([lambda: after_the_meeting(first), *rest], servers)
        except AssertionError as fault:
            meeting.abort()
            faults.append(f"{room.client.name}: {fault}")

    threads = [threading.Thread(target=play, args=[room]) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, "; ".join(faults)
    return models


def shared(rooms):
    """One directory for all: every client has the same base directory."""
    folder = rooms[0].home / "aiconfig"
    for room in rooms[1:]:
        shutil.rmtree(room.home / "aiconfig")
        (room.home / "aiconfig").symlink_to(folder)
    return folder / "memory"


def shells(rooms, report):
    """Updates through the clients' shells, one after the other and in parallel calls."""
    file = shared(rooms) / "shells.json"
    file.write_text('{"marks": []}\n')

    def script(room):
        def update(number):
            return room.client.shell(f"memory-update {file} --arg mark {room.client.name}-{number} '.marks += [$mark]'")

        return [*([update(number)] for number in range(10)), [update(number) for number in range(10, UPDATES)]]

    with report("parallel calls of all shells on one file") as tell:
        at_once(rooms, script)
        marks = json.loads(file.read_text())["marks"]
        whole = len(rooms) * UPDATES
        assert len(marks) == len(set(marks)) == whole, f"{len(set(marks))} of {whole} updates are kept"
        tell(f"{len(marks)} of {whole} updates kept")


def appends(rooms, report):
    """`memory_append` to one list, each client with a server of its own."""
    has_a_server(rooms[0])
    memory = shared(rooms)
    file = memory / "sessions.json"
    file.write_text('{"sessions": []}\n')

    def script(room):
        return [[room.client.tool("memlatch", "memory_append", {"file": str(file), "path": ".sessions",
                 "value": {"id": f"{room.client.name}-{number}"}}) for number in range(CALLS)]]

    with report("`memory_append` to one sessions.json") as tell:
        at_once(rooms, script, {"memlatch": [str(rooms[0].home / ".local/bin/memlatch"), "mcp", "--root", str(memory)]}.items())
        ids = [session["id"] for session in json.loads(file.read_text())["sessions"]]
        whole = len(rooms) * CALLS
        assert len(ids) == len(set(ids)) == whole, f"{len(set(ids))} of {whole} entries are kept"
        tell(f"{len(ids)} of {whole} entries kept")


def graph(rooms, server, file):
    """Each client makes its entities at once, through a server of its own on one file. Returns how many there are then."""
    def script(room):
        return [[room.client.tool("graph", "create_entities", {"entities": [
            {"name": f"{room.client.name}-{number}", "entityType": "mark", "observations": ["it was made"]}]})
            for number in range(CALLS)]]

    models = at_once(rooms, script, {"graph": server}.items())
    names, broken = set(), 0
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            names.add(json.loads(line)["name"])
        except (ValueError, KeyError, TypeError):
            broken += 1
    told = sum("entityType" in result for model in models.values() for result in model.rounds[0])
    return len(names), broken, told


def graphs(rooms, report):
    """The knowledge graph of ours and of the reference, each under the same load."""
    has_a_server(rooms[0])
    memory, whole = shared(rooms), len(rooms) * CALLS
    with report("`memlatch mcp --graph` on one graph") as tell:
        file = memory / "graph.jsonl"
        names, broken, told = graph(rooms, [str(rooms[0].home / ".local/bin/memlatch"), "mcp", "--graph", str(file)], file)
        assert (names, broken, told) == (whole, 0, whole), f"{names} of {whole} entities, {broken} broken lines, {told} reported as done"
        tell(f"{names} of {whole} entities kept")
    with report(f"the same with the reference, {REFERENCE}") as tell:
        server = REFERENCE.find()
        if not server:
            raise Skipped("it is not installed")
        file = memory / "reference.jsonl"
        names, broken, told = graph(rooms, ["env", f"MEMORY_FILE_PATH={file}", "node", str(server)], file)
        # This shows that the load can lose writes; the other server is not expected to pass.
        tell(f"{names} of {whole} entities kept, {told} reported as done")


ALL = [shells, appends, graphs]

"""The scenes of each client, and their expected results.

A scene takes a room and a report: `with report(name)` is one line of the result, and what goes wrong in it is an
AssertionError. What a client was told is what the scripted model got to hear as results of its calls.
"""

import json
import shutil
import subprocess

import pages
from room import Skipped

REFUSED = "Memory files are shared with other clients"


def expect(words, text):
    assert words in text, f"'{words}' is not in: {text}"


def value(room, file, query="."):
    return json.loads(room.must(f"memory-read {file} -c '{query}'"))


def hooks(room, report):
    """The shipped hooks refuse what writes past the lock, and nothing else."""
    pages.follow(room, "Hooks")
    client, file = room.client, room.project / "memory/x.json"
    file.write_text('{"n": 1}\n')
    seen = []

    def note(calls):
        return lambda: seen.append(file.exists() and json.loads(file.read_text())["n"]) or calls

    model = room.play([
        note([client.shell("echo '{\"n\": 2}' > memory/x.json")]),
        note([client.write(room.project / "memory/y.json", "{}")]),
        note([client.read(file)]),
        note([client.shell("memory-update memory/x.json '.n += 10'")]),
        note([client.shell("memory-read memory/x.json .n")]),
    ])
    shell, written, read, updated, again = [results[0] for results in model.rounds]
    with report("raw writes are refused") as tell:
        for result in (shell, written):
            expect(REFUSED, result)
            expect("memory-update FILE", result)
        assert seen[1] == 1, f"the shell has written: {seen}"
        assert not (room.project / "memory/y.json").exists(), "the file tool has written"
        tell(" and ".join(f"`{name}`" for name in client.writers))
    with report("reading and updates are not refused"):
        for result in (read, updated, again):
            assert REFUSED not in result, result
        expect('"n": 1', read.replace('\\"', '"'))
        expect("11", again)
        assert seen[4] == 11, seen
    with report("the end of a session is logged") as tell:
        if client.name == "opencode":
            raise Skipped("its plugin does not log it")
        sessions = value(room, "~/aiconfig/memory/projects/project/sessions.json", ".sessions")
        assert [session["client"] for session in sessions] == [client.name.removesuffix("-cli")], sessions
        tell(f"reason `{sessions[0]['reason']}`")


def skills(room, report):
    """The shipped skills are listed, load, and do what they say."""
    pages.follow(room, "Skills")
    client, skill = room.client, room.home / room.client.skills / "log-session"
    load = client.skill("log-session") or client.read(skill / "SKILL.md")
    session = "{\"id\": \"s1\", \"client\": \"x\", \"started\": \"2026-01-25T10:30:00Z\", \"summary\": \"it'\\''s done\", \"decisions\": []}"
    log = client.shell(f"echo '{session}' | {skill}/log-session.sh myapp")
    model = room.play([[load], [log]])
    with report("skills are listed and load"):
        for name in ("log-session", "init-memory", "edit-memory", "recall"):
            assert model.told(name), f"the model is not told of {name}"
        assert model.told("Record what was done in this session in the project"), "the model is not told what it is for"
        assert model.told("Pass it on standard input to the script"), model.rounds[0][0]
    with report("a skill's script writes"):
        sessions = value(room, "~/aiconfig/memory/projects/myapp/sessions.json", ".sessions")
        assert [session["summary"] for session in sessions] == ["it's done"], (sessions, model.rounds)


def lease(room, report):
    """A lease of the client lasts over several of its commands, keeps others out, and ends with it."""
    client, file = room.client, "~/aiconfig/memory/x.json"
    room.must(f"echo '{{\"n\": 1}}' > {file}")
    outside = []

    def from_outside(calls):
        return lambda: outside.append(room.outside(f"memory-update {file} '.n += 100' --timeout 0")) or calls

    model = room.play([
        # The second command keeps the shell: a single `acquire` would replace it, and then the client would be its parent anyway.
        [client.shell(f"file-lock acquire {file} --owner client; echo status $?")],
        from_outside([client.shell(f"memory-update {file} '.n += 1' --timeout 0; echo status $?")]),
        from_outside([client.shell(f"memory-update {file} '.n += 1' --timeout 0; echo status $?")]),
    ])
    with report("`--owner client` holds"):
        assert [status for status, _ in outside] == [75, 75], outside
        for results in model.rounds:
            expect("status 0", results[0])
        assert value(room, file) == {"n": 3}, model.rounds
    with report("and ends with the client"):
        status, said = room.outside(f"file-lock status {file}")
        assert (status, said.strip()) == (0, "free"), (status, said)


def has_a_sandbox(room):
    client = room.client
    if client.sandbox:
        raise Skipped(client.sandbox)
    if client.name == "codex" and room.home.is_relative_to("/tmp"):
        raise Skipped("Codex's sandbox has /tmp for its own, and this checkout is below it")
    for program in client.sandbox_asks_for:
        if not shutil.which(program):
            raise Skipped(f"{program} is missing")
    if subprocess.run(["unshare", "--user", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
        raise Skipped("no sandbox can be made here: the system allows no user namespaces")


def sandbox(room, report):
    """The sandboxed shell fails with advice, and works with the documented setting."""
    client, file = room.client, "~/aiconfig/memory/x.json"
    room.must(f"echo '{{\"n\": 1}}' > {file}; memory-update {file} '.n += 1'")
    step = client.shell(f"memory-update {file} '.n += 1'; echo status $?")
    with report("in the sandbox: refused with advice") as tell:
        has_a_sandbox(room)
        said = room.play([[step]], sandboxed=True).rounds[0][0]
        expect("status 1", said)
        setting = {"codex": "writable_roots", "claude-code": "allowWrite"}[client.name]
        expect(setting, said)
        assert value(room, file) == {"n": 2}, said
        tell(f"names `{setting}`")
    with report("in the sandbox: works with the setting"):
        has_a_sandbox(room)
        pages.follow(room, "Sandbox")
        said = room.play([[step], [client.shell("file-lock acquire ~/aiconfig/memory/x.json; echo status $?")]], sandboxed=True).rounds
        expect("status 0", said[0][0])
        expect("needs --ttl", said[1][0])
        assert value(room, file) == {"n": 3}, said


def has_a_server(room):
    if room.outside("memlatch mcp --help")[0] != 0:
        raise Skipped("this memlatch has no MCP server")


def mcp(room, report):
    """The MCP server reads and writes memory files, from outside the sandbox."""
    has_a_server(room)
    pages.follow(room, "MCP server")
    client = room.client
    room.must("echo '{\"n\": 1}' > ~/aiconfig/memory/x.json")
    file = str(room.home / "aiconfig/memory/x.json")

    def tool(name, **given):
        return [client.tool("memlatch", name, given)]

    model = room.play([
        tool("memory_list"),
        tool("memory_read", file=file),
        tool("memory_update", file=file, filter=".n += $by", args={"by": 41}),
        tool("memory_append", file=file, path=".notes", value="it's \"here\""),
        tool("memory_update", file=file, filter=".n +"),
    ], sandboxed=not client.sandbox)
    listed, read, updated, appended, failed = [results[0] for results in model.rounds]
    with report("the MCP server reads and updates"):
        expect("x.json", listed)
        expect("revision", read)
        written = json.loads((room.home / "aiconfig/memory/x.json").read_text())
        assert written == {"n": 42, "notes": ["it's \"here\""]}, (written, updated, appended)
    with report("a bad filter is a tool error"):
        expect("syntax error", failed)
    with report("its instructions reach the model"):
        # Codex passes on only the first sentence, until a tool is searched for.
        assert model.told(instructions(room).split(".")[0]), "the model is told nothing of them"


def instructions(room):
    """What the server says of itself."""
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
             "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}
    return json.loads(room.must(f"memlatch mcp <<<'{json.dumps(hello)}'"))["result"]["instructions"]


EACH = [hooks, skills, lease, sandbox, mcp]

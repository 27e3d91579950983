"""Clients of the protocol without a model: the official inspector's command line, and the official Python client.

Neither knows memlatch, so what they accept is the protocol as others read it. They are found like clients and tried likewise.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from npm import PACKAGES, Missing, Package
from scenes import expect, has_a_server, value

CALLS = 50


class Inspector:
    """`@modelcontextprotocol/inspector --cli`: one method, one result, as JSON."""

    name, command = "inspector", None
    npm = Package("@modelcontextprotocol/inspector", "0.15.0", ".bin/mcp-inspector")

    def __str__(self):
        return str(self.npm)

    def install(self):
        self.npm.install()

    def ask(self, room, *words):
        done = subprocess.run(["node", self.npm.find(), "--cli", "memlatch", "mcp", "--root", room.home / "aiconfig/memory", *words],
                              env=room.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def scene(self, room, report):
        has_a_server(room)
        (room.home / "aiconfig/memory/x.json").write_text('{"n": 1}\n')
        with report("lists tools") as tell:
            tools = [tool["name"] for tool in self.ask(room, "--method", "tools/list")["tools"]]
            assert "memory_update" in tools, tools
            tell(f"{len(tools)} tools")
        with report("updates a file"):
            call = ["--method", "tools/call", "--tool-name", "memory_update", "--tool-arg", "file=x.json"]
            result = self.ask(room, *call, "filter=.n += $by", 'args={"by": 41}')
            assert value(room, "~/aiconfig/memory/x.json") == {"n": 42}, result
        with report("a bad filter is a tool error"):
            result = self.ask(room, *call, "filter=.n +")
            assert result["isError"], result
            expect("syntax error", result["content"][0]["text"])
        with report("reads a resource"):
            uri = self.ask(room, "--method", "resources/list")["resources"][0]["uri"]
            result = self.ask(room, "--method", "resources/read", "--uri", uri)
            assert json.loads(result["contents"][0]["text"]) == {"n": 42}, result


class Python:
    """`mcp`, the Python client, with and without a handshake."""

    name, command, version = "python-mcp", None, "2.3.0"
    folder = PACKAGES / f"mcp-{version}"

    def __str__(self):
        return f"mcp {self.version} (PyPI)"

    def install(self):
        if not (self.folder / "mcp").is_dir():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
            done = subprocess.run([*pip, "--target", self.folder, f"mcp=={self.version}"], capture_output=True, text=True)
            if done.returncode != 0:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise Missing(f"pip cannot install {self}: {done.stderr.strip()}")

    def scene(self, room, report):
        has_a_server(room)
        memory = room.home / "aiconfig/memory"
        script = Path(__file__).resolve().parent / "sdk.py"
        for mode, version, named in (("auto", "2026-07-28", "without a handshake"), ("legacy", "2025-11-25", "with a handshake")):
            (memory / "x.json").write_text('{"n": 0}\n')
            with report(f"{named}: parallel updates") as tell:
                done = subprocess.run([sys.executable, script, memory, mode, str(CALLS)], capture_output=True, text=True, timeout=120,
                                      env=room.environment | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"})
                assert done.returncode == 0, done.stderr
                seen = json.loads(done.stdout)
                assert seen["version"] == version, seen
                assert seen["updated"] == CALLS and seen["read"]["values"] == [CALLS], seen
                assert seen["bad"] is True and json.loads(seen["resource"]) == {"n": CALLS}, seen
                tell(f"{CALLS} of {CALLS} kept, {version}")


ALL = [Inspector, Python]

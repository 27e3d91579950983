"""The environment of one client: a home directory with the commands in it, and a project.

It is below target/, for Codex's sandbox needs a home outside /tmp. Not for what the client is asked.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from model import Model

PATIENCE = 180  # seconds; a client that takes longer for a script hangs


class Skipped(Exception):
    """Nothing to try, and why."""


class Room:
    """A client's home, new each time."""

    def __init__(self, place, client, root, memlatch):
        self.client, self.root = client, root
        self.home, self.project = place / client.name, place / client.name / "project"
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in (self.project / "memory", self.home / "aiconfig/memory", self.home / ".local/bin"):
            folder.mkdir(parents=True)
        # Clients look for a project's root; without one here they would take this repository for theirs.
        subprocess.run(["git", "init", "--quiet", self.project], check=True)
        commands = self.home / ".local/bin"
        for name in ("memlatch", "memory-update", "memory-read", "atomic-write", "file-lock"):
            (commands / name).symlink_to(memlatch)
        if client.command:
            (commands / client.command).symlink_to(client.npm.find())
        # As Debian's ~/.profile has it; Codex runs commands in a login shell.
        (self.home / ".profile").write_text('PATH="$HOME/.local/bin:$PATH"\n')

    @property
    def environment(self):
        node = os.path.dirname(shutil.which("node") or "/usr/bin/node")
        path = f"{self.home}/.local/bin:{node}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb", "SHELL": "/bin/bash", "USER": "me"}

    def outside(self, line, folder=None):
        """Runs a line outside the client. Returns its status and what it said."""
        done = subprocess.run(["bash", "-c", line], cwd=folder or self.project, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        return done.returncode, done.stdout

    def must(self, line, folder=None):
        status, said = self.outside(line, folder)
        assert status == 0, f"'{line}' ended with {status}: {said}"
        return said

    def play(self, steps, servers=(), sandboxed=False, folder=None):
        """Makes the client work through a script. Returns the model with what the client reported to it, call by call."""
        servers = dict(servers)
        with Model(steps) as model:
            words = self.client.words("Please do what has to be done.", servers, model.address, sandboxed)
            variables = self.environment | self.client.variables(self.home, servers, model.address)
            process = subprocess.Popen([self.home / ".local/bin" / self.client.command, *words], cwd=folder or self.project,
                                       env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
            try:
                said = process.communicate(timeout=PATIENCE)[0]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise AssertionError(f"no end after {PATIENCE} s: {process.communicate()[0][-2000:]}") from None
        (self.home / "last-requests.jsonl").write_text("\n".join(model.bodies))
        end = f"it ended with {process.returncode} and said: {said[-2000:]}"
        assert not model.problems, f"the model could not answer: {model.problems}; {end}"
        assert len(model.rounds) == len(steps), f"{len(model.rounds)} of {len(steps)} steps were played; {end}"
        assert all(result is not None for results in model.rounds for result in results), f"calls without a result; {end}"
        return model

"""Machines that are ordinary processes: kernels of Debian's user-mode-linux on a network of their own.

Everything that the machines need is unpacked beside the build, not installed: this host gets no NFS server.
"""

import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ["user-mode-linux", "nfs-kernel-server", "nfs-common", "rpcbind", "libnfsidmap1", "libwrap0", "keyutils",
            "libtirpc3", "libtirpc-common", "busybox-static", "bubblewrap"]
PATIENCE = 120  # seconds; a machine that says nothing for so long hangs


def fetch_tools(directory):
    """Unpacks the packages into a directory, once."""
    done = directory / "complete"
    if done.exists() and done.read_text().split() == PACKAGES:
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as archives:
        os.chmod(archives, 0o777)  # apt-get downloads as a user of its own

        def download():
            return subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=archives)

        if download().returncode != 0:
            subprocess.run(["apt-get", "update", "-qq"], check=True)
            download().check_returncode()
        for archive in Path(archives).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, directory], check=True)
    done.write_text("\n".join(PACKAGES))


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Machine:
    """One kernel, with a shell that runs the commands it is sent."""

    def __init__(self, number, role, host, tools, commands):
        self.host, self.tap, self.log = host, f"tap{number}", []
        ip("tuntap", "add", self.tap, "mode", "tap")
        ip("link", "set", self.tap, "master", "bridge", "up")
        parameters = {"role": role, "host": host, "address": f"10.77.0.{number}", "tools": tools, "commands": commands}
        # The machine's memory is a file there.
        environment = os.environ | {"TMPDIR": "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"}
        self.process = subprocess.Popen(
            [tools / "usr/bin/linux.uml", "mem=160M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
             f"init={HERE / 'guest'}", f"vec0:transport=tap,ifname={self.tap},depth=64", "con=null", "con0=fd:0,fd:1",
             "quiet", "loglevel=0", *(f"{name}={value}" for name, value in parameters.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").rstrip("\r\n"))
        self.lines.put(None)

    def _until(self, mark, patience, anywhere=False):
        said = []
        deadline = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"{self.host} gave no answer for {patience} s") from None
            if line is None:
                raise RuntimeError(f"{self.host}: its kernel ended with {self.process.wait()}")
            self.log.append(line)
            if anywhere and mark in line:
                return line
            if line.startswith(mark):
                return line[len(mark):].strip(), "\n".join(said)
            said.append(line)

    def await_start(self):
        self._until("@ready", PATIENCE)

    def begin(self, line):
        """Has the machine do something, without waiting for it."""
        self.log.append(f"{self.host}# {line}")
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, words, patience=PATIENCE):
        """Waits until the machine says something in the middle of what was begun."""
        return self._until(words, patience, anywhere=True)

    def end(self, patience=PATIENCE):
        """Waits for what was begun, and returns its status and what it said."""
        status, said = self._until("@status", patience)
        return int(status), said

    def do(self, line, patience=PATIENCE):
        self.begin(line)
        return self.end(patience)

    def must(self, line):
        """Does what cannot fail, and returns what it said."""
        status, said = self.do(line)
        if status != 0:
            raise RuntimeError(f"{self.host}: '{line}' ended with {status}:\n{said}")
        return said

    def cut_off(self):
        """No packet comes or goes until it is plugged in again."""
        ip("link", "set", self.tap, "nomaster")

    def plug_in(self):
        ip("link", "set", self.tap, "master", "bridge")

    def kill(self):
        """As if the power had failed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()


def network():
    """The wire between the machines, in the network namespace of this process."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "bridge", "type", "bridge")
    ip("link", "set", "bridge", "up")

"""A small world of machines: network namespaces on one bridge, three of them with etcd, two with users.

All of it lives in namespaces of its own, so that nothing is left of it when it ends, however it ends.
"""

import base64
import http.client
import itertools
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path

NET = "10.79.0"
HOSTS = ["one", "two"]
MEMBERS = [1, 2, 3]
SWITCH = f"{NET}.254"  # where what is on no machine of the world listens
PASSWORD = "correct horse"


def sh(*words, check=True, **options):
    return subprocess.run([str(word) for word in words], check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, **options)


def until(what, seconds=20):
    """Waits for an event that `what` tells of."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise AssertionError(f"it has not happened within {seconds} s: {getattr(what, '__name__', what)}")
        time.sleep(0.02)
    return found


class Network:
    """A switch with a cable to every machine."""

    def __init__(self, names):
        self.addresses = {}
        Path("/run/netns").mkdir(parents=True, exist_ok=True)
        sh("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "switch", "type", "bridge")
        sh("ip", "addr", "add", f"{SWITCH}/24", "dev", "switch")
        sh("ip", "link", "set", "switch", "up")
        for number, name in enumerate(names, 1):
            self.addresses[name] = f"{NET}.{number}"
            sh("ip", "netns", "add", name)
            sh("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
            sh("ip", "link", "set", f"to-{name}", "master", "switch", "up")
            for words in (["addr", "add", f"{NET}.{number}/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                          ["link", "set", "lo", "up"]):
                sh("ip", "-n", name, *words)

    def pull(self, name):
        sh("ip", "link", "set", f"to-{name}", "nomaster")

    def plug(self, name):
        sh("ip", "link", "set", f"to-{name}", "master", "switch")

    def deafen(self, name, sender):
        """What `sender` sends does not arrive at `name` any more; the other way is open."""
        rules = f"table inet deaf {{ chain incoming {{ type filter hook input priority 0; ip saddr {self.addresses[sender]} drop; }}; }}"
        sh("ip", "netns", "exec", name, "nft", rules)

    def cure(self, name):
        sh("ip", "netns", "exec", name, "nft", "flush ruleset")


def inside(name, *words):
    """A command line that runs on a machine, which has a name of its own."""
    return ["ip", "netns", "exec", name, "unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh",
            *(str(word) for word in words)]


class Authority:
    """Whoever vouches for the members of the cluster."""

    def __init__(self, place, addresses):
        place.mkdir()
        self.certificate, self.server, self.key = place / "ca.pem", place / "server.pem", place / "server.key"
        names = ",".join(f"IP:{address}" for address in addresses)
        short = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        sh("openssl", "req", "-x509", *short, "-keyout", place / "ca.key", "-out", self.certificate, "-subj", "/CN=team")
        sh("openssl", "req", *short, "-keyout", self.key, "-out", place / "server.csr", "-subj", "/CN=etcd")
        (place / "extension").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        sh("openssl", "x509", "-req", "-in", place / "server.csr", "-CA", self.certificate, "-CAkey", place / "ca.key",
           "-CAcreateserial", "-days", "2", "-out", self.server, "-extfile", place / "extension")


class Member:
    """One node of etcd."""

    def __init__(self, number, network, authority, place):
        self.name, self.place, self.authority = f"m{number}", place / f"m{number}", authority
        self.address = network.addresses[self.name]
        self.url = f"https://{self.address}:2379"
        self.process, self.options = None, []
        self.cluster = ",".join(f"m{n}=http://{network.addresses[f'm{n}']}:2380" for n in MEMBERS)

    def start(self):
        log = open(f"{self.place}.log", "ab")
        self.process = subprocess.Popen(inside(
            self.name, "etcd", "--name", self.name, "--data-dir", self.place,
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--cert-file", self.authority.server, "--key-file", self.authority.key,
            "--listen-peer-urls", f"http://{self.address}:2380", "--initial-advertise-peer-urls", f"http://{self.address}:2380",
            "--initial-cluster", self.cluster, "--initial-cluster-state", "new",
            "--heartbeat-interval", "50", "--election-timeout", "500", *self.options), stdout=log, stderr=log)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, path, **body):
        """One request to this member alone; None if it does not answer."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        connection = http.client.HTTPSConnection(self.address, 2379, timeout=2, context=context)
        try:
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def leads(self):
        status = self.ask("/v3/maintenance/status")
        return status and status.get("leader") and status["leader"] == status["header"]["member_id"]

    def works(self):
        answer = self.ask("/v3/kv/range", key=base64.b64encode(b"x").decode())
        return answer is not None and "header" in answer


class World:
    """The machines, and what is between them."""

    def __init__(self, place, commands, scale=1):
        self.place, self.commands, self.scale = place, commands, scale
        self.network = Network([f"m{number}" for number in MEMBERS] + HOSTS)
        addresses = [self.network.addresses[f"m{number}"] for number in MEMBERS]
        self.authority = Authority(place / "authority", [*addresses, SWITCH])
        # In memory: a disk that others keep busy would make leaders give up by the second.
        data = place / "data"
        data.mkdir()
        sh("mount", "-t", "tmpfs", "tmpfs", data)
        self.members = [Member(number, self.network, self.authority, data) for number in MEMBERS]
        self.etcd = "etcd+https://" + ",".join(f"{address}:2379" for address in addresses)
        self.hosts = {name: Host(self, name) for name in HOSTS}
        self.numbers = itertools.count(1)
        for member in self.members:
            member.start()
        self.settle()

    def settle(self):
        """Waits until every member that is there answers."""
        for member in self.members:
            until(member.works, 60)

    def heal(self):
        """Puts everything right, whatever a scene has left."""
        for name in self.network.addresses:
            self.network.plug(name)
            self.network.cure(name)
        for member in self.members:
            if member.process.poll() is not None:
                member.start()
            member.signal(signal.SIGCONT)
        for host in self.hosts.values():
            host.settings()
        self.settle()

    def leader(self):
        return until(lambda: next((member for member in self.members if member.leads()), None))

    def document(self):
        """The address of a document that nobody has used yet."""
        return f"{self.etcd}/t/{next(self.numbers)}.json"

    def etcdctl(self, *words, **options):
        endpoints = ",".join(member.url for member in self.members)
        return sh("etcdctl", f"--endpoints={endpoints}", f"--cacert={self.authority.certificate}", *words,
                  env=os.environ | {"ETCDCTL_API": "3"}, **options)


class Host:
    """A machine with users: it has the tools, a home and the team's settings."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.home = world.place / name
        self.home.mkdir()
        self.base = self.home / "aiconfig"
        self.base.mkdir()
        self.settings()
        self.environment = {
            "PATH": f"{world.commands}:{os.environ['PATH']}", "HOME": str(self.home), "AICONFIG_PATH": str(self.base),
        }

    def settings(self, **members):
        team = {"url": f"{self.world.etcd}/", "ca": str(self.world.authority.certificate), "lease": 5} | members
        (self.base / "remotes.json").write_text(json.dumps({"team": team}))

    def start(self, *words, env=None, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        return subprocess.Popen(inside(self.name, *words), env=self.environment | (env or {}), cwd=self.home, **options)

    def run(self, *words, status=0, input=None, seconds=120, **options):
        """Runs a command, and makes sure that it ends so. Gives what it prints on either stream."""
        options |= {"stdin": subprocess.PIPE} if input is not None else {}
        process = self.start(*words, **options)
        try:
            out, err = process.communicate(input, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{words} has not ended within {seconds} s")
        accepted = status if isinstance(status, (list, tuple)) else [status]
        assert process.returncode in accepted, f"{words} ended with {process.returncode}, not {status}: {out}{err}"
        return out + err if status != 0 else out

    def read(self, document, *words):
        return json.loads(self.run("memory-read", document, "-c", *words))


def commands_of(folder, place):
    """A directory with the two programs, and the names of the tools."""
    place.mkdir()
    for program in ["memlatch", "memlatch-remote"]:
        shutil.copy(folder / program, place / program)
    for tool in ["file-lock", "memory-update", "memory-read", "atomic-write"]:
        for name in [tool, f"{tool}.sh"]:
            (place / name).symlink_to("memlatch")
    return place


class Later(threading.Thread):
    """Something that happens meanwhile."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.error = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except BaseException as error:  # told by whoever waits
            self.error = error

    def done(self):
        self.join()
        if self.error:
            raise self.error

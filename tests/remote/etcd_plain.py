"""Documents on etcd while nothing breaks, and what is said when something is wrong."""

import hashlib
import json
import os
import signal
import subprocess
import time

from world import PASSWORD, SWITCH, until


def text(host, document):
    return host.run("memory-read", document, "--raw")


def documents(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    key = document.rsplit(":2379/", 1)[1]
    assert "does not exist" in one.run("memory-update", document, ".a = 1", status=1)
    assert "does not exist" in one.run("memory-read", document, status=1)
    one.run("memory-update", document, ".a = 1.10", "--create")
    assert text(two, document) == '{\n  "a": 1.10\n}\n'
    assert world.etcdctl("get", "--print-value-only", key).stdout == text(two, document) + "\n"
    # Bytes as they are, and the same revision as of a file.
    odd = '{"big":12345678901234567890123,"z":"\\u00e4"}\n'
    two.run("atomic-write", document, input=odd)
    assert text(one, document) == odd
    assert one.run("memory-read", document, "--revision").strip() == hashlib.sha256(odd.encode()).hexdigest()
    assert json.loads(one.run("memory-read", document, "--with-revision", ".big"))["value"] == 12345678901234567890123
    # A preview and a difference change nothing.
    assert json.loads(one.run("memory-update", document, ".z = 1", "--dry-run"))["z"] == 1
    assert '+  "z": 1' in one.run("memory-update", document, ".z = 1", "--diff")
    assert text(two, document) == odd
    # Filters with variables, options that mix, functions of bash.
    one.run("memory-update", "--arg", "n", "x", document, ".name = $n", "--client", "test")
    function = "f() { jq '.count += 1'; }; export -f f; memory-update \"$0\" --function f"
    one.run("bash", "-c", function, document)
    assert two.read(document, "{name, count}") == {"name": "x", "count": 1}
    # Lines.
    lines = document.replace(".json", ".jsonl")
    one.run("memory-update", lines, "--append", "{n: 1}", "--create")
    two.run("memory-update", lines, "--append", "{n: 2}, {n: 3}")
    assert text(one, lines) == '{"n":1}\n{"n":2}\n{"n":3}\n'
    # Bad input changes nothing.
    before = text(one, document)
    for words, status in [([".a ="], 2), (["error"], 1), (["empty"], 1), ([".name"], 1)]:
        one.run("memory-update", document, *words, status=status)
    one.run("atomic-write", document, "--content", "{", status=1)
    schema = one.home / "schema.json"
    schema.write_text('{"required": ["name"]}')
    assert "name" in one.run("memory-update", document, "del(.name)", "--schema", schema, status=1)
    one.run("memory-update", document, ".fits = true", "--schema", schema)
    assert json.loads(before) | {"fits": True} == one.read(document)
    # A file of this machine and a document beyond it in one read.
    (one.home / "local.json").write_text('{"here": 1}')
    assert json.loads(one.run("memory-read", "local.json", ".", document, "-s", "-c"))[0] == {"here": 1}


def backups(world):
    one, document = world.hosts["one"], world.document()
    one.run("atomic-write", document, "--content", '{"n":0}')
    for number in range(1, 5):
        one.run("memory-update", document, f".n = {number}", "--backup=3")
    row = [one.read(f"{document}.bak{suffix}")["n"] for suffix in ["", ".2", ".3"]]
    assert row == [3, 2, 1], row
    one.run("atomic-write", document, "--restore=2")
    assert one.read(document)["n"] == 2
    assert [one.read(f"{document}.bak{suffix}")["n"] for suffix in ["", ".2", ".3"]] == [4, 3, 1]
    one.run("atomic-write", document, "--restore")
    assert one.read(document)["n"] == 4 and one.read(f"{document}.bak")["n"] == 2
    assert "no backup 9; there are 3" in one.run("atomic-write", document, "--restore=9", status=1)
    # Together they are more than one request may hold.
    large = json.dumps({"n": 0, "text": "x" * 900_000})
    one.run("atomic-write", document, input=large)
    one.run("memory-update", document, ".n = 1", "--backup=2")
    one.run("memory-update", document, ".n = 2", "--backup=2")
    assert [one.read(place, ".n") for place in [document, f"{document}.bak", f"{document}.bak.2"]] == [2, 1, 0]


def conditions(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    starters = [host.start("atomic-write", document, "--content", json.dumps({"by": number}), "--if-revision", "none")
                for number, host in enumerate([one, two] * 4)]
    ends = [starter.wait() for starter in starters]
    assert sorted(ends) == [0] + [76] * 7, ends
    revision = one.run("memory-read", document, "--revision").strip()
    two.run("memory-update", document, ".theirs = 1", "--if-revision", revision[:12])
    told = one.run("memory-update", document, ".ours = 1", "--if-revision", revision, status=76)
    assert "has changed since" in told and "--base" in told
    assert json.loads(one.run("memory-update", document, ".x = 1", "--if-revision", revision, "--json",
                              status=[76]).split("[ERROR]")[0])["status"] == "changed"
    # Merged with what the other side wrote, from a base in a file or in a backup.
    base = one.home / "base.json"
    base.write_text(one.run("memory-read", document, "--raw"))
    two.run("memory-update", document, ".theirs = 2", "--backup")
    merged = one.run("atomic-write", document, "--base", base, input=json.dumps(json.loads(base.read_text()) | {"ours": 1}),
                     stderr=subprocess.STDOUT)
    assert "[OK] Merged" in merged and one.read(document, "[.theirs, .ours]") == [2, 1]
    at = hashlib.sha256(base.read_bytes()).hexdigest()
    one.run("memory-update", document, ".more = 1")
    one.run("atomic-write", document, "--base", at[:12], input=json.dumps(json.loads(base.read_text()) | {"third": 1}))
    assert one.read(document, "[.theirs, .more, .third]") == [2, 1, 1]
    assert "conflict" in one.run("atomic-write", document, "--base", base, input='{"theirs": 9}', status=76)


def names_and_links(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    key = document.rsplit("/t/", 1)[1]
    one.run("atomic-write", f"team:t/{key}", "--content", "{}")
    link = two.home / "sessions.json"
    link.symlink_to(document)
    two.run("memory-update.sh", "./sessions.json", '.sessions += [{"id": "session-2"}]')
    (two.home / "second.json").symlink_to(link)
    two.run("memlatch", "memory-update", "second.json", ".n = 1", "--backup")
    assert one.read(f"team:t/{key}") == {"sessions": [{"id": "session-2"}], "n": 1}
    assert link.is_symlink() and not (two.home / "etcd+https:").exists(), "the link has to stay what it is"
    two.run("atomic-write", "sessions.json", "--content", "{}")
    assert two.run("sh", "-c", "echo '{}' | atomic-write sessions.json && memory-read sessions.json -c").strip() == "{}"
    assert two.run("sh", "-c", "cat sessions.json; echo x > sessions.json", status=[1, 2]) and link.is_symlink()
    # A file of that name wins over nothing, a name over a file, and a path is always a path.
    (one.home / "team:x.json").write_text('{"here": true}')
    assert one.run("memory-read", "./team:x.json", "-c").strip() == '{"here":true}'
    assert "does not exist" in one.run("memory-read", "team:x.json", status=1)
    assert "both" in one.run("file-lock", "with", f"team:t/{key}", "./local.json", "--", "true", status=2)
    # Without the second program there is a message, and nothing else.
    alone = one.home / "alone"
    alone.mkdir()
    (alone / "memory-read").symlink_to(alone / "memlatch")
    (alone / "memlatch").write_bytes((world.commands / "memlatch").read_bytes())
    (alone / "memlatch").chmod(0o755)
    told = one.run("env", "PATH=/nowhere", alone / "memory-read", document, status=2)
    assert "memlatch-remote" in told and "install" in told, told


def limits(world):
    one, document = world.hosts["one"], world.document()
    one.run("atomic-write", document, input=json.dumps({"text": "x" * 1_450_000}))
    before = one.run("memory-read", document, "--revision")
    told = one.run("memory-update", document, '.more = ("y" * 200000)', status=1)
    assert "1.5 MiB" in told and "bytes" in told, told
    assert "too large" not in told and one.run("memory-read", document, "--revision") == before
    assert "bytes" in one.run("atomic-write", document, input=json.dumps({"text": "x" * 3_000_000}), status=1)


def statuses(world):
    one, document = world.hosts["one"], world.document()
    one.run("atomic-write", document, "--content", "{}")
    # Nobody there.
    nobody = f"etcd+https://{world.network.addresses['two']}:2379/x.json"
    told = one.run("memory-read", nobody, "--timeout", "0", status=69)
    assert "cannot be reached" in told and "nothing has changed" in told, told
    # One of several is enough.
    several = document.replace("etcd+https://", f"etcd+https://{world.network.addresses['two']}:2379,")
    one.run("memory-update", several, ".a = 1")
    # An authority that nobody has told of.
    (one.base / "remotes.json").unlink()
    told = one.run("memory-read", document, "--timeout", "0", status=69)
    assert "certificate" in told and '"ca"' in told, told
    assert one.run("memory-read", document, env={"SSL_CERT_FILE": str(world.authority.certificate)})
    # Addresses and settings that mean nothing.
    for address, word in [("etcd+https://root:geheim@h/x.json", "remotes.json"), ("etcd+http://10.0.0.1/x.json", "in the clear"),
                          ("etcd+https://h/x.json?a=b", "remotes.json"), ("etcd+https://h/", "names no document"),
                          ("etcd+https://h/x.json.writes", "keeps beside")]:
        told = one.run("memory-read", address, status=2)
        assert word in told and "geheim" not in told, told
    (one.base / "remotes.json").write_text('{"team": {"url": "etcd+https://h/", "password": "geheim"}}')
    told = one.run("memory-read", document, status=2)
    assert '"password"' in told and "password_command" in told and "geheim" not in told, told
    (one.base / "remotes.json").write_text("{")
    assert "is not JSON" in one.run("memory-read", document, status=2)


class Single:
    """One node of etcd within one machine, for what cannot be tried on the cluster."""

    def __init__(self, host, *options):
        self.host, self.address = host, "etcd+http://127.0.0.1:12379"
        self.place = host.home / f"single-{time.monotonic_ns()}"
        log = open(f"{self.place}.log", "wb")
        self.process = host.start(
            "etcd", "--data-dir", self.place, "--listen-client-urls", "http://127.0.0.1:12379",
            "--advertise-client-urls", "http://127.0.0.1:12379", "--listen-peer-urls", "http://127.0.0.1:12380", *options,
            stdout=log, stderr=log)
        until(lambda: self.ctl("endpoint", "health").returncode == 0)

    def ctl(self, *words, env=None):
        process = self.host.start("etcdctl", "--endpoints=http://127.0.0.1:12379", *words, env=env)
        process.out, process.err = process.communicate()
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def passwords(world):
    one = world.hosts["one"]
    with Single(one) as single:
        document = f"{single.address}/team/x.json"
        for words in (["user", "add", f"root:{PASSWORD}"], ["user", "grant-role", "root", "root"], ["role", "add", "team"],
                      ["role", "grant-permission", "team", "--prefix=true", "readwrite", "team/"],
                      ["user", "add", f"ci:{PASSWORD}"], ["user", "grant-role", "ci", "team"], ["auth", "enable"]):
            assert single.ctl(*words).returncode == 0, words
        told = one.run("atomic-write", document, "--content", "{}", status=77)
        assert "without credentials" in told, told
        ci = {"MEMLATCH_ETCD_USER": "ci", "MEMLATCH_ETCD_PASSWORD": PASSWORD}
        one.run("atomic-write", document, "--content", "{}", env=ci)
        one.run("file-lock", "with", document, "--", "memory-update", document, ".a = 1", env=ci)
        told = one.run("memory-read", document, status=77, env=ci | {"MEMLATCH_ETCD_PASSWORD": "wrong one"})
        assert "ci" in told and "MEMLATCH_ETCD_PASSWORD" in told and "wrong one" not in told, told
        told = one.run("memory-read", f"{single.address}/other/x.json", status=77, env=ci)
        assert "permission denied" in told, told
        # From a command, which is the way for people; and nothing shows it.
        team = {"url": f"{single.address}/team/", "user": "ci", "password_command": ["echo", PASSWORD]}
        (one.base / "remotes.json").write_text(json.dumps({"team": team}))
        assert one.read("team:x.json") == {"a": 1}
        told = one.run("bash", "-c", f"""
            LOCK_DEBUG=1 file-lock with team:x.json -- sh -c '
                file-lock show team:; env; cat /proc/*/cmdline | tr "\\0" " "' 2>&1""")
        assert PASSWORD not in told.replace(f"echo {PASSWORD}", ""), "a secret was shown"
        # Tokens are forgotten when the node starts anew, and a new one is asked for.
        team["password_command"] = ["false"]
        (one.base / "remotes.json").write_text(json.dumps({"team": team}))
        assert "password_command" in one.run("memory-read", "team:x.json", status=77)


def proxy(world):
    """A machine from which nothing gets out but HTTPS through a proxy."""
    two, document = world.hosts["two"], world.document()
    world.hosts["one"].run("atomic-write", document, "--content", "{}")
    for member in world.members:
        world.network.deafen("two", member.name)
    told = two.run("memory-read", document, "--timeout", "0", status=69)
    assert "cannot be reached" in told
    script = os.path.join(os.path.dirname(__file__), "relay.py")
    relay = subprocess.Popen(["python3", script, "proxy", SWITCH, "3128"], stdout=subprocess.PIPE, text=True)
    try:
        assert relay.stdout.readline().strip() == "listening"
        through = {"HTTPS_PROXY": f"http://{SWITCH}:3128"}
        two.run("memory-update", document, ".a = 1", env=through)
        two.run("file-lock", "with", document, "--", "memory-update", document, ".b = 1", env=through)
        two.run("memory-read", document, "--timeout", "0", status=69, env=through | {"NO_PROXY": ",".join(world.network.addresses.values())})
    finally:
        relay.kill()
    assert world.hosts["one"].read(document) == {"a": 1, "b": 1}


def full_store(world):
    one = world.hosts["one"]
    with Single(one, "--quota-backend-bytes", "2000000") as single:
        document = f"{single.address}/x.json"
        one.run("atomic-write", document, "--content", '{"n": 0}')
        for number in range(40):
            if one.run("memory-update", document, f'.n = {number} | .text = ("x" * 300000)', status=[0, 1]).startswith("[ERROR]"):
                break
        before = one.run("memory-read", document, "--revision")
        told = one.run("memory-update", document, ".n = -1", status=1)
        assert "full" in told and "compact" in told, told
        assert one.run("memory-read", document, "--revision") == before
        assert "NOSPACE" in one.run("memlatch", "doctor", f"{single.address}/", status=1)

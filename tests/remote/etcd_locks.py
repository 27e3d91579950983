"""Locks on etcd: held, waited for, lost, and never two at once."""

import json
import signal
import subprocess
import time

from world import until


def begun(process, word="held"):
    """Waits until a command says that it has begun."""
    line = process.stdout.readline()
    assert word in line, f"it said {line!r}: {process.stderr.read() if process.poll() is not None else ''}"
    return line


def holder(host, document, *words, **options):
    """A command that holds a lock until its input ends."""
    words = words or ("sh", "-c", "echo held; cat >/dev/null")
    process = host.start("file-lock", "with", document, "--", *words, stdin=subprocess.PIPE, **options)
    begun(process)
    return process


def let_go(process, status=0):
    process.stdin.close()
    assert process.wait(60) == status, (process.returncode, process.stderr.read())


def is_held(host, document):
    return host.start("file-lock", "status", document).wait() == 1


def locks(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    assert one.run("file-lock", "status", document) == "free\n"
    process = holder(one, document)
    told = two.run("file-lock", "status", document, status=1)
    assert told.startswith("held by PID") and "on host one" in told, told
    status = json.loads(two.run("file-lock", "status", document, "--json", status=[1]))
    assert status["held"] and status["lock"]["hostname"] == "one" and status["lock"]["seconds_left"] <= 5
    for words in (["memory-update", document, ".a = 1", "--create"], ["file-lock", "acquire", document],
                  ["file-lock", "with", document, "--", "true"]):
        told = two.run(*words[:3], "--timeout", "0.2", *words[3:], status=75)
        assert "on host one since" in told and "waited" in told, told
    two.run("file-lock", "with", document, "-E", "9", "--timeout", "0", "--", "true", status=9)
    shown = two.run("file-lock", "show", f"{world.etcd}/")
    assert document.split("/t/")[1] in shown and "HOSTNAME: one" in shown and "Status: ACTIVE" in shown, shown
    listed = json.loads(two.run("file-lock", "show", f"{world.etcd}/t/", "--json"))["locks"]
    assert [lock["hostname"] for lock in listed] == ["one"], listed
    # Longer than the lease, which is kept meanwhile.
    time.sleep(6)
    assert is_held(two, document)
    let_go(process)
    assert two.run("file-lock", "status", document) == "free\n"
    assert "No locks found" in two.run("file-lock", "show", f"{world.etcd}/")
    # The command's own status; a command that is not there; the user's own check.
    one.run("file-lock", "with", document, "--", "sh", "-c", "exit 42", status=42)
    one.run("file-lock", "with", document, "--", "no-such-command", status=127)
    one.run("file-lock", "with", document, "--", "sh", "-c", "kill -TERM $$", status=143)
    probe = f"LOCK_TIMEOUT=0.1 file-lock acquire {document} &>/dev/null && echo Unlocked || echo Locked"
    assert one.run("bash", "-c", probe) == "Unlocked\n" and two.run("file-lock", "status", document) == "free\n"
    debug = one.run("sh", "-c", f"LOCK_DEBUG=1 file-lock with {document} -- echo data 2>&1")
    for line in ("Acquiring lock for: ", "Lock acquired: ", "Executing with lock: echo data", "Releasing lock: ", "Lock released"):
        assert f"[LOCK DEBUG] {line}" in debug, debug
    # A signal reaches the command, and the lock is free after it.
    process = holder(one, document, "sh", "-c", "trap 'exit 7' TERM; echo held; while :; do sleep 0.05; done")
    with_pid(process).send(signal.SIGTERM)
    assert process.wait(20) == 7 and not is_held(two, document)


class with_pid:
    """The `with` among the processes that were started on a machine, and its keeper and command."""

    def __init__(self, process):
        self.pid = until(lambda: next(iter(find(process.pid, lambda words: b"with" in words and b"file-lock" in words[0])), None))
        self.keeper = until(lambda: next(iter(find(self.pid, lambda words: b"--keep" in words)), None))
        self.command = until(lambda: next((pid for pid in children(self.pid) if pid != self.keeper), None))

    def send(self, number, who="pid"):
        subprocess.run(["kill", f"-{int(number)}", str(getattr(self, who))], check=True)


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split()
    return [int(child) for child in found]


def find(pid, fits):
    for candidate in [pid, *descendants(pid)]:
        try:
            words = open(f"/proc/{candidate}/cmdline", "rb").read().split(b"\0")
        except OSError:
            continue
        if fits(words):
            yield candidate


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def is_gone(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def nested(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("atomic-write", document, "--content", '{"n": 0}')
    inner = f"""
        file-lock with {document} -- memory-update {document} '.n += 1' &&
        memory-update {document} '.n += 1' && atomic-write {document} --content '{{"n": 5}}' --backup &&
        file-lock with {document} -- sh -c 'for i in 1 2 3 4; do memory-update {document} ".n += 1" & done; wait'"""
    one.run("file-lock", "with", document, "--", "sh", "-c", inner)
    assert two.read(document, ".n") == 9
    # Those inside exclude each other as well.
    log = one.home / "log"
    one.run("file-lock", "with", document, "--", "sh", "-c", f"""
        for i in 1 2 3; do file-lock with {document} -- sh -c 'echo in >> {log}; sleep 0.1; echo out >> {log}' & done; wait""")
    assert log.read_text().split() == ["in", "out"] * 3
    # Several at once, in any order, without a deadlock.
    other = world.document()
    pairs = [(document, other), (other, document)] * 3
    processes = [host.start("file-lock", "with", *pair, "--", "sleep", "0.05") for host, pair in zip([one, two] * 3, pairs)]
    assert [process.wait(60) for process in processes] == [0] * 6


def acquired(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("bash", "-c", f"""
        set -e
        lock=$(file-lock acquire {document} --client tester)
        file-lock status {document} && exit 1
        memory-update {document} '.a = 1' --create
        (memory-update {document} '.b = 1')
        sleep 6
        file-lock status {document} && exit 1
        file-lock release "$lock"
        file-lock status {document}
        file-lock acquire {document} >/dev/null
        file-lock release {document}
        file-lock status {document}""")
    assert one.read(document) == {"a": 1, "b": 1}
    # It ends with its owner.
    shell = one.start("bash", "-c", f"file-lock acquire {document}; cat", stdin=subprocess.PIPE)
    lock = shell.stdout.readline().strip()
    assert "only that process" in two.run("file-lock", "release", lock, status=1)
    assert "only that process" in two.run("file-lock", "release", document, status=1)
    waiter = two.start("file-lock", "with", document, "--", "true")
    shell.stdin.close()
    shell.wait()
    assert waiter.wait(20) == 0
    # Or with its time, with nobody to keep it.
    two.run("sh", "-c", f"file-lock acquire {document} --ttl 2; true")
    assert one.run("file-lock", "with", document, "--timeout", "15", "--", "echo", "mine") == "mine\n"
    assert "not locked" in one.run("file-lock", "release", document, status=1)


def in_order(world):
    """Who lines up first is served first, on whichever machine; updates line up with the others."""
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("atomic-write", document, "--content", "[]")
    process = holder(one, document)
    waiters = []
    for number in range(6):
        host = [one, two][number % 2]
        waiters.append(host.start("memory-update", document, f". += [{number}]") if number % 3 else
                       host.start("file-lock", "with", document, "--", "memory-update", document, f". += [{number}]"))
        wanted = number + 1
        until(lambda: json.loads(two.run("file-lock", "status", document, "--json", status=[1]))["lock"]["waiters"] == wanted)
    let_go(process)
    assert [waiter.wait(30) for waiter in waiters] == [0] * 6
    assert one.read(document) == list(range(6)), one.read(document)


def by_force(world):
    """Whoever is robbed of a lock cannot write any more, and its command is ended."""
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("atomic-write", document, "--content", "{}")
    process = holder(one, document, "sh", "-c", f"""
        echo held; read x; memory-update {document} '.late = 1'; echo "status $?"; cat >/dev/null""")
    assert "--force" in two.run("file-lock", "release", document, status=1)
    two.run("file-lock", "release", "--force", document)
    two.run("memory-update", document, ".theirs = 1")
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "status 69\n", process.stderr.read()
    assert process.wait(20) == 69 and "was lost" in process.stderr.read()
    assert one.read(document) == {"theirs": 1}


def compaction(world):
    """A waiter whose watch asks for what has been thrown away looks again."""
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    process = holder(one, document)
    waiter = two.start("file-lock", "with", document, "--", "true")
    until(lambda: json.loads(two.run("file-lock", "status", document, "--json", status=[1]))["lock"]["waiters"] == 1)
    for _ in range(20):
        world.etcdctl("put", "noise", "x")
    revision = json.loads(world.etcdctl("get", "noise", "-w", "json").stdout)["header"]["revision"]
    world.etcdctl("compact", str(revision))
    world.etcdctl("move-leader", next(format(member.ask("/v3/maintenance/status") and
                  int(member.ask("/v3/maintenance/status")["header"]["member_id"]), "x") for member in world.members
                  if not member.leads()), check=False)
    let_go(process)
    assert waiter.wait(30) == 0


def killed(world):
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    # `with` alone: the lock goes on for as long as its command.
    process = holder(one, document)
    parts = with_pid(process)
    parts.send(signal.SIGKILL)
    time.sleep(6)
    assert is_held(two, document) and not is_gone(parts.command), "the command still works under the lock"
    process.stdin.close()
    until(lambda: is_gone(parts.command))
    assert two.run("file-lock", "with", document, "--timeout", "15", "--", "echo", "mine") == "mine\n"
    # The keeper: nobody keeps the lease any more, so the command is ended.
    process = holder(one, document)
    parts = with_pid(process)
    parts.send(signal.SIGKILL, "keeper")
    assert process.wait(20) == 69 and is_gone(parts.command)
    # Everything on the machine: the lease runs out.
    process = holder(one, document)
    parts = with_pid(process)
    for who in ("pid", "keeper", "command"):
        parts.send(signal.SIGKILL, who)
    since = time.monotonic()
    two.run("file-lock", "with", document, "--timeout", "20", "--", "true")
    assert time.monotonic() - since < 15
    # A writer in the queue that is killed holds nobody up for longer than that.
    process = holder(one, document)
    writer = two.start("memory-update", document, ".a = 1", "--create")
    until(lambda: json.loads(two.run("file-lock", "status", document, "--json", status=[1]))["lock"]["waiters"] == 1)
    for pid in [writer.pid, *descendants(writer.pid)]:
        subprocess.run(["kill", "-9", str(pid)], check=False)
    let_go(process)
    one.run("memory-update", document, ".b = 1", "--create", "--timeout", "20")
    assert one.read(document) == {"b": 1}


def stopped(world):
    """A holder that is stopped for longer than its lease, and goes on, writes nothing; its command is gone."""
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("atomic-write", document, "--content", "{}")
    command = f"echo held; read x; memory-update {document} '.late = 1'; echo \"status $?\"; cat >/dev/null"
    # The keeper alone: `with` sees that nothing is heard of it.
    process = holder(one, document)
    parts = with_pid(process)
    parts.send(signal.SIGSTOP, "keeper")
    assert process.wait(20) == 69 and is_gone(parts.command)
    parts.send(signal.SIGKILL, "keeper")
    two.run("file-lock", "with", document, "--timeout", "20", "--", "true")
    # `with` and its keeper: nobody is left to end the command, but nothing that it writes is accepted.
    process = holder(one, document, "sh", "-c", command)
    parts = with_pid(process)
    parts.send(signal.SIGSTOP)
    parts.send(signal.SIGSTOP, "keeper")
    two.run("memory-update", document, ".theirs = 1", "--timeout", "20")
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "status 69\n"
    parts.send(signal.SIGCONT)
    parts.send(signal.SIGCONT, "keeper")
    assert process.wait(20) == 69 and is_gone(parts.command)
    # An update that is stopped between reading and writing loses to whoever came between, and begins anew.
    updates = one.read(document) | {"slow": 1, "quick": 1}
    slow = one.start("bash", "-c", f"f() {{ sleep 1; jq '.slow = 1'; }}; export -f f; memory-update {document} --function f")
    until(lambda: is_held(two, document))
    two.run("memory-update", document, ".quick = 1")
    assert slow.wait(20) == 0 and one.read(document) == updates


def cut_off(world):
    """The command of a holder that is cut off is ended before another can have the lock."""
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("atomic-write", document, "--content", "{}")
    ticks = one.home / "ticks"
    script = f"echo held; while :; do date +%s.%N >> {ticks}; sleep 0.02; done"
    process = holder(one, document, "sh", "-c", script)
    waiter = two.start("file-lock", "with", document, "--timeout", "30", "--", "date", "+%s.%N")
    world.network.pull("one")
    granted = float(waiter.communicate(timeout=40)[0])
    # It may have been killed within a line.
    last = float(ticks.read_text().rpartition("\n")[0].split("\n")[-1])
    assert last < granted, f"the command worked for {last - granted:.2f} s after another had the lock"
    assert process.wait(20) == 69 and "was lost" in process.stderr.read()
    told = one.run("memory-update", document, ".a = 1", "--timeout", "0", status=69)
    assert "cannot be reached" in told
    world.network.plug("one")
    # What hears but is not heard, and the other way round, is cut off as well.
    for deaf, sender in (("one", [member.name for member in world.members]), ):
        process = holder(one, document)
        parts = with_pid(process)
        for member in sender:
            world.network.deafen(deaf, member)
        assert process.wait(30) == 69 and is_gone(parts.command)
        world.network.cure(deaf)
    return f"ended {granted - last:.1f} s before the next had it"

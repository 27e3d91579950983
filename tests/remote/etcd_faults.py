"""Updates while everything breaks, and whether it was as if nothing had."""

import itertools
import json
import os
import random
import signal
import time

import check
from etcd_locks import descendants
from etcd_plain import Single
from world import Later, until


class Storm:
    """Writers and readers on one list, and a record of what they did and saw."""

    def __init__(self, hosts, document, rounds, timeout="30"):
        self.hosts, self.document, self.rounds, self.timeout = hosts, document, rounds, timeout
        self.operations, self.others = [], []
        # Writers go on after their rounds until everything has happened that is to happen meanwhile.
        self.is_complete = lambda: True
        hosts[0].run("atomic-write", document, "--content", "[]")

    def writer(self, host, name):
        for number in itertools.count():
            if number >= self.rounds and self.is_complete():
                return
            id = f"{name}-{number}"
            begin = time.monotonic()
            process = host.start("memory-update", self.document, "--arg", "id", id, ". += [$id]", "--timeout", self.timeout)
            _, told = process.communicate(timeout=120)
            operation = check.Operation(begin, time.monotonic(), id=id)
            match process.returncode:
                case 0:
                    pass
                case 69 | 75:  # not reached, or not its turn in time: nothing has changed
                    operation.refused = True
                case 74:  # nobody knows
                    operation.end = None
                case other:
                    raise AssertionError(f"{id} ended with {other}: {told}")
            self.operations.append(operation)

    def reader(self, host):
        while not self.is_over:
            begin = time.monotonic()
            process = host.start("memory-read", self.document, "-c", "--timeout", self.timeout)
            out, told = process.communicate(timeout=120)
            if process.returncode == 0:
                self.operations.append(check.Operation(begin, time.monotonic(), got=tuple(json.loads(out))))
            else:
                assert process.returncode == 69, (process.returncode, told)

    def run(self, writers, meanwhile):
        self.is_over = False
        work = [Later(lambda n=n: self.writer(self.hosts[n % len(self.hosts)], f"w{n}")) for n in range(writers)]
        reading = [Later(lambda host=host: self.reader(host)) for host in self.hosts]
        meanwhile(lambda: any(worker.is_alive() for worker in work))
        for worker in work:
            worker.done()
        self.is_over = True
        for reader in reading:
            reader.done()

    def judge(self, final):
        found = check.faults(self.operations, final)
        assert not found, "; ".join(found[:5]) + f" ({len(found)} in all)"
        updates = [operation for operation in self.operations if operation.id is not None]
        acknowledged = sum(not update.refused and update.end is not None for update in updates)
        unknown = [update for update in updates if update.end is None]
        landed = sum(update.id in final for update in unknown)
        slowest = max(update.end - update.begin for update in updates if update.end is not None)
        return (f"{acknowledged} updates, {len(self.operations) - len(updates)} reads, "
                f"{sum(update.refused for update in updates)} refused, {len(unknown)} unknown of which {landed} were done; "
                f"slowest {slowest:.1f} s")


def calamities(world):
    """What can break, each with its end."""
    network = world.network

    def kill_leader():
        member = world.leader()
        member.kill()
        time.sleep(0.5)
        member.start()

    def kill_any():
        member = random.choice(world.members)
        member.kill()
        time.sleep(0.3)
        member.start()

    def kill_all():
        for member in world.members:
            member.kill()
        for member in world.members:
            member.start()

    def stop_leader():
        member = world.leader()
        member.signal(signal.SIGSTOP)
        time.sleep(2)
        member.signal(signal.SIGCONT)

    def part_leader():
        member = world.leader()
        network.pull(member.name)
        time.sleep(2)
        network.plug(member.name)

    def one_way():
        deaf, sender = random.sample(world.members, 2)
        network.deafen(deaf.name, sender.name)
        time.sleep(1.5)
        network.cure(deaf.name)

    def part_client():
        network.pull("two")
        time.sleep(1)
        network.plug("two")

    def move_leader():
        other = next(member for member in world.members if not member.leads())
        status = until(lambda: other.ask("/v3/maintenance/status"))
        world.etcdctl("move-leader", format(int(status["header"]["member_id"]), "x"), check=False)

    return [kill_leader, stop_leader, part_leader, move_leader, part_client, kill_any, one_way, kill_all]


def storm(world):
    hosts = list(world.hosts.values())
    storm = Storm(hosts, world.document(), 14 * world.scale)
    played = []
    wanted = calamities(world)
    storm.is_complete = lambda: len(played) >= len(wanted)

    def break_things(goes_on):
        while goes_on():
            calamity = wanted[len(played) % len(wanted)]
            calamity()
            played.append(calamity.__name__)
            until(lambda: any(member.leads() for member in world.members), 40)
            # So that something is done between two calamities.
            begun = len(storm.operations)
            until(lambda: not goes_on() or len(storm.operations) > begun + 8, 60)

    storm.run(6, break_things)
    world.settle()
    told = storm.judge(hosts[0].read(storm.document))
    assert len(set(played)) == len(wanted), f"only {played}"
    return f"{told}; {len(played)} calamities"


def lost_answers(world):
    """The engine does what it is asked for, and its answer is lost: done once, and known to be done."""
    one = world.hosts["one"]
    script = os.path.join(os.path.dirname(__file__), "relay.py")
    with Single(one) as single:
        relay = one.start("python3", script, "forgetful", "12381", "12379", "3")
        assert relay.stdout.readline().strip() == "listening"
        try:
            document = "etcd+http://127.0.0.1:12381/x.json"
            storm = Storm([one], document, 10)
            storm.run(3, lambda goes_on: until(lambda: not goes_on(), 120))
            lost = storm.judge(one.read(f"{single.address}/x.json"))
            assert all(operation.end is not None and not operation.refused for operation in storm.operations), lost
        finally:
            end(relay)
        # One that takes every write and never answers any: nobody can know, and says so; later one can ask.
        relay = one.start("python3", script, "forgetful", "12382", "12379", "1")
        assert relay.stdout.readline().strip() == "listening"
        try:
            document = "etcd+http://127.0.0.1:12382/x.json"
            told = one.run("memory-update", document, '. += ["last"]', "--timeout", "1", status=74)
            assert "memlatch-remote landed" in told, told
            id = told.split("memlatch-remote landed ")[1].split()[0]
            assert "yes" in one.run("memlatch-remote", "landed", id, f"{single.address}/x.json")
            assert "no" in one.run("memlatch-remote", "landed", "0" * 16, f"{single.address}/y.json", status=[1])
            assert one.read(f"{single.address}/x.json")[-1] == "last"
        finally:
            end(relay)
    return f"{lost}; every third answer was lost"


def end(process):
    """Ends a process and what it was started by."""
    for pid in [*descendants(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()


EXAMPLE = r"""
for i in {1..10}; do
    ./scripts/memory-update.sh "$SESSIONS_FILE" \
      ".sessions += [{\"id\": \"%(name)s-$i\", \"client\": \"%(client)s\"}]"
    sleep 0.1
done
"""


def example(world):
    """The user's own example, on two machines: two clients, twenty sessions, and the leader dies in between."""
    one, two, document = world.hosts["one"], world.hosts["two"], world.document()
    one.run("atomic-write", document, "--content", '{"project": "test", "sessions": []}')
    for host in (one, two):
        (host.home / "scripts").unlink(missing_ok=True)
        (host.home / "scripts").symlink_to(world.commands)
        (host.home / "test-sessions.json").symlink_to(document)
    clients = [
        host.start("bash", "-c", EXAMPLE % {"name": name, "client": client}, env={"SESSIONS_FILE": "test-sessions.json"})
        for host, name, client in [(one, "claude", "claude-code"), (two, "cursor", "cursor")]
    ]
    until(lambda: one.read(document, ".sessions | length") >= 6)
    leader = world.leader()
    leader.kill()
    for client in clients:
        out, told = client.communicate(timeout=90)
        assert client.returncode == 0 and told.count("[OK] Updated: test-sessions.json") == 10, told
    count = one.run("bash", "-c", "memory-read test-sessions.json --raw | jq '.sessions | length'").strip()
    unique = two.run("bash", "-c", "memory-read test-sessions.json --raw | jq '[.sessions[].id] | unique | length'").strip()
    assert (count, unique) == ("20", "20"), (count, unique)
    leader.start()
    return f"Total sessions: {count}, unique IDs: {unique}"

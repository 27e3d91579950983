"""The scenes between the machines, and their expected results.

A scene takes the rig and returns the figure that it prints; what goes wrong is an AssertionError.
"""

import contextlib
import json
import re
import time

SHARE = "/share"
# A lost lock is reported when the machine is back; the server takes the locks of a machine that was silent for the lease time, 10 s.
LONGER_THAN_THE_LEASE = 16


@contextlib.contextmanager
def mounted(rig, version):
    """The share, empty, on both clients. How they mounted it before is forgotten, and so is what they remember of it."""
    rig.server.must(f"rm -rf {SHARE}/* {SHARE}/.[!.]*")
    for client in rig.clients:
        client.must(f"mount_share {version}")
    yield
    for client in rig.clients:
        client.must(f"umount {SHARE}")


def at_once(rig, one, two):
    """Each client does its line at the same time. Returns what they said."""
    for client, line in zip(rig.clients, (one, two)):
        client.begin(line)
    ends = [client.end() for client in rig.clients]
    for status, said in ends:
        assert status == 0, said
    return [said for _, said in ends]


def statuses(*reports):
    """Which marks were added, by the exit status of the command, and what commands said that failed."""
    marks, rest = {}, []
    for line in "\n".join(reports).splitlines():
        mark = re.fullmatch(r"(\S+-\d+) (\d+)", line)
        if mark:
            marks[mark[1]] = int(mark[2])
        else:
            rest.append(line)
    return marks, "\n".join(rest)


def document(machine, file):
    text = machine.must(f"cat {SHARE}/{file}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise AssertionError(f"{file} is no document, {error}: {text!r}") from error


def missing_and_extra(marks, ids):
    """Acknowledged updates that are missing, and updates that are there twice or were not acknowledged."""
    acknowledged = [mark for mark, status in marks.items() if status == 0]
    extra = [mark for mark in ids if ids.count(mark) > 1 or marks.get(mark) != 0]
    return [mark for mark in acknowledged if mark not in ids], extra


def nothing_is_lost(marks, said, ids):
    missing, extra = missing_and_extra(marks, ids)
    assert not missing, f"{len(missing)} of {len(marks)} acknowledged updates are lost: {missing}"
    assert not extra, f"there twice, or there although a failure was told: {extra}"
    failed = {mark: status for mark, status in marks.items() if status != 0}
    assert not failed, f"{failed}:\n{said}"


def without_memlatch(rig):
    """The fault itself, so that the rig is known to see it: bare steps lose updates, and with the directory opened none."""
    figures = []
    for version, fresh in (("4.2", 0), ("4.2", 1)):
        with mounted(rig, version):
            at_once(rig, f"bare_steps one {rig.rounds} {fresh}", f"bare_steps two {rig.rounds} {fresh}")
            ids = rig.server.must(f"cat {SHARE}/list").split()
            figures.append(2 * rig.rounds - len(set(ids)))
    assert figures[0] > 0, "nothing was lost without the cure, so this rig cannot show that it works"
    assert figures[1] == 0, f"{figures[1]} lost although the directory was opened"
    return f"{figures[0]} of {2 * rig.rounds} lost; {figures[1]} where the directory is opened before the file"


def updates(rig, version):
    with mounted(rig, version):
        reports = at_once(rig, *(f"updates {SHARE}/a.json {name} {rig.updates}" for name in ("one", "two")))
        marks, said = statuses(*reports)
        missing, _ = missing_and_extra(marks, ids := document(rig.server, "a.json")["ids"])
        rig.tell(f"{len(missing)} of {len(marks)} lost")
        nothing_is_lost(marks, said, ids)
    return f"{len(missing)} of {len(marks)} lost"


def creation(rig, version):
    """Both find no file, and both make it."""
    files = [f"new-{number}.json" for number in range(rig.creations)]
    with mounted(rig, version):
        for file in files:
            line = "memory-read {0}/{1} 2>/dev/null; updates {0}/{1} {2} 1"
            reports = at_once(rig, *(line.format(SHARE, file, name) for name in ("one", "two")))
            nothing_is_lost(*statuses(*reports), document(rig.server, file)["ids"])
    return f"0 of {2 * len(files)} lost"


def cut_off(rig, version):
    """A holder is cut off for longer than the server's lease, and another machine is given the lock."""
    with mounted(rig, version):
        one, two = rig.clients
        prove(rig)
        one.must(f"updates {SHARE}/a.json before 3")
        one.must("rm -f /run/word /run/holding /run/held")
        one.must(f"{{ memory-update {SHARE}/a.json --function wait_for_word; echo $?; }} >/run/held 2>&1 & "
                 "until [[ -e /run/holding ]]; do sleep 0.1; done")
        one.cut_off()
        started = time.monotonic()
        two.begin(f"updates {SHARE}/a.json two 3")
        marks, said = statuses(two.end()[1])
        waited = time.monotonic() - started
        time.sleep(max(0, LONGER_THAN_THE_LEASE - waited))
        one.plug_in()
        one.must("touch /run/word; wait")
        told = one.must("cat /run/held").splitlines()
        ids = document(rig.server, "a.json")["ids"]
        assert told[-1] == "1" and "lock was lost" in "".join(told), f"the holder was told: {told}"
        assert "held" not in ids, f"the holder wrote: {ids}"
        nothing_is_lost(marks | {f"before-{number}": 0 for number in (1, 2, 3)}, said, ids)
        nothing_is_lost(*statuses(one.must(f"updates {SHARE}/b.json again 1")), document(rig.server, "b.json")["ids"])
        rest = rig.server.must(f"ls -A {SHARE}").split()
        assert sorted(rest) == ["a.json", "aiconfig", "b.json"], rest
    return f"0 lost, status 1 for the holder; the lock was given on after {waited:.0f} s"


def cut_off_at_work(rig, version):
    """The same while both machines update as fast as they can: what is reported is what is there."""
    with mounted(rig, version):
        one, two = rig.clients
        prove(rig)
        count = rig.updates // 2
        one.begin(f"updates {SHARE}/a.json one {count}")
        two.begin(f"updates {SHARE}/a.json two {2 * count}")
        rig.server.must(f"until [[ -e {SHARE}/a.json ]]; do sleep 0.1; done")
        one.cut_off()
        time.sleep(LONGER_THAN_THE_LEASE)
        one.plug_in()
        marks, said = statuses(one.end()[1], two.end()[1])
        missing, extra = missing_and_extra(marks, document(rig.server, "a.json")["ids"])
        assert not missing and not extra, f"missing {missing}, extra {extra}\n{said}"
        failed = {mark: status for mark, status in marks.items() if status != 0}
        assert set(failed.values()) <= {1}, f"{failed}\n{said}"
    return f"0 of {len(marks)} lost; {len(failed)} told status 1"


def prove(rig):
    """Lets the two clients see that locks exclude between them."""
    one, two = rig.clients
    one.begin("memlatch doctor --hold 2>&1")
    said = one.wait_for("holding a lock")
    status, answer = two.do("memlatch doctor --probe 2>&1")
    status_of_hold, rest = one.end()
    assert (status, status_of_hold) == (0, 0), f"{said}\n{rest}\n{answer}"
    return answer


def dead_holder(rig, version):
    """What a killed holder leaves is taken over by the other machine, once it was seen that its free guard means death."""
    with mounted(rig, version):
        one, two = rig.clients
        kill_holder = (f"{{ file-lock with {SHARE}/a.json -- sleep 1000 & }} 2>/dev/null; "
                       f"until file-lock status {SHARE}/a.json | grep -q held; do sleep 0.1; done; "
                       "kill -9 $(pidof file-lock sleep); wait 2>/dev/null")
        one.do(kill_holder)
        status, said = two.do(f"memory-update {SHARE}/a.json .n=1 --create --timeout 1 2>&1")
        assert status == 75 and "memlatch doctor --hold" in said, f"before the proof: {status} {said}"
        prove(rig)
        started = time.monotonic()
        status, said = two.do(f"memory-update {SHARE}/a.json .n=1 --create 2>&1")
        waited = time.monotonic() - started
        assert status == 0, said
        one.do(kill_holder)
        status, said = two.do(f"file-lock cleanup 2>&1; file-lock status {SHARE}/a.json")
        assert status == 0, said
    return f"taken over in {waited:.1f} s"


def locks_that_stay_local(rig):
    """One machine keeps its locks local: the two detect it, doctor reports it, and nothing is recorded.

    Only version 3 has the option; clients of version 4 ignore it (nfs4_validate_mount_flags in the kernel).
    """
    with mounted(rig, "3"):
        one, two = rig.clients
        two.must(f"umount {SHARE} && mount_share 3 ,local_lock=flock")
        one.begin("memlatch doctor --hold 2>&1")
        one.wait_for("holding a lock")
        status, said = two.do("memlatch doctor --probe 2>&1")
        status_of_hold, told = one.end()
        assert (status, status_of_hold) == (1, 1), f"{said}\n{told}"
        assert "was granted the lock" in said and "was granted the lock" in told, f"{said}\n{told}"
        assert two.do(f"test -e {SHARE}/aiconfig/.locks/hosts")[0] == 1
        _, said = two.do("memlatch doctor 2>&1")
        assert "locks of this machine alone" in said, said
        # Files on the share, and locks on a disk of the machine's own.
        _, said = one.do(f"AICONFIG_PATH=/root/aiconfig memlatch doctor {SHARE} 2>&1")
        assert "on nfs" in said and "and the locks are on" in said, said
    return "found by both machines, and by the doctor"


def leases(rig):
    """A lease of another machine ends by the server's clock, however wrong the machines' own clocks are."""
    with mounted(rig, "4.2"):
        one, two = rig.clients
        # An hour behind: by the other machine's clock the lease was over before it began.
        one.must("date -s @$(($(date +%s) - 3600)) >/dev/null")
        one.must(f"sleep 1000 & file-lock acquire {SHARE}/a.json --ttl 8 --owner $! >/dev/null")
        started = time.monotonic()
        status, said = two.do(f"memory-update {SHARE}/a.json .n=1 --create --timeout 1 2>&1")
        assert status == 75, f"before the end of the lease: {said}"
        status, said = two.do(f"memory-update {SHARE}/a.json .n=1 --create 2>&1")
        waited = time.monotonic() - started
        one.must("date -s @$(($(date +%s) + 3600)) >/dev/null; kill $(pidof sleep); wait 2>/dev/null; true")
        assert status == 0 and 6 <= waited, f"after {waited:.1f} s: {said}"
    return f"a lease of 8 s from a clock that is an hour behind lasted {waited:.0f} s"


def everybody(rig):
    """The main use: two machines, root and a user on one, and a sandbox that may write only to the share on the other."""
    sandbox = ("bwrap --ro-bind / / --bind /share /share --dev /dev --proc /proc --tmpfs /tmp --unshare-pid --unshare-net "
               "--die-with-parent --new-session")
    ann = "setpriv --reuid=1000 --regid=1000 --clear-groups"
    file = f"{SHARE}/aiconfig/memory/sessions.json"
    with mounted(rig, "4.2"):
        rig.server.must(f"mkdir -p {SHARE}/aiconfig/memory && chown -R 1000:1000 {SHARE}/aiconfig")
        rig.clients[0].must(f"{ann} memory-update {file} '.sessions = [range(40) | {{id: ., note: \"Größe — 大きさ\"}}]' --create")
        count = rig.updates // 2
        jobs = [[("root", ""), ("ann", ann)], [("sandbox", sandbox), ("sandboxed-ann", f"{ann} {sandbox}")]]
        lines = ["; ".join(f"updates {file} {name} {count} {prefix} >/run/{name} &" for name, prefix in job).replace("&;", "&")
                 + " wait; cat " + " ".join(f"/run/{name}" for name, _ in job) for job in jobs]
        marks, said = statuses(*at_once(rig, *lines))
        found = document(rig.server, "aiconfig/memory/sessions.json")
        nothing_is_lost(marks, said, found["ids"])
        assert len(found["sessions"]) == 40 and found["sessions"][7]["note"] == "Größe — 大きさ", found
        owner = rig.server.must(f"stat -c %u {SHARE}/aiconfig/memory/sessions.json")
        assert owner == "1000", f"the file belongs to {owner}"
        rest = rig.server.must(f"ls -A {SHARE}/aiconfig/memory").split()
        assert rest == ["sessions.json"], rest
        assert rig.clients[1].do(f"{sandbox} touch /usr/x 2>/dev/null")[0] != 0, "the sandbox can write everywhere"
    return f"0 of {len(marks)} lost, from root, a user and two sandboxes on two machines"


def dead_machine(rig, version):
    """The machine of a holder loses its power. It is the last scene: the machine stays dead."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mounted(rig, version))
        one, two = rig.clients
        prove(rig)
        marks, said = statuses(one.must(f"updates {SHARE}/a.json one 3"))
        one.must(f"{{ file-lock with {SHARE}/a.json -- sleep 1000 & }} 2>/dev/null; "
                 f"until file-lock status {SHARE}/a.json | grep -q held; do sleep 0.1; done")
        one.kill()
        started = time.monotonic()
        more, said = statuses(two.must(f"updates {SHARE}/a.json two 3"))
        waited = time.monotonic() - started
        nothing_is_lost(marks | more, said, document(rig.server, "a.json")["ids"])
        stack.pop_all()
    return f"the other machine goes on after {waited:.0f} s"

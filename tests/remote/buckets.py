"""Documents in a bucket, whose store loses answers, is busy, or does not keep its promises."""

import hashlib
import json

from etcd_faults import Storm
from store import KEY, SECRET, Store
from world import SWITCH, until

ENDPOINT = f"https://{SWITCH}:9000"


class Bucket:
    """A store for a scene, and hosts that know it by the name `box`."""

    def __init__(self, world):
        self.world = world
        # One for all scenes: it cannot be closed without waiting for every connection.
        if not hasattr(world, "store"):
            world.store = Store(SWITCH, 9000, world.authority)
        self.store = world.store
        self.store.objects.clear()
        self.store.behave()
        credentials = json.dumps({"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET})
        for host in world.hosts.values():
            box = {"url": f"s3://bucket/m/?endpoint={ENDPOINT}&region=eu-test-1", "ca": str(world.authority.certificate),
                   "credentials_command": ["echo", credentials]}
            (host.base / "remotes.json").write_text(json.dumps({"box": box}))


def documents(world):
    bucket, one, two = Bucket(world), world.hosts["one"], world.hosts["two"]
    assert "does not exist" in one.run("memory-read", "box:x.json", status=1)
    one.run("memory-update", "box:x.json", ".a = 1.10", "--create")
    two.run("memory-update", "s3://bucket/m/x.json", ".b = 1")
    content = bucket.store.objects["/bucket/m/x.json"][0]
    assert content == b'{\n  "a": 1.10,\n  "b": 1\n}\n', content
    assert one.run("memory-read", "box:x.json", "--revision").strip() == hashlib.sha256(content).hexdigest()
    link = two.home / "in-bucket.json"
    link.symlink_to("s3://bucket/m/x.json")
    for number in range(3):
        two.run("memory-update.sh", "in-bucket.json", f".n = {number}", "--backup=2")
    assert one.read("box:x.json", ".n") == 2 and one.read("box:x.json.bak", ".n") == 1 and one.read("box:x.json.bak.2", ".n") == 0
    one.run("atomic-write", "box:x.json", "--restore")
    assert one.read("box:x.json", ".n") == 1 and one.read("box:x.json.bak", ".n") == 2
    starters = [host.start("atomic-write", "box:new.json", "--content", "1", "--if-revision", "none") for host in (one, two) * 4]
    assert sorted(starter.wait() for starter in starters) == [0] + [76] * 7
    # A name with everything that has to be spelled otherwise.
    one.run("atomic-write", "s3://bucket/m/a%20b+c=d%C3%A4.json", "--content", "{}")
    assert "/bucket/m/a b+c=dä.json" in bucket.store.objects
    # No lock that could not keep its promise.
    told = one.run("file-lock", "with", "box:x.json", "--", "true", status=2)
    assert "no lock" in told and "etcd" in told, told
    one.run("file-lock", "acquire", "box:x.json", status=2)
    assert one.run("file-lock", "status", "box:x.json") == "free\n"
    function = "f() { jq '.f = 1'; }; export -f f; memory-update \"$0\" --function f"
    told = one.run("bash", "-c", function, "box:x.json", status=2)
    assert "more than once" in told, told


def refusals(world):
    bucket, one = Bucket(world), world.hosts["one"]
    one.run("atomic-write", "box:x.json", "--content", "{}")
    (one.base / "remotes.json").unlink()
    plain = {"SSL_CERT_FILE": str(world.authority.certificate), "AWS_ENDPOINT_URL": ENDPOINT, "AWS_REGION": "eu-test-1"}
    key = plain | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    assert one.run("memory-read", "s3://bucket/m/x.json", "-c", env=key).strip() == "{}"
    told = one.run("memory-read", "s3://bucket/m/x.json", status=77, env=key | {"AWS_SECRET_ACCESS_KEY": "verraten"})
    assert "AWS_ACCESS_KEY_ID" in told and "verraten" not in told and SECRET not in told, told
    assert "without credentials" in one.run("memory-read", "s3://bucket/m/x.json", status=77, env=plain)
    assert "NoSuchBucket" in one.run("memory-read", "s3://other/x.json", status=1, env=key)
    told = one.run("memory-read", "s3://bucket/x.json", "--timeout", "0", status=69, env=key | {"AWS_ENDPOINT_URL": f"https://{SWITCH}:9001"})
    assert "cannot be reached" in told
    assert "in the clear" in one.run("memory-read", "s3://bucket/x.json", status=2, env=key | {"AWS_ENDPOINT_URL": "http://10.0.0.1"})
    # It takes a write, never answers, and is asked later.
    bucket.store.behave(lose=1)
    told = one.run("memory-update", "s3://bucket/m/x.json", ".late = 1", "--timeout", "1", status=[0, 74], env=key)
    bucket.store.behave()
    assert one.run("memory-read", "s3://bucket/m/x.json", ".late", env=key).strip() == "1"


def storms(world):
    """Whatever the store does, each update is there once."""
    bucket, hosts, told = Bucket(world), list(world.hosts.values()), []
    for name, faults in {"lost answers": {"lose": 3}, "busy": {"s409": 3}, "slow down": {"s503": 3},
                         "once a second": {"s429": 9}, "slow": {"slow": 0.05}}.items():
        bucket.store.behave(**faults)
        storm = Storm(hosts, f"box:{name.replace(' ', '-')}.json", 3 * world.scale, timeout="60")
        storm.run(4, lambda goes_on: until(lambda: not goes_on(), 300))
        bucket.store.behave()
        storm.judge(hosts[0].read(storm.document))
        assert all(operation.end is not None and not operation.refused for operation in storm.operations), name
        told.append(name)
    return ", ".join(told)


def doctor(world):
    bucket, one = Bucket(world), world.hosts["one"]
    told = one.run("memlatch", "doctor", "box:")
    assert "exactly one won" in told and "credentials_command" in told and SECRET not in told, told
    assert not bucket.store.objects, "what the doctor makes it removes"
    bucket.store.behave(ignore=1)
    told = one.run("memlatch", "doctor", "s3://bucket/m/", status=1)
    assert "do not use this store" in told, told
    world.heal()
    told = one.run("memlatch", "doctor", "team:t/")
    assert "exactly one won" in told and "etcd 3" in told and "round trip" in told, told
    found = json.loads(one.run("memlatch", "doctor", "team:", "--json"))["engines"][0]["findings"]
    assert {finding["level"] for finding in found} == {"ok"}, found
    assert "doctor" not in world.etcdctl("get", "--prefix", "", "--keys-only").stdout

"""What the page on this says is done as it says."""

import re
import signal
from pathlib import Path

from world import until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "beyond-one-machine.md"


def one_node(world):
    """The five lines that start a node with TLS, and a document on it from another machine."""
    one, two = world.hosts["one"], world.hosts["two"]
    script = re.search(r"```sh one-node\n(.*?)```", PAGE.read_text(), re.S)[1]
    assert len(script.splitlines()) == 5, "the page promises five lines"
    address = world.network.addresses["one"]
    place = one.home / "node"
    place.mkdir()
    log = open(place / "log", "wb")
    node = one.start("bash", "-ec", f"cd {place}\n{script}".replace("\netcd ", "\nexec etcd "), env={"ADDRESS": address},
                     stdout=log, stderr=log)
    try:
        until(lambda: b"ready to serve client requests" in (place / "log").read_bytes(), 30)
        two.settings(url=f"etcd+https://{address}/", ca=str(place / "ca.pem"))
        two.run("memory-update", "team:team/sessions.json", '.sessions += [{"id": "s1"}]', "--create")
        assert one.run("memory-read", f"etcd+https://{address}:2379/team/sessions.json", "-c", env={"SSL_CERT_FILE": str(place / "ca.pem")}) \
            == '{"sessions":[{"id":"s1"}]}\n'
    finally:
        node.send_signal(signal.SIGKILL)
        node.wait()

"""The pages of the docs for one client each: their lines are run exactly as printed.

A section's ```sh blocks are commands; a block of JSON or TOML goes into the file named before it.
"""

import json
import re


def section(root, client, title):
    """The text of one section of a client's page."""
    page = (root / "docs/clients" / f"{client.name}.md").read_text()
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    assert found, f"docs/clients/{client.name}.md has no section '{title}'"
    return found[1]


def follow(room, title):
    """Does what a section says, in the repository's directory."""
    text, did = section(room.root, room.client, title), 0
    # The parts of a text with fences are by turns prose and blocks.
    parts = re.split(r"^```(.*)$", text, flags=re.M)
    for before, kind, block in zip(parts[0::4], parts[1::4], parts[2::4]):
        did += 1
        block = block.lstrip("\n").replace("/home/me", str(room.home))
        if kind == "sh":
            room.must(f"set -e\n{block}", room.root)
            continue
        file = room.home / re.findall(r"`~/([^`]+)`", before)[-1]
        file.parent.mkdir(parents=True, exist_ok=True)
        old = file.read_text() if file.exists() else ""
        if kind == "json":
            file.write_text(json.dumps(merged(json.loads(old or "{}"), json.loads(block))))
        else:
            file.write_text(f"{old.rstrip()}\n{block}")
    assert did, f"docs/clients/{room.client.name}.md, '{title}': nothing to do"


def merged(one, two):
    """Two JSON objects as one."""
    for key, value in two.items():
        both = isinstance(value, dict) and isinstance(one.get(key), dict)
        one[key] = merged(one[key], value) if both else value
    return one

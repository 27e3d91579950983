"""Writes the results into the docs."""

import crowd

HEAD = """# Tried in AI clients

Tests of memlatch in real AI clients. Each client runs without a terminal, in a network namespace that has only the loopback interface, with a
scripted model that makes the tool calls. The tests check what the client reported to the model, and what is in the files.

```
{command}
```

writes this page. It needs Linux, npm, and for the clients themselves node, ripgrep, bubblewrap and socat. Hooks, skills,
settings and servers are set up with the lines of [the clients' pages](clients.md#page-by-page), exactly as printed there. Cursor is not
available from a package registry and has not been tried.

"""


def write(page, clients, peers, rows):
    """Writes the page: a table of the scenes of each client, and one of what they did together."""
    names = [client.name for client in clients]
    lines = ["| " + " | ".join(["", *(f"{client.title} {client.version}" for client in clients)]) + " |", "|---" * (len(names) + 1) + "|"]
    cells = {(client, scene): verdict if verdict == "ok" and not detail else f"{verdict}: {detail}"
             for verdict, client, scene, detail in rows}
    for scene in dict.fromkeys(scene for _, client, scene, _ in rows if client in names):
        lines.append("| " + " | ".join([scene, *(cells.get((name, scene), "") for name in names)]) + " |")
    lines += ["", "## All at once", "",
              f"All clients of the table run at the same time, on one file. Each makes {crowd.UPDATES} updates in its shell, or {crowd.CALLS} parallel calls",
              "to a memory server that it has started for itself.", "", "| | |", "|---|---|"]
    lines += [f"| {scene} | {detail or verdict} |" for verdict, client, scene, detail in rows if client == "together"]
    lines += ["", "## Other clients of the protocol", "",
              "They need no model, and check the answers of `memlatch mcp` against the protocol only.", "", "| | | |", "|---|---|---|"]
    for peer in peers:
        lines += [f"| {peer} | {scene} | {cells[peer.name, scene]} |" for _, client, scene, _ in rows if client == peer.name]
    command = "tests/clients/run --publish"
    page.write_text(HEAD.format(command=command) + "\n".join(lines) + "\n")

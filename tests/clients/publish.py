"""Writes the results into the docs."""

import crowd

HEAD = """# Seen in real clients

What memlatch does in the AI clients themselves: each runs without a terminal, in a network namespace with loopback alone, for a
scripted model that makes the tool calls. What is asserted is what the client told the model, and what is in the files.

```
{command}
```

writes this page. It takes Linux, npm, and for the clients' own needs node, ripgrep, bubblewrap and socat. Hooks, skills,
settings and servers are set up by the lines of [the clients' pages](clients.md#page-by-page), as they stand there. Cursor cannot be had from
a package registry and has not been tried.

"""


def write(page, clients, peers, rows):
    """The page anew: a table of what each client was tried with, and one of what they did together."""
    names = [client.name for client in clients]
    lines = ["| " + " | ".join(["", *(f"{client.title} {client.version}" for client in clients)]) + " |", "|---" * (len(names) + 1) + "|"]
    cells = {(client, scene): verdict if verdict == "ok" and not detail else f"{verdict}: {detail}"
             for verdict, client, scene, detail in rows}
    for scene in dict.fromkeys(scene for _, client, scene, _ in rows if client in names):
        lines.append("| " + " | ".join([scene, *(cells.get((name, scene), "") for name in names)]) + " |")
    lines += ["", "## All at once", "",
              f"All clients of the table run at the same time. Each makes {crowd.UPDATES} updates in its shell, or {crowd.CALLS} calls at once",
              "of a memory server that it has started for itself; all work on one file.", "", "| | |", "|---|---|"]
    lines += [f"| {scene} | {detail or verdict} |" for verdict, client, scene, detail in rows if client == "together"]
    lines += ["", "## Other clients of the protocol", "",
              "They need no model, and judge what `memlatch mcp` answers by the protocol alone.", "", "| | | |", "|---|---|---|"]
    for peer in peers:
        lines += [f"| {peer} | {scene} | {cells[peer.name, scene]} |" for _, client, scene, _ in rows if client == peer.name]
    command = "tests/clients/run --publish"
    page.write_text(HEAD.format(command=command) + "\n".join(lines) + "\n")

"""The rows and columns of a section that docs/performance.md shows to users."""


def small(section):
    one_update, others = section["tables"]
    rows = [[f"`{row[0]}`" if row[0].startswith("memory") else row[0], row[1]] for row in one_update["rows"]
            if row[0].startswith(("floor", "memory-update", "flock"))]
    rows += [[f"`{row[0]}`", row[1]] for row in others["rows"]]
    return ["command", "ms"], rows


def crowds(section):
    rates = {(row[0], row[1]): row[2] for row in section["tables"][0]["rows"]}
    commands = [name for name in dict.fromkeys(name for _, name in rates) if not name.startswith("floor")]
    counts = dict.fromkeys(count for count, _ in rates)
    return ["writers", *commands], [[count, *(rates[count, name] for name in commands)] for count in counts]


def handover(section):
    rows = section["tables"][0]["rows"]
    return ["after", "ms until the waiter has the lock", "until its command runs"], [[row[0], row[1], row[4]] for row in rows]


DIGESTS = {"small": small, "crowds": crowds, "handover": handover}


def of(section):
    """Columns and rows, or None for a section of which users see nothing."""
    pick = DIGESTS.get(section["name"])
    return pick and pick(section)

"""Memory files of any size, the same on every run."""

SESSION = """    {{
      "id": "session-{0:07}",
      "client": "{1}",
      "started": "2026-{2:02}-{3:02}T08:15:30Z",
      "duration": {4},
      "cost": {5}.10,
      "tags": [
        "memory",
        "{1}"
      ],
      "summary": "Read the notes of \\"{3}\\" and wrote the plan; naïve, but it works.",
      "done": true
    }}"""
CLIENTS = ("claude", "cursor", "codex", "gemini")

HEAD = """{
  "counter": 0,
  "a": {
    "b": {
      "c": 0
    }
  },
  "sessions": [
"""
TAIL = """
  ],
  "x": [
    1,
    2,
    3
  ]
}
"""


def sessions(size):
    """A pretty-printed document of about `size` bytes."""
    length = len(session(0)) + 2
    count = max(1, round((size - len(HEAD) - len(TAIL)) / length))
    return HEAD + ",\n".join(session(number) for number in range(count)) + TAIL


def session(number):
    return SESSION.format(number, CLIENTS[number % 4], number % 12 + 1, number % 28 + 1,
                          number * 37 % 3600, number % 9)

"""Results as text, as JSON, as tables in docs/performance.md and as plots beside it."""

import json
import re
from dataclasses import asdict

from . import plot
from .bench import ROOT

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"


def text(result):
    return f"\n== {result.title}\n\n{markdown(result)}"


def markdown(result):
    parts = [f"{table['heading'][0].upper()}{table['heading'][1:]}\n\n{grid(table['columns'], table['rows'])}"
             for table in result.tables]
    if result.targets:
        rows = [[goal["what"], shown(goal["value"], goal["unit"]), f"{goal['sense']} {goal['limit']}",
                 "yes" if goal["holds"] else "**no**"] for goal in result.targets]
        parts.append(grid(["target", "measured", "wanted", "holds"], rows))
    return "\n\n".join(parts) + "\n"


def shown(value, unit):
    return f"{value:.4f} {unit}" if 0 < value < 0.05 else f"{value:.2f} {unit}"


def grid(columns, rows):
    """A Markdown table, padded so that it also reads well as plain text."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def save(bench, results, publish):
    """Writes the JSON, and with `publish` puts everything where the documentation shows it."""
    data = {"machine": bench.describe(), "sections": [asdict(result) for result in results]}
    folder = FOLDER if publish else bench.folder
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "results.json"
    if known.exists():
        # A run of some sections keeps what the others found before.
        new = {section["name"] for section in data["sections"]}
        kept = [section for section in json.loads(known.read_text())["sections"] if section["name"] not in new]
        data["sections"] += kept
    known.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    for result in results:
        for name, drawing in result.plots.items():
            (folder / f"{name}.svg").write_text(plot.draw(drawing))
    if publish:
        page = PAGE.read_text()
        for result in results:
            page = between(page, result.name, markdown(result))
        PAGE.write_text(between(page, "machine", data["machine"] + "\n"))
    print(f"\nwritten: {known}")


def between(page, name, content):
    """Replaces what stands between the page's two marks of this name."""
    pattern = rf"(<!-- bench:{name} -->\n).*?(<!-- /bench:{name} -->)"
    if not re.search(pattern, page, re.S):
        raise SystemExit(f"docs/performance.md has no marks for {name}")
    return re.sub(pattern, lambda found: f"{found[1]}\n{content}\n{found[2]}", page, flags=re.S)

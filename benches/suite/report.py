"""Results as text, as JSON, as tables in the pages and as plots beside them.

docs/measurements.md has every table; docs/performance.md has the few rows of them that a user asks for. What stands
between two marks of a page is written by `save`: `bench:NAME` is a whole section, `bench:NAME:digest` its digest.
"""

import json
import re
from dataclasses import asdict

from . import digest, plot
from .bench import ROOT

PAGES = [ROOT / "docs" / "performance.md", ROOT / "docs" / "measurements.md"]
FOLDER = ROOT / "docs" / "performance"
MARK = re.compile(r"(<!-- bench:([\w:]+) -->\n).*?(<!-- /bench:\2 -->)", re.S)


def text(result):
    return f"\n== {result.title}\n\n{markdown(asdict(result))}"


def markdown(section):
    parts = [f"{table['heading'][0].upper()}{table['heading'][1:]}\n\n{grid(table['columns'], table['rows'])}"
             for table in section["tables"]]
    if section["targets"]:
        rows = [[goal["what"], shown(goal["value"], goal["unit"]), f"{goal['sense']} {goal['limit']}",
                 "yes" if goal["holds"] else "**no**"] for goal in section["targets"]]
        parts.append(grid(["target", "measured", "wanted", "met"], rows))
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
        # A run of some sections keeps what earlier runs of the others found.
        new = {section["name"] for section in data["sections"]}
        kept = [section for section in json.loads(known.read_text())["sections"] if section["name"] not in new]
        data["sections"] += kept
    known.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    for result in results:
        for name, drawing in result.plots.items():
            (folder / f"{name}.svg").write_text(plot.draw(drawing))
    if publish:
        write_pages(data)
    print(f"\nwritten: {known}")


def write_pages(data):
    """Fills in all marks of the pages."""
    contents = {"machine": data["machine"] + "\n"}
    for section in data["sections"]:
        contents[section["name"]] = markdown(section)
        if table := digest.of(section):
            contents[section["name"] + ":digest"] = grid(*table) + "\n"
    for page in PAGES:
        page.write_text(MARK.sub(lambda mark: filled(mark, contents), page.read_text()))


def filled(mark, contents):
    """A pair of marks with its content; what no run has measured yet stays as it is."""
    start, name, end = mark.groups()
    return f"{start}\n{contents[name]}\n{end}" if name in contents else mark[0]


def check_pages(sections):
    """Ends the program if a section has no marks, or marks have no section: better before hours of measuring than after."""
    found = {name for page in PAGES for _, name, _ in MARK.findall(page.read_text())}
    wanted = {"machine", *sections, *(f"{name}:digest" for name in digest.DIGESTS)}
    if found != wanted:
        raise SystemExit(f"the pages lack marks for {sorted(wanted - found)} and have unknown ones for {sorted(found - wanted)}")

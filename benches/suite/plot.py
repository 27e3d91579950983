"""Bars and lines as SVG, by hand: two kinds of plot need no library."""

import math
from html import escape

WIDTH = 760
COLOURS = ("#1b6ac9", "#d1495b", "#2e933c", "#edae49", "#6c5b7b", "#30638e", "#8d6a9f", "#808080")
# Pages are read on light and on dark ground; the colours of bars and lines are seen on both.
STYLE = ("<style>.ink{fill:#222222}.paper{fill:#ffffff}.rule{stroke:#dddddd}"
         "@media(prefers-color-scheme:dark){.ink{fill:#e6edf3}.paper{fill:#0d1117}.rule{stroke:#30363d}}</style>")


def draw(drawing):
    return {"bars": bars, "lines": lines}[drawing["kind"]](drawing)


def bars(drawing):
    left, step, top = 300, 24, 44
    most = max(drawing["bars"].values())
    parts = []
    # The longest label stands after the longest bar, at worst.
    room = 16 + 7 * max(len(f"{figure(value)} {drawing['unit']}") for value in drawing["bars"].values())
    for row, (name, value) in enumerate(drawing["bars"].items()):
        y = top + row * step
        length = value / most * (WIDTH - left - room)
        colour = COLOURS[0] if "memory-update" in name else "#9aa5b1"
        parts.append(words(left - 8, y + 12, name, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="16" fill="{colour}"/>')
        parts.append(words(left + length + 6, y + 12, f"{figure(value)} {drawing['unit']}"))
    return frame(drawing["title"], top + len(drawing["bars"]) * step + 12, parts)


def lines(drawing):
    left, right, top, bottom = 70, WIDTH - 210, 50, 400
    points = [point for series in drawing["series"].values() for point in series]
    x_of = scale([x for x, _ in points], left, right)
    y_of = scale([y for _, y in points], bottom, top)
    parts = []
    for power in powers([x for x, _ in points]):
        parts.append(rule(x_of(power), top, x_of(power), bottom))
        parts.append(words(x_of(power), bottom + 18, figure(power), "middle"))
    for power in powers([y for _, y in points]):
        parts.append(rule(left, y_of(power), right, y_of(power)))
        parts.append(words(left - 8, y_of(power) + 4, figure(power), "end"))
    parts.append(words((left + right) / 2, bottom + 38, drawing["x"], "middle"))
    parts.append(words(left, top - 8, drawing["y"], "middle"))
    ends = []
    for (name, series), colour in zip(drawing["series"].items(), COLOURS):
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in series)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append((y_of(series[-1][1]), name, colour))
    lowest = -math.inf
    for y, name, colour in sorted(ends):
        lowest = max(y, lowest + 16)  # names of lines that end together would cover one another
        parts.append(words(right + 8, lowest + 4, name, colour=colour))
    return frame(drawing["title"], bottom + 54, parts)


def scale(values, start, end):
    """Logarithmic, from the values' range to the pixels'."""
    low, high = math.log10(min(values)), math.log10(max(values))
    return lambda value: start + (math.log10(value) - low) / ((high - low) or 1) * (end - start)


def powers(values):
    return [10.0**power for power in range(math.ceil(math.log10(min(values)) - 1e-9),
                                           math.floor(math.log10(max(values)) + 1e-9) + 1)]


def figure(value):
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    if value >= 1e3:
        return f"{value / 1e3:.3g}k"
    return f"{value:.3g}"


def words(x, y, text, anchor="start", colour=None):
    paint = f'fill="{colour}"' if colour else 'class="ink"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {paint}>{escape(text)}</text>'


def rule(x1, y1, x2, y2):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="rule"/>'


def frame(title, height, parts):
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">\n'
            f'{STYLE}\n<rect width="100%" height="100%" class="paper"/>\n'
            f'<text x="20" y="24" font-size="15" class="ink">{escape(title)}</text>\n{body}\n</svg>\n')

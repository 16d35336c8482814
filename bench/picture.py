"""A bar chart of what bench/compare found, as SVG: each program's speed as a share of what the probes allow."""

from html import escape

import report

WIDTH, LEFT, RIGHT = 960, 190, 190
BAR, STEP, GAP, SMALLEST = 15, 19, 16, 36
# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"]
HALO = ' paint-order="stroke" stroke="#fff" stroke-width="3"'


class Page:
    def __init__(self):
        self.y, self.shapes = 0, []

    def text(self, x, y, words, size=12, extra=""):
        self.shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{extra}>{escape(str(words))}</text>')

    def rect(self, x, y, width, height, colour):
        self.shapes.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def line(self, x1, y1, x2, y2, colour, extra=""):
        self.shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{extra}/>')


def text_width(words, size=12):
    """More than it takes in any common sans-serif font."""
    return len(words) * size * 0.62


def clipped(words, width, size=12):
    most = int(width / (size * 0.62))
    return words if len(words) <= most else words[: most - 1] + "…"


def bars(model):
    """[(test, limit, [(program, tokens a second, lengths, share, failure)])] of the tests that have a limit. Lengths are the least,
    the median and the greatest, 1 being the limit; there are none without figures."""
    found = []
    for test in model.get("tests", []):
        probes = [r for p in test["programs"].values() for r in p["readings"] if r]
        read, int8 = (report.median(report.present([r[key] for r in probes])) for key in ("read", "int8"))
        known = report.present(report.limits(model, test, read, int8))
        if not known:
            continue
        rows = []
        for name, program in test["programs"].items():
            values = report.present(report.readings(test, name))
            shares = report.shares(model, test, name) if program["same_model"] else []
            lengths = shares or [value / min(known) for value in values]
            rows.append((name, report.median(values), lengths and (min(lengths), report.median(lengths), max(lengths)),
                         report.median(shares), program["failure"]))
        found.append((test, min(known), rows))
    return found


def draw_legend(page, colours):
    x, page.y = 20, page.y + 22
    for name, colour in colours.items():
        name = clipped(name, 300)
        if x + 30 + text_width(name) > WIDTH - 20:
            x, page.y = 20, page.y + 20
        page.rect(x, page.y - 11, 12, 12, colour)
        page.text(x + 18, page.y, name)
        x += 40 + text_width(name)
    page.y += 10


def draw_bar(page, row, scale, y, colour):
    name, median, lengths, share, failure = row
    if not lengths:
        page.text(LEFT + 4, y + 12, clipped(f"{name}: {failure or 'not measured'}", WIDTH - LEFT - 40, 11), 11, HALO + ' fill="#555"')
        return
    low, middle, high = (LEFT + scale * length for length in lengths)
    page.rect(LEFT, y, middle - LEFT, BAR, colour)
    if high > low:
        page.line(low, y + BAR / 2, high, y + BAR / 2, "#000", ' stroke-width="1.5"')
    page.text(high + 6, y + 12, f"{report.number(median)} tok/s" + (f", {report.percent(share)}" if share is not None else ""),
              12, HALO)


def draw_model(page, model, colours):
    groups = bars(model)
    if not groups:
        return
    page.y += 34
    page.text(20, page.y, clipped(model["title"], WIDTH - 40, 15), 15, ' font-weight="bold"')
    page.y += 22
    widest = max([1.0] + [row[2][2] for _, _, rows in groups for row in rows if row[2]])
    scale = (WIDTH - LEFT - RIGHT) / widest
    top = page.y
    for quarter in range(0, int(widest * 4) + 1, 2 if widest < 3 else 4):
        page.text(LEFT + scale * quarter / 4, top - 2, f"{25 * quarter}%", 11, ' text-anchor="middle" fill="#555"')
    marks = len(page.shapes)
    page.y += 8
    for test, limit, rows in groups:
        page.text(20, page.y + 13, test["name"])
        page.text(20, page.y + 28, f"limit {report.number(limit)} tok/s", 11, ' fill="#555"')
        for i, row in enumerate(rows):
            draw_bar(page, row, scale, page.y + i * STEP, colours[row[0]])
        page.y += max(SMALLEST, len(rows) * STEP) + GAP
    behind = Page()
    for quarter in range(0, int(widest * 4) + 1):
        behind.line(LEFT + scale * quarter / 4, top + 3, LEFT + scale * quarter / 4, page.y - GAP + 4,
                    "#333" if quarter == 4 else "#ddd", ' stroke-dasharray="4 3"' if quarter == 4 else "")
    page.shapes[marks:marks] = behind.shapes


def svg(result):
    """→ text of an SVG file"""
    names = [name for model in result["models"] for test in model.get("tests", []) for name in test["programs"]]
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dict.fromkeys(names))}
    page, machine = Page(), result["machine"]
    page.text(20, 30, "Speed as a share of what memory and arithmetic allow", 18, ' font-weight="bold"')
    page.text(20, 50, clipped(f"{machine['cpu']}, {machine['threads']} threads; median of {report.rounds(result)}, "
              "lines from the slowest to the fastest"
              + ("; the machine was busy with other things" if report.was_busy(result) else ""), WIDTH - 40), 12, ' fill="#555"')
    page.y = 58
    draw_legend(page, colours)
    for model in result["models"]:
        draw_model(page, model, colours)
    height = page.y + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" '
            'role="img" aria-labelledby="title" font-family="system-ui, sans-serif" fill="#111">\n'
            '<title id="title">Speed of emelex and others as a share of the limit of the machine</title>\n'
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>\n' + "\n".join(page.shapes) + "\n</svg>\n")

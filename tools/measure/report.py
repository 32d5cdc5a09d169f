"""The results: a line each as they come, a file for programs, a table and a chart for the documentation."""

import json
import os
import platform
from html import escape


class Row:
    """One result against its budget. A peer is measured in the same run; a limit has none.

    `ours`, `theirs` and `most` are in the unit; `share` is how much of the budget is used.
    """

    def __init__(self, number, what, ours, unit, *, peer=None, theirs=None, ratio=None, most=None):
        self.number, self.what, self.ours, self.unit = number, what, ours, unit
        self.peer, self.theirs, self.budget, self.most = peer, theirs, ratio, most

    @property
    def ratio(self):
        return self.ours / self.theirs if self.theirs else None

    @property
    def share(self):
        return self.ratio / self.budget if self.theirs else self.ours / self.most

    @property
    def is_over(self):
        return self.share > 1

    def cells(self):
        """What is compared, ours, the peer, theirs, and the ratio or the value with its budget."""
        ours = shown(self.ours, self.unit)
        if self.theirs:
            return [self.number, self.what, ours, self.peer, shown(self.theirs, self.unit),
                    f"{self.ratio:.2f}", f"≤ {self.budget:.2f} ×"]
        return [self.number, self.what, ours, "", "", "", f"≤ {shown(self.most, self.unit)}"]

    def data(self):
        return {
            "number": self.number, "what": self.what, "unit": self.unit, "ours": self.ours, "peer": self.peer,
            "theirs": self.theirs, "ratio": self.ratio, "budget": self.budget, "most": self.most, "over": self.is_over,
        }


def shown(value, unit):
    if unit == "s":
        return f"{value * 1e3:.1f} ms" if value < 2 else f"{value:.2f} s"
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    return f"{value:.2f} {unit}".strip()


class Report:
    HEAD = ["", "what", "longshore", "peer", "its result", "ratio", "budget"]
    WIDTHS = [6, 46, 11, 26, 11, 7, 11]

    def __init__(self, image):
        self.rows, self.missing = [], []
        self.machine = f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}"
        print(f"medians on {image}, {self.machine}", flush=True)
        print(self.line(self.HEAD), flush=True)

    def line(self, cells):
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, self.WIDTHS)).rstrip()

    def add(self, row):
        self.rows.append(row)
        print(self.line(row.cells()) + ("   OVER BUDGET" if row.is_over else ""), flush=True)

    def ratio(self, number, what, ours, peer, theirs, most, unit="s"):
        self.add(Row(number, what, ours, unit, peer=peer, theirs=theirs, ratio=most))

    def limit(self, number, what, ours, most, unit="s"):
        self.add(Row(number, what, ours, unit, most=most))

    def lacks(self, peer, why):
        """Names a peer that could not be measured."""
        self.missing.append({"peer": peer, "why": why})
        print(f"not measured: {peer}: {why}", flush=True)

    @property
    def over(self):
        return [f"{row.number} {row.what}" for row in self.rows if row.is_over]

    def write_json(self, path):
        document = {"machine": self.machine, "rows": [row.data() for row in self.rows], "missing": self.missing}
        with open(path, "w") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")

    def markdown(self):
        """A table for the documentation."""
        head = ["budget of", *self.HEAD[1:]]
        lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for row in self.rows:
            cells = row.cells()
            if row.is_over:
                cells[-1] = f"**{cells[-1]}**"
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", f"Measured on {self.machine}. A bold budget is exceeded."]
        lines += [f"Not measured: {lack['peer']}: {lack['why']}." for lack in self.missing]
        return "\n".join(lines) + "\n"

    def write_svg(self, path):
        """A bar for each row: the part of its budget that it uses. The line is the budget."""
        height, left, width, most = 20, 330, 520, 1.5
        parts, y = [], 40
        for row in self.rows:
            length = min(row.share, most) / most * width
            colour = "#d1483b" if row.is_over else "#3a7dc1"
            value = f"{row.ratio:.2f} ×" if row.theirs else shown(row.ours, row.unit)
            parts.append(
                f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(row.number + " " + row.what)}</text>'
                f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{height - 6}" fill="{colour}"/>'
                f'<text x="{left + length + 6:.1f}" y="{y + 13}">{escape(value)}</text>'
            )
            y += height
        line = left + width / most
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {y + 10}" '
            f'font-family="sans-serif" font-size="12" fill="#777">'
            f'<text x="{left}" y="20">Each result as a part of its budget (the line)</text>{"".join(parts)}'
            f'<line x1="{line:.1f}" y1="30" x2="{line:.1f}" y2="{y}" stroke="#777" stroke-dasharray="4 3"/></svg>\n'
        )
        with open(path, "w") as file:
            file.write(svg)

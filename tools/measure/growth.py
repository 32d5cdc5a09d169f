"""How the time of commands grows: with the number of jobs, the size of a log, and the number of runs at once.

Each function returns a Chart, whose lines are points of (size, seconds)."""

import math
import os

from .rows import LINE, NOWHERE, at_once

# A command whose time should not depend on the size may take so many times as long with the largest as with the smallest.
FLAT = 1.5


class Chart:
    """`flat` has the names of lines that should not grow, `dashed` those of peers."""

    def __init__(self, title, of, unit=""):
        self.title, self.of, self.unit = title, of, unit
        self.lines, self.flat, self.dashed = {}, [], []

    def add(self, name, size, seconds, *, flat=False, peer=False):
        """Adds a point, and prints it."""
        self.lines.setdefault(name, []).append((size, seconds))
        for names, is_one in ((self.flat, flat), (self.dashed, peer)):
            if is_one and name not in names:
                names.append(name)
        print(f"{self.of} {shown(size, self.unit):>8}   {name:<30} {seconds * 1e3:10.2f} ms", flush=True)

    def growth(self, name):
        """The time with the largest size as a multiple of that with the smallest."""
        points = self.lines[name]
        return points[-1][1] / points[0][1]

    @property
    def grown(self):
        """Those that should not have grown, and have."""
        return [name for name in self.flat if self.growth(name) > FLAT]

    def markdown(self):
        sizes = sorted({size for points in self.lines.values() for size, _ in points})
        rows = [[self.of, *(shown(size, self.unit) for size in sizes), "grows"]]
        rows.append(["---"] * len(rows[0]))
        for name, points in self.lines.items():
            times = dict(points)
            cells = [f"{times[size] * 1e3:.1f} ms" if size in times else "" for size in sizes]
            growth = f"{self.growth(name):.1f} ×"
            rows.append([name, *cells, f"**{growth}**" if name in self.grown else growth])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"

    def data(self):
        return {"title": self.title, "of": self.of, "lines": self.lines, "flat": self.flat, "grown": self.grown}


def shown(size, unit):
    if unit != "B":
        return f"{size:,}"
    return f"{size // 10**9} GB" if size >= 10**9 else f"{size // 10**6} MB"


def jobs(world, rounds):
    """Commands among more and more ended jobs."""
    chart = Chart("Jobs that have ended", "jobs")
    for count in (10, 100, 1_000, 10_000):
        place = f"jobs-{count}"
        env = world.many_jobs(place, count, 0, lambda number: f"{number:05d}"[::-1] + "0000000")
        one = f"{count // 2:05d}"[::-1] + "0000000"
        engine = dict(world.env, XDG_STATE_HOME=env["XDG_STATE_HOME"])

        def start(engine=engine):
            ran = world.ours("exec", "run", "--image", world.image, "--src", world.src, "--main", "main.py", env=engine)
            world.ours("exec", "wait", ran.text, env=engine)
            return ran.took

        flat = {
            "exec status": lambda one=one, env=env: world.ours("exec", "status", one, env=env),
            "exec inspect": lambda one=one, env=env: world.ours("exec", "inspect", one, env=env),
            "exec logs -n 10": lambda one=one, env=env: world.ours("exec", "logs", "-n", "10", one, env=env),
            "exec run": start,
        }
        lists = {
            what: lambda what=what, env=env: world.ours(*what.split(), env=env)
            for what in ("exec list", "exec list -n 20", "exec list -q")
        }
        # The first list writes the index.
        world.ours("exec", "list", env=env, out="index")
        for name, seconds in world.medians(rounds, **flat, **lists).items():
            chart.add(name, count, seconds, flat=name in flat)
    return chart


def logs(world, rounds, largest):
    """Commands on a log that is larger and larger; the last one has a hole of 100 GB."""
    chart = Chart("The size of a log", "log", "B")
    log = os.path.join(world.work, "state", "longshore", "run", world.job, "log")
    piece = (LINE * (10**6 // len(LINE) + 1)).encode()[: 10**6 - 1] + b"\n"
    end = ("exec", "logs", "-n", "10", world.job)
    size = 0
    for wanted in (10**6, 10**7, 10**8, 10**9, 10**10):
        if wanted > largest:
            continue
        with open(log, "ab" if size else "wb") as file:
            for _ in range((wanted - size) // len(piece)):
                file.write(piece)
        size = wanted
        few = rounds if wanted < 10**9 else 3
        t = world.medians(
            few,
            ours=lambda: world.ours("exec", "logs", world.job, out=NOWHERE),
            cat=lambda: world.call("cat", log, out=NOWHERE),
            end=lambda: world.ours(*end),
            tail=lambda: world.call("tail", "-n", "10", log),
        )
        chart.add("exec logs", wanted, t["ours"])
        chart.add("cat", wanted, t["cat"], peer=True)
        chart.add("exec logs -n 10", wanted, t["end"], flat=True)
        chart.add("tail -n 10", wanted, t["tail"], peer=True)
    with open(log, "r+b") as file:
        file.truncate(10**11 - len(piece) - 1)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + piece)
    t = world.medians(rounds, end=lambda: world.ours(*end), tail=lambda: world.call("tail", "-n", "10", log))
    chart.add("exec logs -n 10", 10**11, t["end"], flat=True)
    chart.add("tail -n 10", 10**11, t["tail"], peer=True)
    os.remove(log)
    return chart


def runs(world):
    """Runs at once, until all have ended: the seconds for each."""
    chart = Chart("Runs at once: the time for each", "runs")
    at_once(world, 1)
    for count in (1, 3, 10, 30, 100):
        ours, theirs = at_once(world, count)
        chart.add("exec run, exec wait", count, ours / count, flat=True)
        chart.add("docker run -d, docker wait", count, theirs / count, peer=True)
    return chart


def draw(charts, path):
    """All charts beside each other, with logarithmic axes."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "longshore", "font.size": 9})
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    grey = "#777777"
    figure, places = pyplot.subplots(1, len(charts), figsize=(13, 4.4), layout="constrained")
    for chart, axes in zip(charts, places):
        for name, points in chart.lines.items():
            sizes, seconds = zip(*points)
            style = "--" if name in chart.dashed else "-"
            axes.plot(sizes, [second * 1e3 for second in seconds], style, marker=".", label=name)
        times = [second * 1e3 for points in chart.lines.values() for _, second in points]
        decades = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
        axes.set(xscale="log", yscale="log", title=chart.title, ylim=[10.0**decade for decade in decades])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _, chart=chart: shown(int(size), chart.unit)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
        axes.minorticks_off()
        axes.grid(color=grey, alpha=0.25)
        axes.tick_params(colors=grey)
        axes.title.set_color(grey)
        for spine in axes.spines.values():
            spine.set_color(grey)
        axes.legend(fontsize=8, labelcolor=grey, framealpha=0)
    figure.savefig(path, transparent=True, metadata={"Date": None})

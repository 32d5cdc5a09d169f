"""One picture of the whole analysis."""

import glob
import os
import tempfile

os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp(prefix="matplotlib-"))

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.patches import Ellipse, FancyBboxPatch

from analysis import density

PAPER = "#fbf9f4"
INK = "#22303c"
SOFT = "#7b8794"
RULE = "#e4dfd4"
COLOURS = ["#e76f2c", "#8e4ec6", "#0f7f86"]


def use_lato():
    """Lato, if the image has it; otherwise whatever matplotlib brings along."""
    for path in glob.glob("/usr/share/fonts/truetype/lato/*.ttf"):
        font_manager.fontManager.addfont(path)
    found = any(f.name == "Lato" for f in font_manager.fontManager.ttflist)
    plt.rcParams.update(
        {
            "font.family": "Lato" if found else "sans-serif",
            "font.size": 11,
            "text.color": INK,
            "axes.labelcolor": SOFT,
            "axes.edgecolor": RULE,
            "axes.facecolor": PAPER,
            "figure.facecolor": PAPER,
            "xtick.color": SOFT,
            "ytick.color": SOFT,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    return "Lato" if found else plt.rcParams["font.sans-serif"][0]


def heading(ax, title, below):
    ax.annotate(title, (0, 1), (0, 27), xycoords="axes fraction", textcoords="offset points",
                fontsize=14, fontweight="bold")
    ax.annotate(below, (0, 1), (0, 11), xycoords="axes fraction", textcoords="offset points",
                fontsize=10.5, color=SOFT)


def quiet(ax, grid="both"):
    ax.grid(axis=grid, color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, pad=6)


def regression_panel(ax, table, fit):
    for k, name in enumerate(table.names):
        here = table.species == k
        x, y = table.flipper[here], table.mass[here] / 1000
        ax.scatter(x, y, s=40, color=COLOURS[k], alpha=0.62, edgecolor=PAPER, linewidth=0.7)
        line = np.linspace(x.min() - 1, x.max() + 1, 60)
        mean, error = fit.predict(line, k)
        ax.fill_between(line, (mean - 1.96 * error) / 1000, (mean + 1.96 * error) / 1000,
                        color=COLOURS[k], alpha=0.18, linewidth=0)
        ax.plot(line, mean / 1000, color=COLOURS[k], linewidth=2.6, solid_capstyle="round")
    places = {"Adelie": (176.5, 4.55), "Chinstrap": (203.4, 3.0), "Gentoo": (201.6, 5.62)}
    for k, name in enumerate(table.names):
        count = int((table.species == k).sum())
        x, y = places.get(name, (table.flipper.min(), table.mass.max() / 1000))
        ax.text(x, y, name, fontsize=15, fontweight="bold", color=COLOURS[k])
        ax.text(x, y - 0.17, f"{count} birds", fontsize=10.5, color=COLOURS[k])
    ax.set_xlim(169, 234)
    ax.set_ylim(2.5, 6.5)
    ax.set_xlabel("flipper length, mm", labelpad=8)
    ax.set_ylabel("body mass, kg", labelpad=8)
    quiet(ax)
    low, high = fit.slope_interval
    heading(ax, f"A millimetre of flipper weighs {fit.slope:.0f} grams",
            f"within a species; 95 % interval {low:.0f} to {high:.0f} g, R² = {fit.r2:.2f}")


def component_panel(ax, table, scores, share):
    for k in range(len(table.names)):
        xy = scores[table.species == k]
        values, vectors = np.linalg.eigh(np.cov(xy.T))
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        # 5.991 is where the chi-squared distribution of two freedoms reaches 95 %.
        wide, high = 2 * np.sqrt(5.991 * values[::-1])
        for face, alpha in ((COLOURS[k], 0.10), ("none", 0.9)):
            ax.add_patch(Ellipse(xy.mean(axis=0), wide, high, angle=angle, facecolor=face,
                                 edgecolor=COLOURS[k], alpha=alpha, linewidth=1.3))
        ax.scatter(*xy.T, s=17, color=COLOURS[k], alpha=0.7, linewidth=0)
    ax.set_xlabel(f"first component, {share[0]:.0%} of the variance", labelpad=8)
    ax.set_ylabel(f"second, {share[1]:.0%}", labelpad=8)
    ax.set_xlim(-4, 4.4)
    ax.set_ylim(-3.3, 3.3)
    ax.set_xticks([-3, 0, 3])
    ax.set_yticks([-2, 0, 2])
    quiet(ax)
    heading(ax, "Four measurements, two directions",
            "principal components; an ellipse holds 95 % of a species")


def mass_panel(ax, table):
    at = np.linspace(2.4, 6.6, 400)
    for k, name in enumerate(table.names):
        floor = len(table.names) - 1 - k
        for sex, alpha, mark in (("female", 0.45, "♀"), ("male", 0.85, "♂")):
            values = table.mass[(table.species == k) & (table.sex == sex)] / 1000
            curve = 0.52 * density(values, at)
            seen = curve > 0.004
            ax.fill_between(at[seen], floor, floor + curve[seen], color=COLOURS[k], alpha=alpha,
                            linewidth=0, zorder=3 + k)
            ax.plot(at[seen], floor + curve[seen], color=PAPER, linewidth=1.1, zorder=3 + k)
            top = int(np.argmax(curve))
            ax.text(at[top], floor + curve[top] + 0.05, mark, ha="center", fontsize=12,
                    color=COLOURS[k], family="DejaVu Sans", zorder=9)
        ax.text(2.42, floor + 0.3, name, color=COLOURS[k], fontweight="bold", fontsize=11.5)
    ax.set_xlim(2.4, 6.6)
    ax.set_ylim(-0.04, len(table.names) + 0.12)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("body mass, kg", labelpad=8)
    quiet(ax, "x")
    heading(ax, "Males are the heavier half", "density of body mass by species and sex")


def confusion_panel(ax, table, counts):
    kinds = len(table.names)
    share = counts / counts.sum(axis=1, keepdims=True)
    for i in range(kinds):
        for j in range(kinds):
            y = kinds - 1 - i
            right = i == j
            ax.add_patch(FancyBboxPatch(
                (j + 0.05, y + 0.05), 0.9, 0.9, boxstyle="round,pad=0,rounding_size=0.09",
                facecolor=COLOURS[i], linewidth=0,
                alpha=0.16 + 0.79 * share[i, j] if counts[i, j] else 0.06))
            ax.text(j + 0.5, y + 0.49, str(counts[i, j]), ha="center", va="center",
                    fontsize=20 if right else 13, fontweight="bold" if right else "normal",
                    color="white" if right else (INK if counts[i, j] else "#b9bfc4"))
    ax.set_xlim(0, kinds)
    ax.set_ylim(0, kinds)
    ax.set_xticks(np.arange(kinds) + 0.5, table.names)
    ax.set_yticks(np.arange(kinds) + 0.5, table.names[::-1])
    for label in ax.get_xticklabels() + ax.get_yticklabels():
        label.set_color(COLOURS[table.names.index(label.get_text())])
        label.set_fontweight("bold")
    ax.tick_params(length=0, pad=4)
    for spine in ax.spines.values():
        spine.set_visible(False)
    wrong = int(counts.sum() - np.trace(counts))
    heading(ax, f"{wrong} mistaken identities in {counts.sum()}",
            "true species down, guess across; ten-fold cross-validation")


def draw(path, table, fit, scores, share, counts):
    font = use_lato()
    fig = plt.figure(figsize=(15, 11.2))
    fig.text(0.055, 0.94, "The penguins of the Palmer Archipelago", fontsize=30, fontweight="black")
    fig.text(0.055, 0.911, f"{len(table)} birds of three species, measured on three Antarctic "
             "islands from 2007 to 2009", fontsize=14, color=SOFT)
    top = fig.add_gridspec(1, 2, left=0.055, right=0.975, bottom=0.465, top=0.828, wspace=0.15,
                           width_ratios=[1.45, 1])
    low = fig.add_gridspec(1, 2, left=0.055, right=0.975, bottom=0.098, top=0.33, wspace=0.22,
                           width_ratios=[1.35, 1])
    regression_panel(fig.add_subplot(top[0]), table, fit)
    component_panel(fig.add_subplot(top[1]), table, scores, share)
    mass_panel(fig.add_subplot(low[0]), table)
    confusion_panel(fig.add_subplot(low[1]), table, counts)
    fig.text(0.055, 0.024, "Data: Horst AM, Hill AP, Gorman KB (2020), palmerpenguins, CC0",
             fontsize=9.5, color=SOFT)
    fig.savefig(path, dpi=140)
    plt.close(fig)
    return font

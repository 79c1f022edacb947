# SPDX-License-Identifier: Apache-2.0
"""report.py: one page with the plots of a run, by Matplotlib, that needs nothing else: SVG within
the page, in the page's colours, so that it can be read in the dark; with what to see in it under
each plot. The panels of a plot are below each other, so that a phone can show them.
"""
import io
import math
import os
import re
from html import escape
from itertools import cycle

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

import runs  # noqa: E402

INK, GRID = "#010203", "#040506"  # paint() replaces them
PHASE_COLOURS = ("#9e9e9e", "#4c78a8", "#72b7b2", "#eeca3b", "#f58518", "#e45756", "#b279a2")
MARKS = "os^Dv<>Pp"
COLOURS = plt.get_cmap("tab10").colors

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "pivotcheck", "font.size": 11, "font.family":
    "sans-serif", "text.color": INK, "axes.edgecolor": GRID, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "grid.color": GRID, "axes.grid": True,
    "grid.linewidth": 0.4, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.facecolor": "none"})


def paint(figure, number, ink="var(--ink)", grid="var(--grid)"):
    """The figure as SVG, with ids of its own and these colours, as wide as there is room."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg"):], flags=re.S)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1f{number}-", svg)
    # Text of which nothing is said is black: it has the ink, too.
    svg = svg.replace("<text ", f'<text fill="{ink}" ').replace(INK, ink).replace(GRID, grid)
    return re.sub(r'^<svg[^>]*>', lambda tag: re.sub(r' (width|height)="[^"]*"', "", tag[0]), svg)


def panels(count, height=3.3):
    figure, axes = plt.subplots(count, 1, figsize=(5.0, height * count), squeeze=False)
    return figure, [row[0] for row in axes]


def finish(figure, axes=None):
    """One legend for all panels, that of `axes`."""
    figure.tight_layout()
    if axes:
        figure.legend(*axes.get_legend_handles_labels(), loc="upper center", ncol=3,
                      bbox_to_anchor=(0.5, 0.0))
    return figure


def logarithmic(axes, axis):
    getattr(axes, f"set_{axis}scale")("log")
    getattr(axes, f"{axis}axis").set_major_formatter(lambda value, _: f"{value:g}")


def downwards(axes, label):
    """Bars, the first on top."""
    axes.set_xlabel(label)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


# --- the plots: each gives a figure, or None where the run has nothing for it --------------------

def phases(figures):
    shown = [each for each in figures.strategies
             if figures.switch("wall_us", each, "cycle", "exits")]
    if not shown:
        return None
    figure, both = panels(2)
    for axes, column, title in zip(both, ("cpu_us", "wall_us"), ("processor time", "wall time")):
        left = [0] * len(shown)
        for phase, shade in zip(runs.PHASES, PHASE_COLOURS):
            width = [figures.switch(column, each, phase, "exits") or 0 for each in shown]
            axes.barh(shown, width, left=left, color=shade, label=phase, height=0.7)
            left = [sum(pair) for pair in zip(left, width)]
        downwards(axes, f"{title}, µs")
    return finish(figure, both[0])


def against(figures, axis, label, columns, scale=None):
    """A line for each strategy; without a scale the points are at equal distances."""
    points = [point for point in runs.AXES[axis][1] if point in figures.points(axis)]
    if len(points) < 2:
        return None
    places = [float(point) for point in points] if scale else range(len(points))
    figure, several = panels(len(columns))
    for axes, (column, part, title) in zip(several, columns):
        for each, mark, colour in zip(figures.strategies, cycle(MARKS), cycle(COLOURS)):
            axes.plot(places, [figures.switch(column, each, part, **{axis: point}) or math.nan
                               for point in points], marker=mark, color=colour, label=each,
                      markersize=4, linewidth=1.4)
        axes.set_xlabel(label)
        axes.set_ylabel(f"{title}, µs")
        axes.set_xscale(**(scale or {"value": "linear"}))
        axes.set_xticks(places, points)
        axes.minorticks_off()
        logarithmic(axes, "y")
    return finish(figure, several[0])


def mounts(figures):
    return against(figures, "mounts", "mounts in the old tree",
                   (("cpu_us", "cycle", "processor time of a cycle"),
                    ("wall_us", "setup", "wall time of the setup")), {"value": "log"})


def waits(figures):
    """Tenth percentile, median and ninetieth of what waits for RCU."""
    figure, both = panels(2)
    for axes, part in zip(both, ("detach", "teardown")):
        for each, colour in zip(figures.strategies, cycle(COLOURS)):
            low, middle, high = (figures.switch(column, each, part)
                                 for column in ("wall_us_p10", "wall_us", "wall_us_p90"))
            if middle:
                axes.errorbar(middle, each, xerr=[[middle - low], [high - middle]], capsize=4,
                              marker="o", color=colour)
        logarithmic(axes, "x")
        axes.set_xlabel(f"{part}: wall time, µs")
        axes.invert_yaxis()
    return finish(figure)


def rival_bars(rivals):
    rows = sorted(rivals["commands"], key=lambda row: row["ratio"])
    shades = ["#2aa198" if row["name"].startswith("pivotcheck") else
              "#8c8c8c" if row["name"].startswith(("baseline", "floor")) else "#d9730d"
              for row in rows]
    figure, both = panels(2, height=0.3 * len(rows) + 0.8)
    for axes, column, title in zip(both, ("ratio", "cpu_ratio"), ("wall time", "processor time")):
        values = [row[column] for row in rows]
        bars = axes.barh([row["name"] for row in rows], values, color=shades)
        axes.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, color=INK)
        logarithmic(axes, "x")
        axes.set_xlim(min(values) / 1.6, max(values) * 2.5)  # with room for the last number
        downwards(axes, f"{title}, in multiples of a static true alone")
    return finish(figure)


def switch_plots(figures):
    """(title, what to see, figure)"""
    yield ("Phases, strategy by strategy",
           "First, where the processor works: to copy the mount tree (namespaces), to destroy it "
           "(teardown). Then, how long it takes: detach and teardown wait for RCU. Each cycle in a "
           "child that exits, 30 mounts, medians.", phases(figures))
    yield ("Cost against the mounts of the old tree",
           "A strategy that copies the old tree pays for each mount of it. chroot alone does not, "
           "and stays flat; template grows least. Both axes logarithmic; a thread (proc-first: a "
           "child) in private trees.", mounts(figures))
    yield ("pivot_root against the threads of the machine",
           "pivot_root looks at every thread of the machine, in whatever process: the strategies "
           "that call it grow, the others (chroot, move-chroot, template) do not.",
           against(figures, "idle_threads", "idle threads on the machine",
                   (("wall_us", "pivot", "wall time of the pivot phase"),
                    ("cpu_us", "setup", "processor time of the setup")),
                   {"value": "symlog", "linthresh": 500}))
    yield ("Propagation of the old tree, and peers",
           "A copy of a shared mount joins its peers, and leaves them again: what that adds, with "
           "more and more namespaces that have peers of the same mounts.",
           against(figures, "tree", "propagation, and how many peers each mount has",
                   (("cpu_us", "cycle", "processor time of a cycle"),)))
    yield ("Detach and teardown, and how they vary",
           "What waits for RCU: the medians over the rounds of the tenth percentile, the median "
           "and the ninetieth. A long line is a wait that depends on the rest of the machine.",
           waits(figures))


def rivals_plot(rivals):
    see = ("What a whole process costs that sets up an isolated root and runs a static true in it: "
           "grey, baselines; green, pivotcheck switch; orange, other programs. Logarithmic.")
    if rivals is None:
        return ("Beside other programs", see, None, "ci/bench --rivals measures them.")
    missing = "; ".join(f"{name}: {why}" for name, why in rivals["missing"].items()) or "none"
    return ("Beside other programs", f"{see} Missing: {missing}.", rival_bars(rivals))


# --- the page ------------------------------------------------------------------------------------

def document(title, parts):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.css"),
              encoding="utf-8") as style:
        return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{escape(title)}</title>
<style>{style.read()}</style></head><body><h1>{escape(title)}</h1>
""" + "\n".join(parts) + "</body></html>\n"


def section(number, title, see, figure, otherwise="the run has no settings for it."):
    shown = f"<p>Not drawn: {escape(otherwise)}</p>" if figure is None else (
        f"<figure id=\"plot-{number}\" class=\"plot\">{paint(figure, number)}"
        f"<figcaption><b>What to see:</b> {escape(see)}</figcaption></figure>")
    return f"<section><h2>{escape(title)}</h2>{shown}</section>"


def table(pairs):
    return "<div class=\"wide\"><table>" + "".join(
        f"<tr><th>{escape(str(one))}</th><td>{escape(str(other))}</td></tr>"
        for one, other in pairs) + "</table></div>"


def page(run, rivals):
    context, plots = {} if run is None else run["context"], []
    parts = [] if run is None else [
        "<p>Medians over the rounds of one run; bench/RESULTS.md says how it was measured.</p>" +
        table((name, context[name]) for name in runs.CONTEXT if name in context)]
    if run is not None:
        plots += switch_plots(runs.Figures(run))
    plots.append(rivals_plot(rivals))
    parts += [section(number, *plot) for number, plot in enumerate(plots)]
    if not_measured := context.get("not_measured", {}):
        parts.append("<section class=\"screen\"><h2>Not measured</h2><details><summary>"
                     f"{len(not_measured)} parts, each with its reason</summary>"
                     f"{table(sorted(not_measured.items()))}</details></section>")
    return document("What switching root costs", parts)


def comparison_rows(comparisons):
    """Ratios B/A of processor time, settings by parts."""
    cells, order = {}, runs.PHASES + ("setup", "cycle")
    for one in comparisons:
        setting, _, part = one.name.rpartition("/")
        if one.name.startswith(("switch/", "bare/")) and one.column.startswith("cpu_us"):
            shade = "220, 50, 47" if one.log > 0 else "38, 139, 210"
            verdict = one.verdict if one.verdict in ("faster", "slower") else ""
            share = min(1, abs(one.log) / math.log(1.5))
            cells.setdefault(setting, {})[part] = (
                f"<td style=\"background: rgba({shade}, {share:.2f})\">"
                f"{one.ratio:.2f} {verdict}</td>")
    yield "<tr><th></th>" + "".join(f"<th>{part}</th>" for part in order) + "</tr>"
    for setting, found in sorted(cells.items()):
        yield (f"<tr><th>{setting.replace('/', ' ')}</th>" +
               "".join(found.get(part, "<td></td>") for part in order) + "</tr>")


def comparison_page(run_a, run_b, comparisons):
    context = [(name, f"{run_a['context'].get(name)} → {run_b['context'].get(name)}")
               for name in runs.CONTEXT if name in run_a["context"]]
    return document("Two runs compared", [
        table(context), "<h2>Ratios of processor time, B to A</h2><p>Red took longer in B, blue "
        "less. A cell has a verdict where the difference is more than the noise of both runs."
        "</p><div class=\"wide\"><table>", *comparison_rows(comparisons), "</table></div>"])

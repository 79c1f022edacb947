#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""results.py: what is shown of a run.

report.html is one page with the plots, by Matplotlib, that needs nothing else: SVG within the page,
in the page's colours, so that it can be read in the dark; with what to see in it under each plot.
The panels of a plot are below each other, so that a phone can show them.

bench/RESULTS.md has its tables and plots from what ci/bench and ci/bench --rivals left in DIR, and
DIR/library.txt, what `switch_bench --library` printed:

    python3 bench/results.py DIR            prints the tables
    python3 bench/results.py DIR --write    puts them into bench/RESULTS.md, and draws bench/plots/

A table stands there between `<!-- table: NAME -->` and `<!-- end -->`.
"""
import argparse
import io
import itertools
import math
import os
import re
import sys
from html import escape

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

import rivals  # noqa: E402
import runs  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# In files of their own, plots don't know the page: greys that can be read on white and on black.
GREY, LINES = "#7d8590", "#8b949e"
INK, GRID = "#010203", "#040506"  # paint() replaces them
PHASE_COLOURS = ("#9e9e9e", "#4c78a8", "#72b7b2", "#eeca3b", "#f58518", "#e45756", "#b279a2")
MARKS = "os^Dv<>Pp"
COLOURS = plt.get_cmap("tab10").colors  # ten; there are nine marks, one for each strategy

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
    return svg.replace("<text ", f'<text fill="{ink}" ').replace(INK, ink).replace(GRID, grid)


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
    points = [point for point in runs.AXES[axis][1]
              if any(figures.switch("wall_us", each, "cycle", **{axis: point})
                     for each in figures.strategies)]
    if len(points) < 2:
        return None
    places = [float(point) for point in points] if scale else range(len(points))
    figure, several = panels(len(columns))
    for axes, (column, part, title) in zip(several, columns):
        for each, mark, colour in zip(figures.strategies, MARKS, COLOURS):
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
        for each, colour in zip(figures.strategies, COLOURS):
            low, middle, high = (figures.switch(column, each, part)
                                 for column in ("wall_us_p10", "wall_us", "wall_us_p90"))
            if middle:
                axes.errorbar(middle, each, xerr=[[middle - low], [high - middle]], capsize=4,
                              marker="o", color=colour)
        logarithmic(axes, "x")
        axes.set_xlabel(f"{part}: wall time, µs")
        axes.invert_yaxis()
    return finish(figure)


def rival_bars(beside):
    rows = sorted(beside["commands"], key=lambda row: row["ratio"])
    shades = ["#2aa198" if row["name"].startswith("pivotcheck") else
              "#8c8c8c" if row["name"].startswith("baseline") else "#d9730d"
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


def rivals_plot(beside):
    see = ("What a whole process costs that sets up an isolated root and runs a static true in it: "
           "grey, baselines; green, pivotcheck switch; orange, other programs. Logarithmic.")
    if beside is None:
        return ("Beside other programs", see, None, "ci/bench --rivals measures them.")
    missing = "; ".join(f"{name}: {why}" for name, why in beside["missing"].items()) or "none"
    return ("Beside other programs", f"{see} Missing: {missing}.", rival_bars(beside))


# --- the page ------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --ink: CanvasText; --grid: GrayText }
@media print { section { break-inside: avoid } .screen { display: none } }
body { color: var(--ink); background: Canvas; font: 16px/1.5 system-ui, sans-serif;
  max-width: 44rem; margin: 0 auto; padding: 1rem }
figure { margin: 2rem 0 } figure svg { display: block; width: 100%; height: auto }
figcaption { opacity: 0.8 } .wide { overflow-x: auto } h2 { margin-top: 2.5rem; font-size: 1.2rem }
table { border-collapse: collapse; font-size: 0.85rem } td, th { text-align: left;
  padding: 0.15rem 0.8rem 0.15rem 0; vertical-align: top; border-bottom: 1px solid var(--grid) }
"""


def document(title, parts):
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{escape(title)}</title>
<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>
""" + "\n".join(parts) + "</body></html>\n"


def html_table(rows):
    """Each row: what it is of, and the cells as HTML."""
    return "<div class=\"wide\"><table>" + "\n".join(
        f"<tr><th>{escape(first)}</th>{''.join(cells)}</tr>" for first, *cells in rows
    ) + "</table></div>"


def pairs_table(pairs):
    return html_table((one, f"<td>{escape(str(other))}</td>") for one, other in pairs)


def section(number, title, see, figure, otherwise="the run has no settings for it."):
    shown = f"<p>Not drawn: {escape(otherwise)}</p>" if figure is None else (
        f"<figure id=\"plot-{number}\" class=\"plot\">{paint(figure, number)}"
        f"<figcaption><b>What to see:</b> {escape(see)}</figcaption></figure>")
    return f"<section><h2>{escape(title)}</h2>{shown}</section>"


def page(run, beside):
    """`run`: what ci/bench measured, `beside`: what ci/bench --rivals did; or None."""
    parts, plots, not_measured = [], [], {}
    if run is not None:
        parts = ["<p>Medians over the rounds of one run; bench/RESULTS.md says how it was measured."
                 "</p>", pairs_table(runs.about(run))]
        plots = list(switch_plots(runs.Figures(run)))
        not_measured = run["context"].get("not_measured", {})
    plots.append(rivals_plot(beside))
    parts += [section(number, *plot) for number, plot in enumerate(plots)]
    if not_measured:
        parts.append("<section class=\"screen\"><h2>Not measured</h2><details><summary>"
                     f"{len(not_measured)} parts, each with its reason</summary>"
                     f"{pairs_table(sorted(not_measured.items()))}</details></section>")
    return document("What switching root costs", parts)


def comparison_page(run_a, run_b, comparisons):
    cells, order = {}, runs.PHASES + ("setup", "cycle")
    for one in comparisons:
        setting, _, part = one.name.rpartition("/")
        if one.name.startswith(("switch/", "bare/")) and one.column.startswith("cpu_us"):
            shade = "220, 50, 47" if one.log > 0 else "38, 139, 210"
            verdict = one.verdict if one.verdict in ("faster", "slower") else ""
            cells.setdefault(setting.replace("/", " "), {})[part] = (
                f"<td style=\"background: rgba({shade}, {min(1, abs(one.log) / math.log(1.5)):.2f})"
                f"\">{one.ratio:.2f} {verdict}</td>")
    ratios = [["", *(f"<th>{part}</th>" for part in order)]]
    ratios += [[setting, *(found.get(part, "<td></td>") for part in order)]
               for setting, found in sorted(cells.items())]
    return document("Two runs compared", [
        pairs_table((name, f"{value} → {run_b['context'].get(name)}")
                    for name, value in runs.about(run_a)),
        "<h2>Ratios of processor time, B to A</h2><p>Red took longer in B, blue less. A cell has a "
        "verdict where the difference is more than the noise of both runs.</p>",
        html_table(ratios)])


# --- the tables of RESULTS.md --------------------------------------------------------------------

def text(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def table(heading, lines):
    rows = ["| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    return "\n".join(rows + ["| " + " | ".join(line) + " |" for line in lines])


# A line for each strategy, a column for each point of an axis: the column of the rows, the part, and
# the mode where it is not the usual one.
BY_STRATEGY = {"mounts": ("mounts", "cpu_us", "cycle", None),
               "idle_threads": ("idle_threads", "wall_us_p10", "pivot", None),
               "trees": ("tree", "cpu_us", "cycle", None),
               "user": ("user", "cpu_us", "cycle", "exits")}


def by_strategy(figures, heading, value):
    """`value(strategy, column)` for each column of the heading."""
    return table(("strategy",) + heading, [
        [each] + [text(value(each, column)) for column in heading]
        for each in figures.strategies])


def template_table(figures):
    bounds = {("wall_us", "setup", "30"): "0.2", ("wall_us", "setup", "300"): "0.06"}
    lines = []
    for column, part, mounts in itertools.product(("wall_us", "cpu_us"), ("setup", "cycle"),
                                                  ("30", "300")):
        one, other = (figures.switch(column, strategy, part, mounts=mounts)
                      for strategy in ("template", "dot-dot"))
        what = "wall time" if column == "wall_us" else "processor time"
        lines.append([f"{part}, {what}, {mounts} mounts", bounds.get((column, part, mounts), ""),
                      f"{one / other:.3f}" if one and other else "-"])
    flat = [figures.switch("wall_us_p10", "template", "setup", idle_threads=count)
            for count in runs.AXES["idle_threads"][0]]
    lines.append(["its set-up at 0, 1000, 10,000 idle threads, µs (least disturbed tenth)",
                  "within 10 %", ", ".join(text(value) for value in flat)])
    return table(("template to dot-dot", "bound", "measured"), lines)


def switch_tables(run):
    figures = runs.Figures(run)
    tables = {
        "context": "\n".join(f"- {name}: {value}" for name, value in runs.about(run)),
        "phases": by_strategy(figures, runs.PHASES + ("cycle",),
                              lambda each, part: figures.switch("cpu_us", each, part, "exits")),
        "template": template_table(figures)}
    for name, (axis, column, part, mode) in BY_STRATEGY.items():
        tables[name] = by_strategy(
            figures, runs.AXES[axis][0],
            lambda each, point: figures.switch(column, each, part, mode, **{axis: point}))
    return tables


def rivals_tables(beside):
    lines = [[row["name"], text(row["ratio"]), text(row["cpu_ratio"])]
             for row in beside["commands"]]
    lines += [[f"{name}: {why}", "-", "-"] for name, why in beside["missing"].items()]
    return {"rivals": table(("command", "wall time", "processor time"), lines),
            "beside": "\n".join(f"- {line}" for line in rivals.compared(beside))}


def write(run, tables):
    path = os.path.join(HERE, "RESULTS.md")
    with open(path, encoding="utf-8") as file:
        page = file.read()
    for name, new in tables.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        page, found = re.subn(pattern, lambda match, new=new: f"{match[1]}{new}\n{match[2]}", page,
                              flags=re.S)
        if not found:
            runs.fail(f"{path} has no place for the table {name}", 3)
    runs.write_whole(path, page)
    for plot in (phases, mounts):
        svg = paint(plot(runs.Figures(run)), plot.__name__, GREY, LINES)
        runs.write_whole(os.path.join(HERE, "plots", plot.__name__ + ".svg"), svg)


def main():
    parser = argparse.ArgumentParser(prog="bench/results.py")
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--write", action="store_true", help="into bench/RESULTS.md")
    arguments = parser.parse_args()
    files = [os.path.join(arguments.folder, name)
             for name in ("bench.json", "rivals.json", "library.txt")]
    run, beside = runs.load(files[0]), runs.read_json(files[1])
    tables = {**switch_tables(run), **(rivals_tables(beside) if beside else {})}
    if os.path.exists(files[2]):
        with open(files[2], encoding="utf-8") as library:
            tables["library"] = "".join(line for line in library if line[0] == "|").rstrip()
    for name in {"rivals", "library"} - tables.keys():
        print(f"results.py: nothing in {arguments.folder} for: {name}", file=sys.stderr)
    if arguments.write:
        write(run, tables)
        return
    for name, what in tables.items():
        print(f"<!-- table: {name} -->\n{what}\n<!-- end -->\n")


if __name__ == "__main__":
    main()

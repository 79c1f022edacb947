# SPDX-License-Identifier: Apache-2.0
"""report.py: one page with the plots of a run, by Matplotlib, that needs nothing else: SVG within
the page, whose lines and letters have the colours of the page, so that it can be read in the dark;
with what to see in it under each plot. The panels of a plot are below each other, so that a phone
can show them.
"""
import html
import io
import math
import os
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
import matplotlib.ticker  # noqa: E402
import numpy  # noqa: E402

import runs  # noqa: E402

# Colours that the page replaces by its own (paint()).
INK, GRID = "#010203", "#040506"
PHASE_COLOURS = ("#9e9e9e", "#4c78a8", "#72b7b2", "#eeca3b", "#f58518", "#e45756", "#b279a2")
MARKS = "os^Dv<>Pp"

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "pivotcheck", "font.size": 11, "font.family":
    "sans-serif", "text.color": INK, "axes.edgecolor": GRID, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "grid.color": GRID, "axes.grid": True,
    "grid.linewidth": 0.4, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.facecolor": "none"})


def paint(figure, number, ink="var(--ink)", grid="var(--grid)"):
    """The figure as SVG, with names of its own and these colours."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg"):], flags=re.S)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1f{number}-", svg)
    # Text of which nothing is said is black: it has the ink, too.
    svg = svg.replace("<text ", f'<text fill="{ink}" ').replace(INK, ink).replace(GRID, grid)
    return re.sub(r'(<svg[^>]*?) (width|height)="[^"]*"', r"\1",
                  re.sub(r'(<svg[^>]*?) (width|height)="[^"]*"', r"\1", svg, count=1), count=1)


def panels(count, height=3.3, width=5.0):
    figure, axes = plt.subplots(count, 1, figsize=(width, height * count), squeeze=False)
    return figure, [row[0] for row in axes]


def finish(figure, axes):
    """One legend for all panels, those of `axes`."""
    handles, labels = axes.get_legend_handles_labels()
    figure.tight_layout()
    figure.legend(handles, labels, loc="upper center", ncol=3, bbox_to_anchor=(0.5, 0.0))
    return figure


def plain_numbers(axis):
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:g}"))


def colour(index):
    return matplotlib.colors.to_hex(plt.get_cmap("tab10")(index % 10))


def draw_lines(axes, lines):
    """`lines`: a list of points for each strategy, by name, in the order of the strategies."""
    for index, (name, points) in enumerate(lines.items()):
        if points:
            axes.plot(*zip(*points), marker=MARKS[index % len(MARKS)], color=colour(index),
                      label=name, markersize=4, linewidth=1.4)
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)


# --- the plots: each gives a figure, or None where the run has nothing for it --------------------

def phases(figures):
    shown = [each for each in figures.strategies
             if figures.switch("wall_us", each, "cycle", "exits")]
    if not shown:
        return None
    figure, both = panels(2)
    for axes, column, title in zip(both, ("cpu_us", "wall_us"), ("processor time", "wall time")):
        left = numpy.zeros(len(shown))
        for phase, shade in zip(runs.PHASES, PHASE_COLOURS):
            width = numpy.array([figures.switch(column, each, phase, "exits") or 0
                                 for each in shown])
            axes.barh(shown, width, left=left, color=shade, label=phase, height=0.7)
            left += width
        axes.set_xlabel(f"{title}, µs")
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    return finish(figure, both[0])


def against(figures, axis, label, scale, columns):
    points = sorted(figures.points(axis), key=float)
    if len(points) < 2:
        return None
    figure, several = panels(len(columns))
    for axes, (column, part, title) in zip(several, columns):
        found = {each: [(float(point), figures.switch(column, each, part, **{axis: point}))
                        for point in points] for each in figures.strategies}
        draw_lines(axes, {each: [(x, y) for x, y in line if y] for each, line in found.items()})
        axes.set_xlabel(label)
        axes.set_ylabel(f"{title}, µs")
        axes.set_xscale(**scale)
        axes.set_xticks([float(point) for point in points], points)
        axes.minorticks_off()
    return finish(figure, several[0])


def mounts(figures):
    return against(figures, "mounts", "mounts in the old tree", {"value": "log"},
                   (("cpu_us", "cycle", "processor time of a cycle"),
                    ("wall_us", "setup", "wall time of the setup")))


def idle_threads(figures):
    return against(figures, "idle_threads", "idle threads on the machine",
                   {"value": "symlog", "linthresh": 500},
                   (("wall_us", "pivot", "wall time of the pivot phase"),
                    ("cpu_us", "setup", "processor time of the setup")))


def trees(figures):
    there = figures.points("tree")
    points = [each for each in ("private", "slave") if each in there] + sorted(
        (each for each in there if each.startswith("shared-")), key=lambda p: int(p.split("-")[1]))
    if len(points) < 2:
        return None
    figure, (axes,) = panels(1)
    for i, each in enumerate(figures.strategies):
        found = [figures.switch("cpu_us", each, "cycle", tree=point) or math.nan
                 for point in points]
        axes.bar(numpy.arange(len(points)) + (i - 4) * 0.09, found, 0.09, color=colour(i),
                 label=each)
    axes.set_xticks(range(len(points)), [point.replace("-", "\n") for point in points])
    axes.set_xlabel("propagation, and how many peers each mount has")
    axes.grid(axis="x", visible=False)
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)
    axes.set_ylabel("processor time of a cycle, µs")
    return finish(figure, axes)


def waits(figures):
    """Tenth percentile, median and ninetieth of what waits for RCU."""
    figure, both = panels(2)
    for axes, part in zip(both, ("detach", "teardown")):
        for index, each in enumerate(figures.strategies):
            low, middle, high = (figures.switch(column, each, part)
                                 for column in ("wall_us_p10", "wall_us", "wall_us_p90"))
            if middle:
                axes.errorbar(middle, each, xerr=[[middle - low], [high - middle]], capsize=4,
                              marker="o", color=colour(index))
        axes.set_xscale("log")
        plain_numbers(axes.xaxis)
        axes.set_xlabel(f"{part}: wall time, µs")
        axes.invert_yaxis()
    figure.tight_layout()
    return figure


def rival_bars(rivals):
    rows = sorted(rivals["commands"], key=lambda row: row["ratio"])
    figure, both = panels(2, height=0.3 * len(rows) + 0.8)
    for axes, column, title in zip(both, ("ratio", "cpu_ratio"), ("wall time", "processor time")):
        shades = ["#2aa198" if row["name"].startswith("pivotcheck") else
                  "#8c8c8c" if row["name"].startswith(("baseline", "floor")) else "#d9730d"
                  for row in rows]
        values = [row[column] for row in rows]
        bars = axes.barh([row["name"] for row in rows], values, color=shades)
        axes.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, color=INK)
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 1.6, max(values) * 2.5)  # with room for the last number
        plain_numbers(axes.xaxis)
        axes.set_xlabel(f"{title}, in multiples of a static true alone")
        axes.grid(axis="y", visible=False)
        axes.invert_yaxis()
    figure.tight_layout()
    return figure


def short(setting):
    """Without what is at home."""
    words = setting.split("/")
    left = [word for word in words[2:]
            if word.partition(":")[2] != runs.HOME.get(word.partition(":")[0])]
    return " ".join([("bare " if words[0] == "bare" else "") + words[1]] + left)


# --- the page ------------------------------------------------------------------------------------

def style():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.css"),
              encoding="utf-8") as file:
        return file.read()


def document(title, parts):
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
            "<link rel=\"icon\" href=\"data:,\">"
            f"<title>{html.escape(title)}</title><style>{style()}</style></head><body>"
            f"<h1>{html.escape(title)}</h1>" + "\n".join(parts) + "</body></html>\n")


def section(number, title, see, figure, otherwise="the run has no settings for it."):
    heading = f"<section><h2>{html.escape(title)}</h2>"
    if figure is None:
        return f"{heading}<p>Not drawn: {html.escape(otherwise)}</p></section>"
    return (f"{heading}<figure id=\"plot-{number}\" class=\"plot\">"
            f"{paint(figure, number)}<figcaption><b>What to see:</b> {html.escape(see)}"
            "</figcaption></figure></section>")


def rows(pairs):
    return "<div class=\"wide\"><table>" + "".join(
        f"<tr><th>{html.escape(str(one))}</th><td>{html.escape(str(other))}</td></tr>"
        for one, other in pairs) + "</table></div>"


def switch_plots(figures):
    """(title, what to see, figure)"""
    yield ("Phases, strategy by strategy",
           "First, where the processor works: to copy the mount tree (namespaces) and to destroy it "
           "(teardown). Then, how long it takes: detach and teardown wait for RCU. Each cycle in a "
           "child that exits, 30 mounts, medians.", phases(figures))
    yield ("Cost against the mounts of the old tree",
           "A strategy that copies the old tree pays for each mount of it. chroot alone does not, "
           "and stays flat; template grows least. Both axes logarithmic; a thread (proc-first: a "
           "child) in private trees.", mounts(figures))
    yield ("pivot_root against the threads of the machine",
           "pivot_root looks at every thread of the machine, in whatever process: the strategies "
           "that call it grow, the others (chroot, move-chroot, template) do not.",
           idle_threads(figures))
    yield ("Propagation of the old tree, and peers",
           "A copy of a shared mount joins its peers, and leaves them again: what that adds, with "
           "more and more namespaces that have peers of the same mounts.", trees(figures))
    yield ("Detach and teardown, and how they vary",
           "What waits for RCU: the medians over the rounds of the tenth percentile, the median and "
           "the ninetieth. A long line is a wait that depends on the rest of the machine.",
           waits(figures))


def page(run, rivals):
    parts, plots, not_measured = [], [], {}
    if run is not None:
        figures, context = runs.Figures(run), run["context"]
        parts.append("<p>Medians over the rounds of one run; bench/RESULTS.md says how it was "
                     "measured.</p>" + rows((name, context[name]) for name in runs.CONTEXT
                                            if name in context))
        plots += switch_plots(figures)
        not_measured = context.get("not_measured", {})
    see = ("What a whole process costs that sets up an isolated root and runs a static true in it: "
           "grey, baselines; green, pivotcheck switch; orange, other programs. Logarithmic.")
    if rivals is not None:
        missing = "; ".join(f"{name}: {why}" for name, why in rivals["missing"].items()) or "none"
        plots.append(("Beside other programs", f"{see} Missing: {missing}.", rival_bars(rivals)))
    else:
        plots.append(("Beside other programs", see, None, "ci/bench --rivals measures them."))
    parts += [section(number, *plot) for number, plot in enumerate(plots)]
    if not_measured:
        parts.append("<section class=\"screen\"><h2>Not measured</h2><details><summary>"
                     f"{len(not_measured)} parts, each with its reason</summary>"
                     f"{rows(sorted(not_measured.items()))}</details></section>")
    return document("What switching root costs", parts)


def heat_table(comparisons):
    """Ratios B/A of processor time, settings by parts."""
    cells, order = {}, runs.PHASES + ("setup", "cycle")
    for one in comparisons:
        setting, _, part = one.name.rpartition("/")
        if one.name.startswith(("switch/", "bare/")) and one.column.startswith("cpu_us"):
            cells.setdefault(setting, {})[part] = one
    yield "<tr><th></th>" + "".join(f"<th>{part}</th>" for part in order) + "</tr>"
    for setting, found in sorted(cells.items()):
        line = f"<tr><th>{html.escape(short(setting))}</th>"
        for one in (found.get(part) for part in order):
            share = min(1, abs(one.log) / math.log(1.5)) if one else 0
            shade = "220, 50, 47" if one and one.log > 0 else "38, 139, 210"
            verdict = one.verdict if one and one.verdict in ("faster", "slower") else ""
            line += (f"<td style=\"background: rgba({shade}, {share:.2f})\">"
                     f"{f'{one.ratio:.2f}' if one else ''} {verdict}</td>")
        yield line + "</tr>"


def comparison_page(run_a, run_b, comparisons):
    context = [(name, f"{run_a['context'].get(name)} → {run_b['context'].get(name)}")
               for name in runs.CONTEXT if name in run_a["context"]]
    return document("Two runs compared", [
        rows(context), "<h2>Ratios of processor time, B to A</h2><p>Red took longer in B, blue less. "
        "A cell has a verdict only where the difference is more than the noise of both runs.</p>"
        "<div class=\"wide\"><table>", *heat_table(comparisons), "</table></div>"])

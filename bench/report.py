# SPDX-License-Identifier: Apache-2.0
"""report.py: one page with the plots of a run, by Matplotlib, that needs nothing else: SVG within
the page, whose lines and letters have the colours of the page, so that it can be read in the dark;
with what to see in it under each plot.
"""
import html
import io
import math
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
import matplotlib.ticker  # noqa: E402
import numpy  # noqa: E402

import names  # noqa: E402

# Colours that the page replaces by its own (paint()).
INK, GRID = "#010203", "#040506"
STRATEGIES = ("chroot", "chroot+mnt", "move-chroot", "template", "dot-dot", "put-old", "manual",
              "proc-first", "tmpfs-sandbox")
COLOURS = dict(zip(STRATEGIES, ("#8c8c8c", "#b58900", "#d9730d", "#2aa198", "#268bd2", "#6c71c4",
                                "#d33682", "#859900", "#dc322f")))
PHASES = ("carrier", "namespaces", "propagation", "bind", "pivot", "detach", "teardown")
PHASE_COLOURS = ("#9e9e9e", "#4c78a8", "#72b7b2", "#eeca3b", "#f58518", "#e45756", "#b279a2")
MARKS = dict(zip(STRATEGIES, "os^Dv<>Pp"))
SIGNS = dict(zip("os^Dv<>Pp", "●■▲◆▼◀▶✚⬟"))  # the same marks, as letters
HOME = {"mounts": "30", "tree": "private", "crowd": "0", "user": "none"}

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "pivotcheck", "font.size": 10,
    "font.family": "sans-serif", "text.color": INK, "axes.edgecolor": GRID,
    "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "grid.color": GRID, "axes.grid": True, "grid.linewidth": 0.4,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none"})


class Run:
    """Figures by what they are of."""

    def __init__(self, run):
        self.context = run["context"]
        self.rows = names.repetitions(run)
        self.columns = {}

    def value(self, column, family, strategy, part, **axes):
        if column not in self.columns:
            self.columns[column] = {key(name): median for name, median in
                                    names.medians({"benchmarks": sum(self.rows.values(), [])},
                                                  column).items()}
        wanted = dict(axes, family=family, strategy=strategy, part=part)
        return self.columns[column].get(frozenset(wanted.items()))

    def switch(self, column, strategy, part, carrier=None, **axes):
        """At home but for `axes`; by a thread, and where that can't be, by a child."""
        for one in (carrier,) if carrier else ("thread", "exits"):
            value = self.value(column, "switch", strategy, part, carrier=one, **{**HOME, **axes})
            if value is not None:
                return value
        return None

    def points(self, axis):
        """The values of an axis that were measured with all others at home."""
        found = set()
        for name in self.rows:
            fields = names.fields(name)
            if fields["family"] == "switch" and all(
                    fields.get(other) == HOME[other] for other in HOME if other != axis):
                found.add(fields[axis])
        return found


def key(name):
    return frozenset(names.fields(name).items())


def paint(figure, number):
    """The figure as SVG, with names of its own and the colours of the page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = text.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="', f'id="f{number}-', svg)
    svg = re.sub(r"url\(#", f"url(#f{number}-", svg)
    svg = re.sub(r'href="#', f'href="#f{number}-', svg)
    svg = svg.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    # Text that nothing is said of is black: it has the page's colour, too.
    svg = svg.replace("<text ", '<text fill="currentColor" ')
    return re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(
        r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1)


class Sheet:
    """Axes side by side, and one legend for all. On the page each is a picture of its own, which a
    phone puts below the other, and the legend is the page's; in a file they are one picture."""

    def __init__(self, together=False):
        self.together, self.figures, self.key = together, [], []
        self.scrolls = False  # too much for a phone to show at once

    def axes(self, count, width=4.3, height=3.6):
        if self.together:
            figure, found = plt.subplots(1, count, figsize=(width * count, height), squeeze=False)
            self.figures = [figure]
            return list(found[0])
        found = [plt.subplots(figsize=(width, height)) for _ in range(count)]
        self.figures = [figure for figure, _ in found]
        return [axes for _, axes in found]

    def legend(self, axes):
        handles, labels = axes.get_legend_handles_labels()
        if self.together:
            self.figures[0].tight_layout()
            self.figures[0].legend(handles, labels, loc="upper center", ncol=5, fontsize=9,
                                   bbox_to_anchor=(0.5, 0.0))
            return
        for handle, label in zip(handles, labels):
            line = hasattr(handle, "get_color")
            colour = handle.get_color() if line else handle.patches[0].get_facecolor()
            self.key.append((label, matplotlib.colors.to_hex(colour),
                             SIGNS.get(handle.get_marker(), "━") if line else "■"))


def same_heights(several):
    """The same range for all, that they can be compared."""
    low, high = zip(*(axes.get_ylim() for axes in several))
    for axes in several:
        axes.set_ylim(min(low), max(high))


def plain_numbers(axis):
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:g}"))


# --- the plots: each gives a sheet, or None where the run has nothing for it --------------------

def stacked(run, sheet):
    shown = [each for each in STRATEGIES if run.switch("wall_us", each, "cycle", "exits")]
    if not shown:
        return None
    both = sheet.axes(2)
    for axes, column, title in zip(both, ("cpu_us", "wall_us"), ("processor time", "wall time")):
        left = numpy.zeros(len(shown))
        for phase, colour in zip(PHASES, PHASE_COLOURS):
            width = numpy.array([run.switch(column, each, phase, "exits") or 0 for each in shown])
            axes.barh(shown, width, left=left, color=colour, label=phase, height=0.7)
            left += width
        axes.set_xlabel(f"{title}, µs")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    sheet.legend(both[0])
    return sheet


def numbers(values):
    return sorted(values, key=float)


AXES = {"mounts": ("mounts in the old tree", {"value": "log"}),
        "crowd": ("idle threads on the machine", {"value": "symlog", "linthresh": 500})}


def lines(run, sheet, axis, columns):
    points = numbers(run.points(axis))
    if len(points) < 2:
        return None
    several = sheet.axes(len(columns))
    for axes, (column, part, title) in zip(several, columns):
        for each in STRATEGIES:
            found = [(float(point), run.switch(column, each, part, **{axis: point}))
                     for point in points]
            found = [(x, y) for x, y in found if y]
            if found:
                axes.plot(*zip(*found), marker=MARKS[each], color=COLOURS[each], label=each,
                          markersize=4, linewidth=1.4)
        label, scale = AXES[axis]
        axes.set_xlabel(label)
        axes.set_ylabel(f"{title}, µs")
        axes.set_xscale(**scale)
        axes.set_xticks([float(point) for point in points], points)
        axes.minorticks_off()
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
    sheet.legend(several[0])
    return sheet


def mounts(run, sheet):
    return lines(run, sheet, "mounts", (("cpu_us", "cycle", "processor time of a cycle"),
                                        ("wall_us", "setup", "wall time of the setup")))


def crowd(run, sheet):
    return lines(run, sheet, "crowd", (("wall_us", "pivot", "wall time of the pivot phase"),
                                       ("cpu_us", "setup", "processor time of the setup")))


def trees(run, sheet):
    order = ["private", "slave"] + sorted(
        (point for point in run.points("tree") if point.startswith("shared-")),
        key=lambda point: int(point.split("-")[1]))
    points = [each for each in order if each in run.points("tree")]
    if len(points) < 2:
        return None
    axes, = sheet.axes(1, width=5.6)
    for i, each in enumerate(STRATEGIES):
        found = [run.switch("cpu_us", each, "cycle", tree=point) or math.nan for point in points]
        axes.bar(numpy.arange(len(points)) + (i - 4) * 0.09, found, 0.09, color=COLOURS[each],
                 label=each)
    axes.set_xticks(range(len(points)), [point.replace("-", "\n") for point in points])
    axes.set_xlabel("propagation, and how many peers each mount has")
    axes.grid(axis="x", visible=False)
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)
    axes.set_ylabel("processor time of a cycle, µs")
    sheet.legend(axes)
    return sheet


def samples_at_home(samples, strategy, part):
    """By a thread, and where that can't be, by a child."""
    for carrier in ("thread", "exits"):
        rounds = samples.get(f"switch/{strategy}/carrier:{carrier}/mounts:30/tree:private/crowd:0/"
                             f"user:none/{part}")
        if rounds:
            return numpy.sort(numpy.concatenate([one["wall_us"] for one in rounds]))
    return []


def distributions(samples, sheet):
    parts = ("detach", "teardown")
    shown = {part: {each: samples_at_home(samples, each, part) for each in STRATEGIES}
             for part in parts}
    if not any(len(values) for values in shown["teardown"].values()):
        return None
    both = sheet.axes(2)
    for axes, part in zip(both, parts):
        for each, values in shown[part].items():
            share = numpy.arange(1, len(values) + 1) / max(1, len(values))
            if len(values):
                axes.step(values, share, color=COLOURS[each], label=each, where="post",
                          linewidth=1.4)
        axes.set_xscale("log")
        plain_numbers(axes.xaxis)
        axes.set_xlabel(f"{part}: wall time, µs")
        axes.set_ylabel("share of the cycles")
    sheet.legend(both[1])
    return sheet


def throughput(run, sheet):
    found = {}
    for name in run.rows:
        fields = names.fields(name)
        if fields["family"] != "parallel":
            continue
        kind = "threads" if "threads" in fields else "processes"
        value = run.value("wall_us", **fields)
        found.setdefault((kind, fields["strategy"]), []).append((int(fields[kind]), 1e6 / value))
    if not found:
        return None
    both = sheet.axes(2)
    for axes, kind in zip(both, ("threads", "processes")):
        for each in STRATEGIES:
            points = sorted(found.get((kind, each), []))
            if points:
                axes.plot(*zip(*points), marker=MARKS[each], color=COLOURS[each], label=each,
                          markersize=4, linewidth=1.4)
        ticks = sorted({x for (one, _), points in found.items() if one == kind for x, _ in points})
        axes.set_xlabel(f"{kind} at once")
        axes.set_ylabel("cycles a second")
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, ticks)
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
    same_heights(both)
    sheet.legend(both[0])
    return sheet


def peer_bars(peers, sheet):
    rows = sorted(peers["commands"], key=lambda row: row["ratio"])
    both = sheet.axes(2, width=4.8, height=0.3 * len(rows) + 0.8)
    for axes, column, title in zip(both, ("ratio", "cpu_ratio"), ("wall time", "processor time")):
        colours = ["#2aa198" if row["name"].startswith("pivotcheck") else
                   "#8c8c8c" if row["name"].startswith("floor") else "#d9730d" for row in rows]
        values = [row[column] for row in rows]
        bars = axes.barh([row["name"] for row in rows], values, color=colours)
        axes.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, color=INK,
                       fontsize=9)
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 1.6, max(values) * 2.5)  # with room for the last number
        plain_numbers(axes.xaxis)
        axes.set_xlabel(f"{title}, in multiples of a static true alone")
        axes.grid(axis="y", visible=False)
        axes.invert_yaxis()
    return sheet


def heat_map(comparisons, sheet):
    """Ratios B/A of processor time, settings by parts."""
    cells = {}
    for one in comparisons:
        fields = names.fields(one.name)
        if fields["family"] in ("switch", "bare") and one.column.startswith("cpu_us"):
            setting = one.name.rsplit("/", 1)[0]
            cells.setdefault(setting, {})[fields["part"]] = one
    if not cells:
        return None
    order = PHASES + ("setup", "cycle")
    settings = sorted(cells)
    grid = numpy.array([[cells[setting][part].log if part in cells[setting] else math.nan
                         for part in order] for setting in settings])
    axes, = sheet.axes(1, width=8, height=0.19 * len(settings) + 1.4)
    limit = math.log(1.5)
    picture = axes.imshow(grid, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto",
                          interpolation="nearest")
    axes.set_xticks(range(len(order)), order, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(settings)), [short(each) for each in settings], fontsize=7)
    axes.grid(visible=False)
    for y, setting in enumerate(settings):
        for x, part in enumerate(order):
            verdict = cells[setting][part].verdict if part in cells[setting] else ""
            if verdict in ("faster", "slower"):
                axes.text(x, y, verdict, ha="center", va="center", fontsize=6)
    bar = axes.figure.colorbar(picture, ax=axes, location="top", fraction=0.4 / (2 + len(settings)),
                               pad=0.4 / (2 + len(settings)), aspect=40)
    ticks = (0.67, 0.8, 1, 1.25, 1.5)
    bar.set_ticks([math.log(tick) for tick in ticks], labels=[str(tick) for tick in ticks])
    sheet.scrolls = True
    return sheet


def short(setting):
    """Without what is at home."""
    words = setting.split("/")
    left = [word for word in words[2:]
            if word.partition(":")[2] != HOME.get(word.partition(":")[0])]
    return " ".join([("bare " if words[0] == "bare" else "") + words[1]] + left)


# --- the page -----------------------------------------------------------------------------------

STYLE = """
:root { --ink: #1b1f24; --grid: #b8bec6; --paper: #ffffff; --soft: #57606a;
  color-scheme: light dark }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --grid: #4a525c; --paper: #0d1117; --soft: #9aa4af } }
@media print { :root { --ink: #000; --grid: #999; --paper: #fff; --soft: #333 }
  section { break-inside: avoid } .screen { display: none } }
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif;
  max-width: 58rem; margin: 0 auto; padding: 1rem }
figure { margin: 2rem 0 } figure svg { display: block; width: 100%; height: auto }
.panels { display: flex; flex-wrap: wrap; gap: 1rem } .panels > * { flex: 1 1 19rem; min-width: 0 }
.panels > :only-child { max-width: 36rem } .scrolls > :only-child { max-width: none }
.scrolls { overflow-x: auto } .scrolls svg { min-width: 44rem }
.key { padding: 0; margin: 0.5rem 0; font-size: 0.85rem } .key li { display: inline-block;
  margin-right: 1rem; white-space: nowrap } .key b { font-weight: normal; margin-right: 0.3rem }
figcaption { color: var(--soft); max-width: 44rem }
table { border-collapse: collapse; font-size: 0.85rem } td, th { text-align: left;
  padding: 0.15rem 0.8rem 0.15rem 0; vertical-align: top; border-bottom: 1px solid var(--grid) }
.wide { overflow-x: auto } h2 { margin-top: 2.5rem; font-size: 1.2rem }
"""


def document(title, parts):
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
            "<link rel=\"icon\" href=\"data:,\">"
            f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
            f"<h1>{html.escape(title)}</h1>" + "\n".join(parts) + "</body></html>\n")


def pictures(plots):
    """(title, what to see, sheet or None, why there is none) -> HTML"""
    parts = []
    for number, (title, see, sheet, otherwise) in enumerate(plots):
        heading = f"<section><h2>{html.escape(title)}</h2>"
        if sheet is None:
            parts.append(f"{heading}<p>Not drawn: {html.escape(otherwise)}</p></section>")
            continue
        panels = "".join(f"<div>{paint(figure, f'{number}-{panel}')}</div>"
                         for panel, figure in enumerate(sheet.figures))
        key = "".join(f"<li><b style=\"color:{colour}\">{sign}</b>{html.escape(label)}</li>"
                      for label, colour, sign in sheet.key)
        parts.append(f"{heading}<figure id=\"plot-{number}\" class=\"plot\">"
                     f"<div class=\"panels{' scrolls' if sheet.scrolls else ''}\">{panels}</div>"
                     + (f"<ul class=\"key\">{key}</ul>" if key else "") +
                     f"<figcaption><b>What to see:</b> {html.escape(see)}</figcaption></figure>"
                     "</section>")
    return parts


def rows(pairs):
    return "<div class=\"wide\"><table>" + "".join(
        f"<tr><th>{html.escape(str(one))}</th><td>{html.escape(str(other))}</td></tr>"
        for one, other in pairs) + "</table></div>"


CONTEXT = ("commit", "date", "kernel", "machine", "processors", "rcu_expedited", "mounts_here",
           "threads_here", "load_before", "load_after", "user", "rounds", "cycles_in_a_round",
           "planted_slowdown")


def switch_plots(run, samples):
    plots = [
        ("Phases, strategy by strategy",
         "First, where the processor works: copying the mount tree (namespaces) and destroying it "
         "(teardown). Then, how long it takes: detach and teardown wait for RCU. Each cycle in a "
         "child that exits, 30 mounts, medians.", stacked, run),
        ("Cost against the mounts of the old tree",
         "Who copies the old tree pays for each mount of it. chroot alone does not, and stays "
         "flat; template grows least. Both axes logarithmic; a thread (proc-first: a child) in "
         "private trees.",
         mounts, run),
        ("pivot_root against the threads of the machine",
         "pivot_root looks at every thread of the machine, whoever it belongs to: the strategies "
         "that call it grow, the others (chroot, move-chroot, template) don't.", crowd, run),
        ("Propagation of the old tree, and peers",
         "A copy of a shared mount joins its peers, and leaves them again: what that adds, with "
         "more and more namespaces that have peers of the same mounts.", trees, run),
        ("Detach and teardown, as distributions",
         "A median says little of what waits for RCU: a steep curve is a wait of always the same "
         "length, a long tail one that depends on the rest of the machine.",
         distributions, samples or {}),
        ("Throughput against parallelism",
         "Waiting for RCU takes no processor: more at once than there are processors still add "
         "up, until the lock of the mount tree or the processors are full.", throughput, run),
    ]
    return [(title, see, plot(what, Sheet()), "the run has no settings for it.")
            for title, see, plot, what in plots]


def harness_table(run):
    """What pivotcheck itself does in a second, of the run's medians."""
    lines = []
    for name, found in run.rows.items():
        if names.fields(name)["family"] != "harness":
            continue
        unit = {"ns": 1e9, "us": 1e6, "ms": 1e3}[found[0]["time_unit"]]
        rate = unit / numpy.median([row["real_time"] for row in found])
        cpu = numpy.median([row["cpu_time"] for row in found]) / unit * 1e6
        steps = [row["steps_per_second"] for row in found if "steps_per_second" in row]
        more = f", {numpy.median(steps):,.0f} steps a second" if steps else ""
        lines.append((name.partition("/")[2], f"{rate:,.0f} a second, {cpu:,.1f} µs of processor "
                                              f"time each{more}"))
    return lines


def page(run, samples, peers):
    plots, parts, harness = [], [], []
    if run is not None:
        figures = Run(run)
        context = run["context"]
        parts.append("<p>Medians over the rounds of one run; how it was measured stands in "
                     "bench/RESULTS.md.</p>" +
                     rows((name, context[name]) for name in CONTEXT if name in context))
        plots += switch_plots(figures, samples)
        harness = harness_table(figures)
    see = ("What a whole process costs that sets up an isolated root and runs a static true in it: "
           "grey, what nobody can be without; green, pivotcheck switch; orange, other programs.")
    if peers is not None:
        missing = "; ".join(f"{name}: {why}" for name, why in peers["missing"].items()) or "none"
        plots.append(("Beside other programs", f"{see} Logarithmic. Missing: {missing}.",
                      peer_bars(peers, Sheet()), ""))
    else:
        plots.append(("Beside other programs", see, None, "ci/bench --peers measures them."))
    parts += pictures(plots)
    if harness:
        parts.append("<h2>The harness itself</h2><p>Whole cases, with the model (cases) and "
                     f"without (cases_bare), and what they are made of.</p>{rows(harness)}")
    if run is not None and run["context"].get("not_measured"):
        reasons = run["context"]["not_measured"]
        parts.append("<section class=\"screen\"><h2>Not measured</h2><details><summary>"
                     f"{len(reasons)} parts, each with its "
                     f"reason</summary>{rows(sorted(reasons.items()))}</details></section>")
    return document("What switching root costs", parts)


def comparison_page(run_a, run_b, comparisons):
    parts = [rows((name, f"{run_a['context'].get(name)} → {run_b['context'].get(name)}")
                  for name in CONTEXT if name in run_a["context"])]
    parts += pictures([(
        "Ratios of processor time, B to A",
        "Red took longer in B, blue less; white is the same. A verdict stands only where it holds "
        "against the noise of both runs.", heat_map(comparisons, Sheet()), "no processor times.")])
    return document("Two runs compared", parts)

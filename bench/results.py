#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""results.py: the tables and plots of bench/RESULTS.md, from what ci/bench and ci/bench --rivals
left in DIR, and DIR/library.txt, what switch_overhead printed:

    python3 bench/results.py DIR            prints the tables
    python3 bench/results.py DIR --write    puts them into bench/RESULTS.md, and draws bench/plots/

A table stands there between `<!-- table: NAME -->` and `<!-- end -->`.
"""
import argparse
import itertools
import os
import re
import sys

import runs

HERE = os.path.dirname(os.path.abspath(__file__))
# In files of their own, plots don't know the page: greys that can be read on white and on black.
GREY, LINES = "#7d8590", "#8b949e"


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
    figures, context = runs.Figures(run), run["context"]
    tables = {
        "context": "\n".join(f"- {name}: {context[name]}" for name in runs.CONTEXT
                             if name in context),
        "phases": by_strategy(figures, runs.PHASES + ("cycle",),
                              lambda each, part: figures.switch("cpu_us", each, part, "exits")),
        "template": template_table(figures)}
    for name, (axis, column, part, mode) in BY_STRATEGY.items():
        tables[name] = by_strategy(
            figures, runs.AXES[axis][0],
            lambda each, point: figures.switch(column, each, part, mode, **{axis: point}))
    return tables


def rivals_tables(rivals):
    from rivals import beside
    lines = [[row["name"], f"{row['ratio']:.1f}", f"{row['cpu_ratio']:.1f}"]
             for row in rivals["commands"]]
    lines += [[f"{name}: {why}", "-", "-"] for name, why in rivals["missing"].items()]
    return {"rivals": table(("command", "wall time", "processor time"), lines),
            "beside": "\n".join(f"- {line}" for line in beside(rivals))}


def library_table(path):
    """Of what switch_overhead printed."""
    lines = []
    with open(path, encoding="utf-8") as file:
        for words in (re.split(r" {2,}", line.strip()) for line in file.readlines()[2:]):
            lines.append(words if len(words) == 5 else words[:2] + ["", ""] + words[2:])
    return table(("strategy", "namespaces", "by hand", "library", "ratio"), lines)


def write(run, tables):
    import report
    path = os.path.join(HERE, "RESULTS.md")
    with open(path, encoding="utf-8") as file:
        page = file.read()
    for name, new in tables.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        if not re.search(pattern, page, re.S):
            runs.fail(f"{path} has no place for the table {name}", 3)
        page = re.sub(pattern, lambda match, new=new: f"{match[1]}{new}\n{match[2]}", page,
                      flags=re.S)
    runs.write_whole(path, page)
    for plot in (report.phases, report.mounts):
        svg = report.paint(plot(runs.Figures(run)), plot.__name__, GREY, LINES)
        runs.write_whole(os.path.join(HERE, "plots", plot.__name__ + ".svg"), svg)


def main():
    parser = argparse.ArgumentParser(prog="bench/results.py")
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--write", action="store_true", help="into bench/RESULTS.md")
    arguments = parser.parse_args()
    folder = arguments.folder
    run, rivals = runs.load(os.path.join(folder, "bench.json")), runs.load_rivals(folder)
    library = os.path.join(folder, "library.txt")
    tables = {**switch_tables(run), **(rivals_tables(rivals) if rivals else {}),
              **({"library": library_table(library)} if os.path.exists(library) else {})}
    missing = {"rivals", "library"} - tables.keys()
    if missing:
        print(f"results.py: nothing in {folder} for: {', '.join(missing)}", file=sys.stderr)
    if arguments.write:
        write(run, tables)
        return
    for name, what in tables.items():
        print(f"<!-- table: {name} -->\n{what}\n<!-- end -->\n")


if __name__ == "__main__":
    main()

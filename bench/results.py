#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""results.py: the tables and plots of bench/RESULTS.md, from what ci/bench and ci/bench --rivals
left in DIR, and DIR/library.txt, what switch_overhead printed:

    python3 bench/results.py DIR            prints the tables
    python3 bench/results.py DIR --write    puts them into bench/RESULTS.md, and draws bench/plots/

A table stands there between `<!-- table: NAME -->` and `<!-- end -->`.
"""
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


def by_strategy(figures, heading, value):
    """A line for each strategy; `value(strategy, column)` for each column of the heading."""
    return table(("strategy",) + heading, [
        [each] + [text(value(each, column)) for column in heading]
        for each in figures.strategies])


def template_table(figures):
    bounds = {("wall_us", "setup", "30"): "0.2", ("wall_us", "setup", "300"): "0.06"}
    lines = []
    for column, what in (("wall_us", "wall time"), ("cpu_us", "processor time")):
        for part in ("setup", "cycle"):
            for mounts in ("30", "300"):
                one, other = (figures.switch(column, strategy, part, mounts=mounts)
                              for strategy in ("template", "dot-dot"))
                lines.append([f"{part}, {what}, {mounts} mounts",
                              bounds.get((column, part, mounts), ""),
                              f"{one / other:.3f}" if one and other else "-"])
    flat = [figures.switch("wall_us_p10", "template", "setup", idle_threads=count)
            for count in ("0", "1000", "10000")]
    lines.append(["its set-up at 0, 1000, 10,000 idle threads, µs (least disturbed tenth)",
                  "within 10 %", ", ".join(text(value) for value in flat)])
    return table(("template to dot-dot", "bound", "measured"), lines)


def switch_tables(run):
    figures, context = runs.Figures(run), run["context"]
    switch = figures.switch
    return {
        "context": "\n".join(f"- {name}: {context[name]}" for name in runs.CONTEXT
                             if name in context),
        "mounts": by_strategy(figures, ("1", "30", "300", "3000"), lambda each, count: switch(
            "cpu_us", each, "cycle", mounts=count)),
        "phases": by_strategy(figures, runs.PHASES + ("cycle",), lambda each, part: switch(
            "cpu_us", each, part, mode="exits")),
        "idle_threads": by_strategy(figures, ("0", "1000", "10000"), lambda each, count: switch(
            "wall_us_p10", each, "pivot", idle_threads=count)),
        "trees": by_strategy(
            figures, ("private", "slave", "shared-0", "shared-16", "shared-256"),
            lambda each, tree: switch("cpu_us", each, "cycle", tree=tree)),
        "user": by_strategy(figures, ("none", "unmapped", "mapped"), lambda each, user: switch(
            "cpu_us", each, "cycle", mode="exits", user=user)),
        "template": template_table(figures)}


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
    words = sys.argv[1:]
    if not words or words[1:] not in ([], ["--write"]):
        runs.fail("usage: bench/results.py DIR [--write]")
    run, rivals = runs.load(os.path.join(words[0], "bench.json")), runs.load_rivals(words[0])
    tables = switch_tables(run)
    if rivals:
        tables.update(rivals_tables(rivals))
    if os.path.exists(os.path.join(words[0], "library.txt")):
        tables["library"] = library_table(os.path.join(words[0], "library.txt"))
    missing = {"rivals", "library"} - tables.keys()
    if missing:
        print(f"results.py: nothing in {words[0]} for: {', '.join(missing)}", file=sys.stderr)
    if len(words) == 2:
        write(run, tables)
        return
    for name, what in tables.items():
        print(f"<!-- table: {name} -->\n{what}\n<!-- end -->\n")


if __name__ == "__main__":
    main()

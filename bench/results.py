#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""results.py: the tables of bench/RESULTS.md, from what ci/bench and ci/bench --peers left in DIR:

    python3 bench/results.py DIR            prints them
    python3 bench/results.py DIR --write    puts them into bench/RESULTS.md, for the old ones

A table stands there between `<!-- table: NAME -->` and `<!-- end -->`.
"""
import os
import re
import statistics
import sys

import names

HOME = {"mounts": "30", "tree": "private", "crowd": "0", "user": "none"}
STRATEGIES = ("chroot", "chroot+mnt", "move-chroot", "template", "dot-dot", "put-old", "manual",
              "tmpfs-sandbox", "proc-first")


class Figures:
    """Medians over the rounds of a run, by what they are of."""

    def __init__(self, run):
        self.rows = names.repetitions(run)

    def value(self, column, strategy, part, family="switch", carrier=None, **axes):
        for one in (carrier,) if carrier else ("thread", "exits"):
            place = {**HOME, **axes}
            name = (f"{family}/{strategy}/carrier:{one}/mounts:{place['mounts']}/"
                    f"tree:{place['tree']}/crowd:{place['crowd']}/user:{place['user']}/{part}")
            found = [row[column] for row in self.rows.get(name, []) if column in row]
            if found:
                return statistics.median(found)
        return None


def text(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def table(heading, lines):
    rows = ["| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    return "\n".join(rows + ["| " + " | ".join(line) + " |" for line in lines])


def ratio(figures, column, part, mounts):
    one = figures.value(column, "template", part, mounts=mounts)
    other = figures.value(column, "dot-dot", part, mounts=mounts)
    return f"{one / other:.3f}" if one and other else "-"


def mounts_table(figures):
    counts = ("1", "30", "300", "3000")
    return table(("strategy",) + counts, [
        [each] + [text(figures.value("cpu_us", each, "cycle", mounts=count)) for count in counts]
        for each in STRATEGIES])


def phases_table(figures):
    parts = ("carrier", "namespaces", "propagation", "bind", "pivot", "detach", "teardown", "cycle")
    return table(("strategy",) + parts, [
        [each] + [text(figures.value("cpu_us", each, part, carrier="exits")) for part in parts]
        for each in STRATEGIES])


def crowd_table(figures):
    counts = ("0", "1000", "10000")
    return table(("strategy",) + counts, [
        [each] + [text(figures.value("wall_us_p10", each, "pivot", crowd=count))
                  for count in counts] for each in STRATEGIES])


def trees_table(figures):
    trees = ("private", "slave", "shared-0", "shared-16", "shared-256")
    return table(("strategy",) + trees, [
        [each] + [text(figures.value("cpu_us", each, "cycle", tree=tree)) for tree in trees]
        for each in STRATEGIES])


def user_table(figures):
    kinds = ("none", "unmapped", "mapped")
    return table(("strategy",) + kinds, [
        [each] + [text(figures.value("cpu_us", each, "cycle", carrier="exits", user=kind))
                  for kind in kinds] for each in STRATEGIES])


def template_table(figures):
    lines = []
    for column, what in (("wall_us", "wall time"), ("cpu_us", "processor time")):
        for part in ("setup", "cycle"):
            for mounts, bound in (("30", "0.2"), ("300", "0.06")):
                bounded = column == "wall_us" and part == "setup"
                lines.append([f"{part}, {what}, {mounts} mounts", bound if bounded else "",
                              ratio(figures, column, part, mounts)])
    flat = [figures.value("wall_us_p10", "template", "setup", crowd=count)
            for count in ("0", "1000", "10000")]
    lines.append(["its set-up at 0, 1000, 10,000 idle threads, µs (least disturbed tenth)",
                  "within 10 %", ", ".join(text(value) for value in flat)])
    return table(("template to dot-dot", "bound", "measured"), lines)


def peers_table(peers):
    lines = [[row["name"], f"{row['ratio']:.1f}", f"{row['cpu_ratio']:.1f}"]
             for row in peers["commands"]]
    lines += [[f"{name}: {why}", "-", "-"] for name, why in peers["missing"].items()]
    return table(("command", "wall time", "processor time"), lines)


def beside_list(peers):
    import peers as module
    return "\n".join(f"- {line}" for line in module.beside(peers))


def context_list(run):
    context = run["context"]
    wanted = ("commit", "date", "kernel", "processors", "rcu_expedited", "mounts_here",
              "threads_here", "load_before", "load_after", "user", "rounds", "cycles_in_a_round")
    return "\n".join(f"- {name}: {context[name]}" for name in wanted if name in context)


def tables(folder):
    """name -> text"""
    run = names.load(os.path.join(folder, "bench.json"))
    figures = Figures(run)
    found = {"context": context_list(run), "mounts": mounts_table(figures),
             "phases": phases_table(figures), "crowd": crowd_table(figures),
             "trees": trees_table(figures), "user": user_table(figures),
             "template": template_table(figures)}
    peers = os.path.join(folder, "peers.json")
    if os.path.exists(peers):
        data = names.read_json(peers)
        found["peers"], found["beside"] = peers_table(data), beside_list(data)
    else:
        print(f"results.py: no {peers}: run ci/bench --peers --out {folder}", file=sys.stderr)
    return found


def write(found):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")
    with open(path, encoding="utf-8") as file:
        page = file.read()
    for name, new in found.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        if not re.search(pattern, page, re.S):
            names.fail(f"{path} has no place for the table {name}", 3)
        page = re.sub(pattern, lambda match, new=new: f"{match[1]}{new}\n{match[2]}", page,
                      flags=re.S)
    names.write_whole(path, page)


def main():
    words = sys.argv[1:]
    if not words or len(words) > 2 or words[1:] not in ([], ["--write"]):
        names.fail("usage: bench/results.py DIR [--write]")
    found = tables(words[0])
    if len(words) == 2:
        write(found)
        return
    for name, what in found.items():
        print(f"<!-- table: {name} -->\n{what}\n<!-- end -->\n")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""runs.py: reading and writing what ci/bench leaves, and the names of its benchmarks.

    switch/dot-dot/mode:thread/mounts:30/tree:private/idle_threads:0/user:none/pivot
"""
import json
import os
import random
import re
import statistics
import sys

# Where the axes that are not looked at stand.
HOME = {"mounts": "30", "tree": "private", "idle_threads": "0", "user": "none"}
# The points of each axis, and those of --all.
AXES = {"mounts": (("1", "30", "300", "3000"),
                   ("1", "3", "10", "30", "100", "300", "1000", "3000")),
        "idle_threads": (("0", "1000", "10000"), ("0", "100", "1000", "3000", "10000")),
        "tree": (("private", "slave", "shared-0", "shared-16", "shared-256"),
                 ("private", "slave", *(f"shared-{peers}" for peers in (0, 1, 4, 16, 64, 256)))),
        "user": (("none", "unmapped", "mapped"),) * 2}
PHASES = ("fork", "namespaces", "propagation", "bind", "pivot", "detach", "teardown")
CONTEXT = ("commit", "date", "kernel", "machine", "processors", "rcu_expedited", "mounts_here",
           "threads_here", "load_before", "load_after", "user", "rounds", "cycles_in_a_round",
           "planted_slowdown")


def fail(text, status=2):
    print(f"ci/bench: {text}", file=sys.stderr)
    sys.exit(status)


def write_whole(path, text):
    """The file is the old one or the new one, whole."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def read_json(path):
    """None if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return fail(f"{path}: {error}")


def load(path):
    run = read_json(path)
    if not isinstance(run, dict) or not isinstance(run.get("benchmarks"), list):
        fail(f"{path}: that is no run of ci/bench: it has no list of benchmarks")
    return run


def about(run):
    """What a reader of the figures wants to know of the run: (name, value)"""
    return [(name, run["context"][name]) for name in CONTEXT if name in run["context"]]


def shuffled(values):
    return random.sample(list(values), len(values))


def plain(name):
    """As benchmarks are called now: files of earlier versions can be compared with new ones."""
    name = re.sub(r"/iterations:\d+|/repeats:\d+|/manual_time|/min_time:[\d.]+", "", name)
    name = name.replace("/carrier:", "/mode:").replace("/crowd:", "/idle_threads:")
    return re.sub(r"/carrier$", "/fork", name)


def fields(name):
    """{"family": "switch", "strategy": "dot-dot", "mounts": "30", ..., "part": "pivot"}"""
    words = name.split("/")
    return {"family": words[0], "strategy": words[1], "part": words[-1],
            **dict(word.split(":") for word in words[2:-1])}


def setting(strategy, mode, family="switch", **axes):
    """The name of a benchmark without its part; everything not in `axes` is at home."""
    return "/".join([family, strategy, f"mode:{mode}"] +
                    [f"{axis}:{value}" for axis, value in {**HOME, **axes}.items()])


def repetitions(run):
    """name -> the rows of its repetitions, in the order in which they were measured"""
    rows = {}
    for row in run["benchmarks"]:
        if row.get("run_type", "iteration") == "iteration" and not row.get("error_occurred"):
            rows.setdefault(plain(row["name"]), []).append(row)
    return rows


class Figures:
    """Medians over the rounds of a run, by what they are of."""

    def __init__(self, run):
        self.rows = repetitions(run)
        self.strategies = run["context"]["strategies"]

    def median(self, name, column):
        values = [row[column] for row in self.rows.get(name, []) if column in row]
        return statistics.median(values) if values else None

    def switch(self, column, strategy, part, mode=None, **axes):
        """In a thread, and where that can't be, in a child that exits."""
        for one in (mode,) if mode else ("thread", "exits"):
            value = self.median(f"{setting(strategy, one, **axes)}/{part}", column)
            if value is not None:
                return value
        return None

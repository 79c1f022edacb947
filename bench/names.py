# SPDX-License-Identifier: Apache-2.0
"""names.py: reading and writing what ci/bench leaves, and the names of its benchmarks.

    switch/dot-dot/carrier:thread/mounts:30/tree:private/crowd:0/user:none/pivot
    parallel/dot-dot/threads:4/cycle
"""
import json
import os
import re
import statistics
import sys


def fail(text, status=2):
    print(f"ci/bench: {text}", file=sys.stderr)
    sys.exit(status)


def write_whole(path, text):
    """The file is the old one or the new one, whole; an interruption leaves nothing else behind."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o644)
    except OSError:  # a filesystem without them
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        beside = f"{path}.{os.getpid()}.new"
        # The link is followed only where a directory is given (linkat), which the path then
        # ignores.
        os.link(f"/proc/self/fd/{handle}", beside, src_dir_fd=handle, follow_symlinks=True)
        os.rename(beside, path)


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            run = json.load(file)
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    if not isinstance(run, dict) or not isinstance(run.get("benchmarks"), list):
        fail(f"{path}: that is no run of ci/bench: it has no list of benchmarks")
    return run


def read_json(path):
    """None if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError:
        return None


def fields(name):
    """{"family": "switch", "strategy": "dot-dot", "mounts": "30", ..., "part": "pivot"}"""
    words = name.split("/")
    found = {"family": words[0], "part": words[-1]}
    if len(words) > 2:
        found["strategy"] = words[1]
    for word in words[2:-1]:
        key, _, value = word.partition(":")
        found[key] = value
    return found


def plain(name):
    """Without what Google Benchmark adds: two runs need not have the same number of rounds."""
    return re.sub(r"/iterations:\d+|/repeats:\d+|/manual_time|/min_time:[\d.]+", "", name)


def repetitions(run):
    """name -> the rows of its repetitions, in the order in which they were measured"""
    rows = {}
    for row in run["benchmarks"]:
        if row.get("run_type", "iteration") == "iteration" and not row.get("error_occurred"):
            rows.setdefault(plain(row["name"]), []).append(row)
    return rows


def medians(run, column):
    """name -> the median over its repetitions"""
    result = {}
    for name, rows in repetitions(run).items():
        values = [row[column] for row in rows if column in row]
        if values:
            result[name] = statistics.median(values)
    return result

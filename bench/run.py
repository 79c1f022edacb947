#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py: what ci/bench does after the build: runs the benchmarks, and writes what they say.

    for each round                     until the time is up; at least five, at most fifteen
      for each number of idle threads  in random order; they are started once
        for each setting               in random order: a batch of cycles by switch_bench
          for each build               in random order: this one, and that of --baseline

A run that is interrupted leaves nothing in DIR. The programs see to it that they are killed when
this one ends.
"""
import argparse
import contextlib
import csv
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

import runs

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def first_line(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return "?"


def context():
    """What a reader of the figures wants to know of the machine, before the run."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = len(file.readlines())
    load = first_line("/proc/loadavg").split()
    commit = subprocess.run(["git", "-C", SOURCE, "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"commit": commit or "unknown", "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "kernel": f"{platform.system()} {platform.release()}", "machine": platform.machine(),
            "processors": str(os.cpu_count()), "mounts_here": str(mounts),
            "rcu_expedited": first_line("/sys/kernel/rcu_expedited"),
            "rcu_normal": first_line("/sys/kernel/rcu_normal"),
            "threads_here": load[3].partition("/")[2], "load_before": load[0],
            "user": "root" if os.geteuid() == 0 else "ordinary, in a user namespace"}


# --- settings ------------------------------------------------------------------------------------

# Why a part of a setting may have no figure.
WHY_NOT = {"prepare": "it prepares nothing", "fork": "a thread is there already",
           "namespaces": "it makes none, or the clone does", "bind": "it binds nothing",
           "propagation": "it changes no propagation", "detach": "it leaves or covers the old root"}


def selection(strategies, everything):
    """The names of the settings to measure: the points of each axis, every other one at home."""
    names = []
    for each in strategies:
        # The first process of a PID namespace can't be a thread that goes back, nor can one of a
        # user namespace.
        usual = "exits" if each == "proc-first" else "thread"
        names += [runs.setting(each, mode) for mode in ("thread", "exits")]
        for axis, (points, all_points) in runs.AXES.items():
            modes = ["exits"] if axis == "user" else [usual, "exits"] if everything else [usual]
            names += [runs.setting(each, mode, **{axis: point}) for mode in modes
                      for point in (all_points if everything else points)]
        names.append(runs.setting(each, usual, "bare"))
    return list(dict.fromkeys(names))


def why_no_part(name, part):
    strategy = runs.fields(name + "/")["strategy"]
    known = {"prepare": strategy != "template", "fork": "/mode:thread/" in name,
             "detach": "chroot" in strategy}.get(part, strategy == "chroot" and part in WHY_NOT)
    return WHY_NOT[part] if known else "FAILED: no step of it was seen"


# --- measuring -----------------------------------------------------------------------------------

@contextlib.contextmanager
def idle_threads(count):
    """So many threads more that sleep: pivot_root looks at every thread of the machine. Why they
    can't be there, or None."""
    done, threads = threading.Event(), []
    threading.stack_size(1 << 16)
    with contextlib.suppress(RuntimeError):
        while len(threads) < count:
            thread = threading.Thread(target=done.wait, daemon=True)
            thread.start()
            threads.append(thread)
    time.sleep(0.3 if count else 0)  # new threads are being placed
    yield (None if len(threads) == count else
           f"this machine does not let {count} threads be started")
    done.set()
    for thread in threads:
        thread.join()
    time.sleep(0.3 if count else 0)  # ended ones are freed later, by RCU


def part_row(name, costs, index):
    """One part of one repetition, as a row of Google Benchmark's JSON."""
    row = {"name": name, "run_name": name, "run_type": "iteration", "repetition_index": index,
           "iterations": len(costs["wall_us"]), "time_unit": "us",
           "real_time": round(statistics.mean(costs["wall_us"]), 3)}
    for column in ("wall_us", "cpu_us"):
        values = sorted(costs[column])
        for share, suffix in ((0.5, ""), (0.1, "_p10"), (0.9, "_p90")):
            row[column + suffix] = values[int(share * (len(values) - 1) + 0.5)]
    row["cpu_time"] = row["cpu_us"]
    row["waiting_us"] = round(max(0.0, row["wall_us"] - row["cpu_us"]), 3)
    return row


class Switching:
    """The runs of switch_bench, taken together."""

    def __init__(self, arguments):
        self.arguments, self.rounds = arguments, 0
        folders = {"bench.json": arguments.programs, "baseline.json": arguments.baseline}
        self.programs = {file: os.path.join(folder, "bench", "switch_bench")
                         for file, folder in folders.items() if folder}
        self.rows = {file: [] for file in self.programs}
        self.not_measured = {file: {} for file in self.programs}
        listed = subprocess.run([self.programs["bench.json"], "--strategies"], text=True,
                                check=True, stdout=subprocess.PIPE)
        self.strategies = listed.stdout.split()
        self.settings = {}  # by number of idle threads
        for name in selection(self.strategies, arguments.all):
            if re.search(arguments.only, name):
                count = runs.fields(name + "/")["idle_threads"]
                self.settings.setdefault(count, []).append(name)
        if not self.settings:
            runs.fail(f"no setting matches {arguments.only}")

    def measure(self):
        begun = time.monotonic()
        while self.rounds < self.arguments.rounds_max:
            spent = time.monotonic() - begun
            if (self.rounds >= self.arguments.rounds_min and
                    spent * (self.rounds + 1) / self.rounds > self.arguments.seconds):
                break
            for count in runs.shuffled(self.settings):
                with idle_threads(int(count)) as error:
                    for name in runs.shuffled(self.settings[count]):
                        for file in runs.shuffled(self.programs):
                            self.one_setting(name, file, error)
            self.rounds += 1
            print(f"ci/bench: round {self.rounds}, {time.monotonic() - begun:.0f} s",
                  file=sys.stderr)

    def one_setting(self, name, file, error):
        not_measured = self.not_measured[file]
        if error or name in not_measured:
            not_measured[name] = error or not_measured[name]
            return
        place = runs.fields(name + "/")
        tree, _, peers = place["tree"].partition("-")
        cycles = self.arguments.cycles // (4 if int(place["mounts"]) > 1000 else 1)
        options = {"cycles": max(2, cycles), "tree": tree, "peers": peers,
                   "slow": self.arguments.slow if file == "bench.json" else "",
                   "benchmark_format": "json",
                   **{key: place[key] for key in ("family", "strategy", "mode", "mounts", "user")}}
        command = [f"--{option}={value}" for option, value in options.items() if value]
        done = subprocess.run([self.programs[file]] + command, capture_output=True, text=True,
                              check=False)
        if done.returncode == 2:
            runs.fail(done.stderr.strip())
        if done.returncode != 0:
            why = done.stderr.strip().removeprefix("switch_bench: ") or (
                f"it ended with {done.returncode}")
            # These have been understood, any other is a fault. (Without id maps nothing can be made
            # on a filesystem that has ids: user_namespaces(7).)
            known = why.startswith("a thread can't") or name.endswith("user:unmapped")
            not_measured[name] = why if known else f"FAILED: {why}"
            return
        parts = json.loads(json.loads(done.stdout)["benchmarks"][0]["label"])
        for part in ("prepare",) + runs.PHASES + ("setup", "cycle"):
            if part in parts:
                self.rows[file].append(part_row(f"{name}/{part}", parts[part], self.rounds))
            else:
                not_measured[f"{name}/{part}"] = why_no_part(name, part)

    def status(self):
        """Names what could not be measured: 3 if it should have been, 4 if nothing could."""
        settings = sum(self.settings.values(), [])
        faults = False
        for file, not_measured in self.not_measured.items():
            for name, reason in not_measured.items():
                if name in settings or reason.startswith("FAILED"):
                    print(f"ci/bench: {file}: not measured: {name}: {reason}", file=sys.stderr)
                faults = faults or reason.startswith("FAILED")
        return 4 if not all(self.rows.values()) else 3 if faults else 0


# --- files ---------------------------------------------------------------------------------------

COLUMNS = ("family", "strategy", "mode", "mounts", "tree", "idle_threads", "user", "part")
FIGURES = ("wall_us", "wall_us_p10", "wall_us_p90", "cpu_us", "waiting_us")


def write_csv(path, run):
    """One line for each benchmark: the medians over its rounds."""
    figures = runs.Figures(run)
    with open(path + ".new", "w", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name",) + COLUMNS + ("rounds",) + FIGURES)
        for name, rows in figures.rows.items():
            fields = runs.fields(name)
            writer.writerow([name] + [fields[column] for column in COLUMNS] + [len(rows)] +
                            [round(figures.median(name, figure), 3) for figure in FIGURES])
    os.replace(path + ".new", path)


def write_report(folder, run, rivals):
    import results  # here, because it takes a second to load its library
    path = os.path.join(folder, "report.html")
    runs.write_whole(path, results.page(run, rivals))
    print(f"ci/bench: {path}")


def measure_switching(arguments):
    about, switching = context(), Switching(arguments)
    switching.measure()
    status = switching.status()
    if status == 4:
        return status
    about.update(load_after=first_line("/proc/loadavg").split()[0], rounds=str(switching.rounds),
                 cycles_in_a_round=str(arguments.cycles), strategies=switching.strategies)
    if arguments.baseline:
        about["baseline_begun"] = time.time_ns()  # what makes the two files a pair
    for file, rows in switching.rows.items():
        run = {"context": {**about, "not_measured": switching.not_measured[file]},
               "benchmarks": rows}
        if arguments.slow and file == "bench.json":
            run["context"]["planted_slowdown"] = arguments.slow
        runs.write_whole(os.path.join(arguments.out, file), json.dumps(run, indent=0) + "\n")
        if file == "bench.json":
            write_csv(os.path.join(arguments.out, "bench.csv"), run)
            rivals = runs.read_json(os.path.join(arguments.out, "rivals.json"))
            write_report(arguments.out, run, rivals)
    return status


def measure_rivals(arguments):
    import rivals
    result = rivals.measure(arguments)
    path = os.path.join(arguments.out, "rivals.json")
    runs.write_whole(path, json.dumps(result, indent=1) + "\n")
    rivals.show(result)
    write_report(arguments.out, runs.read_json(os.path.join(arguments.out, "bench.json")), result)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="ci/bench")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", default=os.path.join(SOURCE, "build", "bench-results"))
    parser.add_argument("--all", action="store_true", help="every point of every axis")
    parser.add_argument("--seconds", type=float, help="stop after as many, but not before five "
                        "rounds; 225 if not given, 3600 with --all")
    parser.add_argument("--only", default="", help="settings whose name matches this expression")
    parser.add_argument("--baseline", metavar="BUILD", help="measure that build folder's programs, "
                        "too, setting by setting in turn with these: DIR/baseline.json")
    parser.add_argument("--slow", default="", help="PHASE:PERCENT: plant a slowdown, to see it "
                        "found")
    parser.add_argument("--rounds-min", type=int, default=5)
    parser.add_argument("--rounds-max", type=int, default=15)
    parser.add_argument("--cycles", type=int, default=8, help="in a round, of each setting")
    parser.add_argument("--rivals", "--peers", action="store_true",
                        help="whole processes, beside other programs")
    parser.add_argument("--rounds", type=int, default=15, help="of --rivals")
    arguments = parser.parse_args()
    if arguments.seconds is None:
        arguments.seconds = 3600 if arguments.all else 225
    os.makedirs(arguments.out, exist_ok=True)
    return measure_rivals(arguments) if arguments.rivals else measure_switching(arguments)


if __name__ == "__main__":
    # A shell that starts us in the background has it ignored, and our children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

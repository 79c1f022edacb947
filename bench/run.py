#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py: what ci/bench does after the build: runs the benchmarks, and writes what they say.

    for each round                     until the time is up; at least five, at most fifteen
      for each number of idle threads  in random order; they are started once
        for each setting               in random order: a batch of cycles by switch_bench

Everything is kept in memory until it is complete, so that a run that is interrupted leaves nothing
in DIR. The programs are killed when this one ends, in whatever way.
"""
import argparse
import contextlib
import csv
import io
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time

import runs

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# setpriv is in util-linux, which every system has.
TIED = ["setpriv", "--pdeathsig", "KILL", "--"]


def run_program(command, pass_fds=()):
    """Its standard output, and 3 if that was its exit status. Its messages are shown if it fails."""
    done = subprocess.run(TIED + command, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, pass_fds=pass_fds)
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors="replace"))
    if done.returncode not in (0, 3):
        runs.fail(f"{os.path.basename(command[0])} ended with {done.returncode}",
                  done.returncode if done.returncode in (2, 4) else 3)
    return done.stdout.decode(), done.returncode


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


# --- switching root ------------------------------------------------------------------------------

# The points of each axis, and those of --all; every other axis is at home (runs.py).
AXES = {"mounts": ((1, 30, 300, 3000), (1, 3, 10, 30, 100, 300, 1000, 3000)),
        "idle_threads": ((0, 1000, 10000), (0, 100, 1000, 3000, 10000)),
        "tree": (("slave", "shared-0", "shared-16", "shared-256"),
                 ("slave", *(f"shared-{peers}" for peers in (0, 1, 4, 16, 64, 256))))}


def selection(strategies, everything):
    """The names of the settings to measure."""
    names = []
    most = 4 * os.cpu_count()  # they wait for RCU: more than there are processors
    for each in strategies:
        # The first process of a PID namespace can't be a thread that goes back.
        usual = "exits" if each == "proc-first" else "thread"
        names += [runs.setting(each, mode) for mode in ("thread", "exits", "execs")]
        for axis, points in AXES.items():
            for mode in {usual, "exits"} if everything else {usual}:
                names += [runs.setting(each, mode, **{axis: point})
                          for point in points[everything]]
        names += [runs.setting(each, "exits", user=user) for user in ("unmapped", "mapped")]
        names.append(runs.setting(each, usual, "bare"))
        # With a child for each cycle, parallel ones would measure fork.
        names += [f"parallel/{each}/processes:{min(count, most)}"
                  for count in (2 ** i for i in range(most.bit_length() + 1))
                  if count < 2 * most and usual == "thread"]
    return list(dict.fromkeys(names))


@contextlib.contextmanager
def idle_threads(program, count):
    """Why they can't be there, or None."""
    if count == "0":
        yield None
        return
    with subprocess.Popen([program, "--idle-threads", count], stdout=subprocess.PIPE) as threads:
        ready = threads.stdout.readline() == b"ready\n"
        # New threads are being placed, and ended ones are freed later, by RCU.
        time.sleep(0.3)
        yield None if ready else f"this machine does not let {count} threads be started"
        threads.kill()
    time.sleep(0.3)


WHY_NOT = {"prepare": "it prepares nothing", "fork": "a thread is there already",
           "namespaces": "it makes none, or the clone does", "bind": "it binds nothing",
           "propagation": "it changes no propagation", "detach": "it leaves or covers the old root"}


def why_not(name, part):
    """Why this part of a setting has no figure."""
    strategy = runs.fields(name)["strategy"]
    known = {"prepare": strategy != "template", "fork": "/mode:thread/" in name,
             "detach": "chroot" in strategy}.get(part, strategy == "chroot" and part in WHY_NOT)
    return WHY_NOT[part] if known else "FAILED: no step of it was seen"


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1) + 0.5)]


def part_row(name, costs, index):
    """One part of one repetition, as a row of Google Benchmark's JSON."""
    wall, cpu = costs["wall_us"], costs["cpu_us"]
    row = {"name": name, "run_name": name, "run_type": "iteration", "repetition_index": index,
           "iterations": len(wall), "real_time": statistics.mean(wall),
           "cpu_time": percentile(cpu, 0.5), "time_unit": "us", "cpu_us": percentile(cpu, 0.5),
           "cpu_us_p10": percentile(cpu, 0.1), "wall_us": percentile(wall, 0.5),
           "wall_us_p10": percentile(wall, 0.1), "wall_us_p90": percentile(wall, 0.9),
           "waiting_us": max(0.0, percentile(wall, 0.5) - percentile(cpu, 0.5))}
    for switches in ("voluntary_switches", "involuntary_switches"):
        row[switches] = statistics.mean(costs[switches])
    return {key: round(value, 3) if isinstance(value, float) else value
            for key, value in row.items()}


class Switching:
    """The runs of switch_bench, taken together."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.program = os.path.join(arguments.programs, "bench", "switch_bench")
        self.rows, self.samples, self.not_measured, self.rounds = [], {}, {}, 0
        self.strategies = run_program([self.program, "--strategies"])[0].split()
        self.settings = {}  # by number of idle threads
        for name in selection(self.strategies, arguments.all):
            if runs.matches(arguments.only, name):
                count = runs.fields(name + "/").get("idle_threads", "0")
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
            for count in random.sample(list(self.settings), len(self.settings)):
                with idle_threads(self.program, count) as trouble:
                    for name in random.sample(self.settings[count], len(self.settings[count])):
                        if trouble:
                            self.not_measured[name] = trouble
                        elif name not in self.not_measured:
                            self.one_setting(name)
            self.rounds += 1
            print(f"ci/bench: round {self.rounds}, {time.monotonic() - begun:.0f} s",
                  file=sys.stderr)

    def one_setting(self, name):
        place = runs.fields(name + "/")
        many, cycles = int(place.get("processes", 1)), self.arguments.cycles or 8
        if name.startswith("parallel/"):
            cycles *= 2  # at the beginning and the end not all are at work
        elif int(place["mounts"]) > 1000:
            cycles = max(2, cycles // 4)
        start = (time.monotonic() + (0.1 + 0.02 * many if many > 1 else 0)) * 1e6
        command = [self.program, "--setting", name, "--cycles", str(cycles), "--start-at",
                   str(start), "--benchmark_format=json"]
        command += ["--slow", self.arguments.slow] if self.arguments.slow else []
        programs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    for _ in range(many)]
        found = [(*program.communicate(), program.returncode) for program in programs]
        trouble = next((f"FAILED: it ended with {status}: {err.decode(errors='replace')}"
                        for _, err, status in found if status != 0), None)
        if trouble is None:
            reports = [json.loads(out)["benchmarks"][0] for out, _, _ in found]
            trouble = next((row["error_message"] if known(name, row["error_message"]) else
                            "FAILED: " + row["error_message"]
                            for row in reports if row.get("error_occurred")), None)
        if trouble is not None:
            self.not_measured[name] = trouble
            return
        labels = [json.loads(row["label"]) for row in reports]
        if name.startswith("parallel/"):
            self.take(name, {"cycle": throughput(labels, many * cycles)})
        else:
            self.take(name, labels[0]["parts"])
            for part in ("prepare",) + runs.PHASES + ("setup", "cycle"):
                if part not in labels[0]["parts"]:
                    self.not_measured[f"{name}/{part}"] = why_not(name, part)

    def take(self, name, parts):
        for part, costs in parts.items():
            rounds = self.samples.setdefault(f"{name}/{part}", [])
            rounds.append({key: costs[key] for key in ("wall_us", "cpu_us")})
            self.rows.append(part_row(f"{name}/{part}", costs, len(rounds) - 1))

    def status(self):
        """Names what could not be measured: 3 if it should have been, 4 if nothing could."""
        settings = sum(self.settings.values(), [])
        for name, reason in self.not_measured.items():
            if name in settings or reason.startswith("FAILED"):
                print(f"ci/bench: not measured: {name}: {reason}", file=sys.stderr)
        if not self.rows:
            return 4
        return 3 if any(each.startswith("FAILED") for each in self.not_measured.values()) else 0


def known(name, trouble):
    """A setting that fails for these reasons has been understood; any other is a fault."""
    # Without id maps nothing can be made on a filesystem that has ids (user_namespaces(7)).
    return trouble.startswith("a thread can't") or name.endswith("user:unmapped")


def throughput(labels, cycles):
    """Of processes at work at the same time: the times of one cycle, on the whole."""
    wall = (max(one["ended_us"] for one in labels) - min(one["begun_us"] for one in labels))
    cpu = statistics.mean(statistics.mean(one["parts"]["cycle"]["cpu_us"]) for one in labels)
    return {"wall_us": [wall / cycles], "cpu_us": [cpu], "voluntary_switches": [0],
            "involuntary_switches": [0]}


# --- the harness itself --------------------------------------------------------------------------

# What each program is told. Of the cases, with one worker and with four: the whole curve is
# harness_bench's own (ci/nightly speed).
HARNESS = {
    "model_bench": ("--benchmark_min_time=0.05", "--benchmark_repetitions=9"),
    "readers_bench": ("--benchmark_min_time=0.02", "--benchmark_repetitions=9"),
    "harness_bench": ("--benchmark_filter=^(harness|bare)/(1|4)/",),
}
CASES = {"harness": "cases", "bare": "cases_bare"}  # harness_bench's two sides


def harness_row(row):
    """Named harness/WHAT/...; of cases, the processor time is that of all their processes."""
    words = runs.plain(row["run_name"]).split("/")
    if words[0] in CASES:
        words = [CASES[words[0]], "workers:" + words[1]]
        row.update(cpu_time=row["cpu_us_per_case"], time_unit="us",
                   real_time=1e6 / row["cases_per_second"])
    row["name"] = row["run_name"] = "/".join(["harness"] + words)
    return row


def measure_harness(programs):
    """Cases per second, model steps per second, readers, parsers: (rows, status)"""
    rows, worst = [], 0
    for program, options in HARNESS.items():
        out = os.memfd_create(program, os.MFD_CLOEXEC)
        worst = max(worst, run_program(
            [os.path.join(programs, "bench", program), f"--benchmark_out=/proc/self/fd/{out}",
             "--benchmark_out_format=json", "--benchmark_enable_random_interleaving=true",
             *options], (out,))[1])
        os.lseek(out, 0, os.SEEK_SET)
        with os.fdopen(out, encoding="utf-8") as file:
            found = json.load(file)["benchmarks"]
        rows += [harness_row(row) for row in found
                 if row["run_type"] == "iteration" and not row.get("error_occurred")]
    return rows, worst


# --- files ---------------------------------------------------------------------------------------

COLUMNS = ("family", "strategy", "mode", "mounts", "tree", "idle_threads", "user", "processes",
           "part")
FIGURES = ("wall_us", "wall_us_p10", "wall_us_p90", "cpu_us", "waiting_us", "voluntary_switches",
           "involuntary_switches", "real_time", "cpu_time")


def table(run):
    """One line for each benchmark: the medians over its rounds."""
    text, figures = io.StringIO(), runs.Figures(run)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name",) + COLUMNS + ("rounds",) + FIGURES + ("time_unit",))
    for name, rows in figures.rows.items():
        found = runs.fields(name)
        medians = [figures.median(name, figure) for figure in FIGURES]
        writer.writerow([name] + [found.get(column, "") for column in COLUMNS] + [len(rows)] +
                        ["" if value is None else round(value, 3) for value in medians] +
                        [rows[0]["time_unit"]])
    return text.getvalue()


def write_report(arguments, run, samples, rivals):
    import report  # here, because it takes a second to load its library
    path = os.path.join(arguments.out, "report.html")
    runs.write_whole(path, report.page(run, samples, rivals))
    print(f"ci/bench: {path}")


def measure_switching(arguments):
    about, switching = context(), Switching(arguments)
    switching.measure()
    status = switching.status()
    if status == 4:
        return status
    about.update(load_after=first_line("/proc/loadavg").split()[0], rounds=str(switching.rounds),
                 cycles_in_a_round=str(arguments.cycles or 8), strategies=switching.strategies,
                 not_measured=switching.not_measured)
    if arguments.slow:
        about["planted_slowdown"] = arguments.slow
    run = {"context": about, "benchmarks": switching.rows}
    if not arguments.only:
        rows, worst = measure_harness(arguments.programs)
        run["benchmarks"] += rows
        status = max(status, worst)
    for name, text in (("samples.json", json.dumps(switching.samples)),
                       ("bench.json", json.dumps(run, indent=0) + "\n"),
                       ("bench.csv", table(run))):
        runs.write_whole(os.path.join(arguments.out, name), text)
    write_report(arguments, run, switching.samples, runs.load_rivals(arguments.out))
    return status


def measure_rivals(arguments):
    import rivals
    result = rivals.measure(arguments)
    runs.write_whole(os.path.join(arguments.out, "rivals.json"), json.dumps(result, indent=1) + "\n")
    rivals.show(result)
    write_report(arguments, runs.read_json(os.path.join(arguments.out, "bench.json")),
                 runs.read_json(os.path.join(arguments.out, "samples.json")), result)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="ci/bench")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", default=os.path.join(SOURCE, "build", "bench-results"))
    parser.add_argument("--all", action="store_true", help="every point of every axis")
    parser.add_argument("--seconds", type=float, help="stop after as many, but not before five "
                        "rounds; 225 if not given, 3600 with --all")
    parser.add_argument("--only", default="", help="settings whose name matches this expression")
    parser.add_argument("--slow", help="PART:PERCENT: plant a slowdown, to see it found")
    parser.add_argument("--rounds-min", type=int, default=5)
    parser.add_argument("--rounds-max", type=int, default=15)
    parser.add_argument("--cycles", type=int, help="in a round, of each setting; 8 if not given")
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

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py: what ci/bench does after the build: runs the benchmarks, and writes what they say.

Everything is kept in memory until it is complete, so that a run that is interrupted leaves nothing
behind; the programs are killed when this one dies, in whatever way.
"""
import argparse
import csv
import io
import json
import os
import signal
import statistics
import subprocess
import sys

import names

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def tied(command):
    """The command, such that it dies with us (setpriv is in util-linux, which every system has)."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] + command


def run_program(command, pass_fds=(), quiet=False):
    """Its standard output. A status of 3 is passed on after the output was read. A quiet one has
    its messages shown only if it fails."""
    done = subprocess.run(tied(command), stdout=subprocess.PIPE, pass_fds=pass_fds, check=False,
                          stderr=subprocess.PIPE if quiet else None)
    if quiet and done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors="replace"))
    if done.returncode not in (0, 3):
        names.fail(f"{os.path.basename(command[0])} ended with {done.returncode}",
                   done.returncode if done.returncode in (2, 4) else 3)
    return done.stdout.decode(), done.returncode


def commit():
    done = subprocess.run(["git", "-C", SOURCE, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def slim(row):
    """A repetition as Google Benchmark has it, with the processor time of what was measured."""
    row = {key: value for key, value in row.items()
           if key not in ("family_index", "per_family_instance_index")}
    row["name"] = names.plain(row["name"])
    row["run_name"] = names.plain(row["run_name"])
    if "cpu_us" in row and row["name"].split("/")[0] in ("switch", "bare", "parallel"):
        row["cpu_time"] = row["cpu_us"]  # its own is that of the report, not of the measurement
    return {key: round(value, 3) if isinstance(value, float) else value
            for key, value in row.items()}


def measure(arguments):
    """(the run, its samples, status)"""
    samples = os.memfd_create("samples", os.MFD_CLOEXEC)
    command = [os.path.join(arguments.programs, "bench", "switch_bench"),
               "--samples-fd", str(samples), "--benchmark_format=json"]
    command += ["--seconds", str(arguments.seconds)]
    command += ["--all"] if arguments.all else []
    for option in ("only", "slow", "rounds_min", "rounds_max", "cycles"):
        if getattr(arguments, option):
            command += ["--" + option.replace("_", "-"), str(getattr(arguments, option))]
    output, status = run_program(command, (samples,))
    run = json.loads(output)
    run["benchmarks"] = [slim(row) for row in run["benchmarks"] if row["run_type"] == "iteration"]
    run["context"]["commit"] = commit()
    run["context"]["not_measured"] = json.loads(run["context"]["not_measured"])
    os.lseek(samples, 0, os.SEEK_SET)
    with os.fdopen(samples, encoding="utf-8") as file:
        return run, file.read(), status


# The harness's own benchmarks: what each program is told. Of the cases, with one worker and with
# four: the whole curve is harness_bench's own (ci/nightly speed).
HARNESS = {
    "model_bench": ("--benchmark_min_time=0.05", "--benchmark_repetitions=9"),
    "readers_bench": ("--benchmark_min_time=0.02", "--benchmark_repetitions=9"),
    "harness_bench": ("--benchmark_filter=^(harness|bare)/(1|4)/",),
}
CASES = {"harness": "cases", "bare": "cases_bare"}  # harness_bench's two sides


def harness_row(row):
    """Named harness/WHAT/...; of cases, the processor time is that of all their processes."""
    words = names.plain(row["run_name"]).split("/")
    if words[0] in CASES:
        words = [CASES[words[0]], "workers:" + words[1]]
        row.update(cpu_time=row["cpu_us_per_case"], time_unit="us", real_time=1e6 /
                   row["cases_per_second"])
    row["name"] = row["run_name"] = "/".join(["harness"] + words)
    return slim(row)


def measure_harness(arguments, run):
    """Cases per second, model steps per second, readers, parsers."""
    if arguments.only:
        return 0
    worst = 0
    for program, options in HARNESS.items():
        path = os.path.join(arguments.programs, "bench", program)
        out = os.memfd_create(program, os.MFD_CLOEXEC)
        told = run_program([path, f"--benchmark_out=/proc/self/fd/{out}",
                            "--benchmark_out_format=json",
                            "--benchmark_enable_random_interleaving=true", *options], (out,),
                           quiet=True)
        worst = max(worst, told[1])
        os.lseek(out, 0, os.SEEK_SET)
        with os.fdopen(out, encoding="utf-8") as file:
            found = json.load(file)["benchmarks"]
        run["benchmarks"] += [harness_row(row) for row in found
                              if row["run_type"] == "iteration" and not row.get("error_occurred")]
    return worst


COLUMNS = ("family", "strategy", "carrier", "mounts", "tree", "crowd", "user", "threads",
           "processes", "part")
FIGURES = ("wall_us", "wall_us_p10", "wall_us_p90", "cpu_us", "waiting_us", "voluntary_switches",
           "involuntary_switches", "real_time", "cpu_time", "time_unit")


def table(run):
    """One line for each benchmark: the medians over its rounds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name",) + COLUMNS + ("rounds",) + FIGURES)
    for name, rows in names.repetitions(run).items():
        found = names.fields(name)
        line = [name] + [found.get(column, "") for column in COLUMNS] + [len(rows)]
        for figure in FIGURES:
            values = [row[figure] for row in rows if figure in row]
            numbers = values and not isinstance(values[0], str)
            line.append(round(statistics.median(values), 3) if numbers else (values or [""])[0])
        writer.writerow(line)
    return text.getvalue()


def write_report(arguments, run, samples, peers):
    import report  # here, as it takes a second to load its library
    path = os.path.join(arguments.out, "report.html")
    names.write_whole(path, report.page(run, samples, peers))
    print(f"ci/bench: {path}")


def switching(arguments):
    run, samples, status = measure(arguments)
    status = max(status, measure_harness(arguments, run))
    names.write_whole(os.path.join(arguments.out, "samples.json"), samples)
    names.write_whole(os.path.join(arguments.out, "bench.json"), json.dumps(run, indent=0) + "\n")
    names.write_whole(os.path.join(arguments.out, "bench.csv"), table(run))
    write_report(arguments, run, json.loads(samples),
                 names.read_json(os.path.join(arguments.out, "peers.json")))
    return status


def beside_peers(arguments):
    import peers
    result = peers.measure(arguments)
    names.write_whole(os.path.join(arguments.out, "peers.json"),
                      json.dumps(result, indent=1) + "\n")
    peers.tell(result)
    run = names.read_json(os.path.join(arguments.out, "bench.json"))
    samples = names.read_json(os.path.join(arguments.out, "samples.json"))
    write_report(arguments, run, samples, result)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="ci/bench")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", default=os.path.join(SOURCE, "build", "bench-results"))
    parser.add_argument("--all", action="store_true", help="every point of every axis")
    parser.add_argument("--seconds", type=float, help="so long, as far as five rounds allow")
    parser.add_argument("--only", help="settings whose name matches this expression")
    parser.add_argument("--slow", help="PART:PERCENT: plant a slowdown, to see it found")
    parser.add_argument("--rounds-min", type=int)
    parser.add_argument("--rounds-max", type=int)
    parser.add_argument("--cycles", type=int, help="in a round, of each setting")
    parser.add_argument("--peers", action="store_true", help="whole processes, beside others")
    parser.add_argument("--rounds", type=int, default=15, help="of --peers")
    arguments = parser.parse_args()
    if arguments.seconds is None:
        arguments.seconds = 3600 if arguments.all else 225
    os.makedirs(arguments.out, exist_ok=True)
    return beside_peers(arguments) if arguments.peers else switching(arguments)


if __name__ == "__main__":
    # A shell that starts us in the background has it ignored, and our children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py: `ci/bench compare A.json B.json`: what became slower or faster from A to B.

Of each round one figure counts: the tenth percentile of its cycles, which the rest of the machine
disturbs least. Of these, for each benchmark: the ratio B/A of the medians, and a bootstrapped 99 %
confidence interval of that ratio.

    faster, slower   p < 0.01, the medians are 5 % or more apart, and the difference is more than
                     what the machine did by itself (below)
    same             the medians are less than 5 % apart
    too noisy        they are further apart, but the rest does not hold

p is adjusted for the number of comparisons (Benjamini and Hochberg): of a hundred such verdicts one
is expected to be chance. That takes some eight rounds of each, and thirty of --baseline.

What decides is the processor time, and the wall time of the parts that do not wait for RCU. That of
the others (detach, teardown, and what contains them) depends on what the rest of the machine does,
so it is shown with its quartiles and has no verdict.

What the machine did by itself. A machine that others use changes its pace from minute to minute,
not for all phases alike. The two runs of one `ci/bench --baseline` were measured in turn: there a
round is a pair, the ratio is the median of the pairs', and the test is Wilcoxon's of pairs. For two
runs that are minutes apart it is a Mann-Whitney U test (that of Google Benchmark's own compare.py),
and a difference must also hold when both are divided by their own pace, the median over all
benchmarks; be 1.5 times the spread of all these differences (their scaled median absolute
deviation); and larger than that between the halves of either run. The first two need eight
benchmarks or more.
"""
import argparse
import json
import math
import sys
import warnings

import runs

TOOLS = "/usr/share/benchmark"  # where libbenchmark-tools has its modules
P_MAX = 0.01
EFFECT_MIN = math.log(1.05)
RESAMPLES = 999
PACE_NEEDS = 8
SPREADS = 1.5
WAITS_FOR_RCU = ("detach", "teardown", "setup", "cycle", "prepare", "fork")

try:
    import numpy
    from scipy import stats
    sys.path.append(TOOLS)
    from gbench.report import calc_utest
except ImportError as missing:
    runs.fail(f"{missing}: it takes SciPy and libbenchmark-tools (ci/install bench)", 4)


def columns(name):
    """(column of the rows, does it decide?)"""
    found = runs.fields(name)
    waits = found["part"] in WAITS_FOR_RCU
    # A thread's setup waits for nothing where there is no detach, or where it does not wait.
    if found["part"] == "setup" and found.get("mode") == "thread":
        waits = found["strategy"] not in ("template", "chroot", "chroot+mnt", "move-chroot")
    return (("wall_us_p10", not waits), ("cpu_us_p10", True))


class Comparison:
    """One column of one benchmark, in both runs. Differences are of logarithms."""

    def __init__(self, name, column, decides, a, b, paired):
        self.name, self.column, self.decides, self.paired = name, column, decides, paired
        self.a, self.b = numpy.asarray(a, float), numpy.asarray(b, float)
        self.logs = [numpy.log(numpy.maximum(values, 1e-9)) for values in (self.a, self.b)]
        self.log = self.difference(*self.logs)
        self.ratio = math.exp(self.log)
        self.p = self.low = self.high = math.nan

    def difference(self, a, b, axis=-1):
        """Of the medians, or the median of the pairs'."""
        if self.paired:
            return numpy.median(b - a, axis=axis)
        return numpy.median(b, axis=axis) - numpy.median(a, axis=axis)

    def test(self, pace):
        a, b = self.logs
        if min(len(a), len(b)) < 2 or min(self.a.min(), self.b.min()) <= 0:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # all values are the same: no interval, and says so
            if not self.paired:
                self.p = float(max(calc_utest((a, b), (a + pace, b))[1:]))
            else:
                self.p = float(stats.wilcoxon(b - a).pvalue) if (a != b).any() else 1.0
            found = stats.bootstrap((a, b), self.difference, vectorized=True, paired=self.paired,
                                    n_resamples=RESAMPLES, confidence_level=0.99,
                                    method="percentile", random_state=1).confidence_interval
        self.low, self.high = math.exp(found.low), math.exp(found.high)

    def more_than_the_machine(self, pace, spread):
        if self.paired:
            return True
        halves = max(abs(numpy.median(values[:len(values) // 2]) -
                         numpy.median(values[len(values) // 2:])) for values in self.logs)
        at_pace = self.log - pace
        return (not self.low <= math.exp(pace) <= self.high and at_pace * self.log > 0 and
                abs(at_pace) >= max(EFFECT_MIN, SPREADS * spread) and abs(self.log) > halves)

    def verdict_at(self, pace, spread):
        if abs(self.log) < EFFECT_MIN and not math.isnan(self.p):
            return "same"
        if (self.p < P_MAX and not self.low <= 1 <= self.high and
                self.more_than_the_machine(pace, spread)):
            return "slower" if self.log > 0 else "faster"
        return "too noisy"


def adjust(comparisons):
    """Each p becomes the share of chance among all that are as small (Benjamini and Hochberg)."""
    ordered = sorted((one for one in comparisons if not math.isnan(one.p)), key=lambda one: -one.p)
    least = 1.0
    for rank, one in zip(range(len(ordered), 0, -1), ordered):
        least = one.p = min(least, one.p * len(ordered) / rank)


def compare(run_a, run_b):
    """(comparisons, pace, names that only one of the runs has)"""
    rows_a, rows_b = runs.repetitions(run_a), runs.repetitions(run_b)
    begun = [run.get("context", {}).get("baseline_begun") for run in (run_a, run_b)]
    paired = begun[0] is not None and begun[0] == begun[1]
    comparisons = []
    for name in (each for each in rows_a if each in rows_b):
        pair = [rows_a[name], rows_b[name]]
        if paired:  # a setting that failed once has a round less
            by_round = [{row["repetition_index"]: row for row in rows} for rows in pair]
            common = [index for index in by_round[0] if index in by_round[1]]
            pair = [[rows[index] for index in common] for rows in by_round]
        comparisons += [
            Comparison(name, column, decides, *([row[column] for row in rows] for rows in pair),
                       paired)
            for column, decides in columns(name)
            if pair[0] and all(column in row for row in pair[0] + pair[1])]
    logs = [one.log for one in comparisons if one.decides]
    pace = spread = 0.0
    if len(logs) >= PACE_NEEDS:
        pace = float(numpy.median(logs))
        spread = float(stats.median_abs_deviation(logs, scale="normal"))
    for one in comparisons:
        one.test(pace)
    adjust([one for one in comparisons if one.decides])
    for one in comparisons:
        one.verdict = one.verdict_at(pace, spread)
    return comparisons, pace, sorted(set(rows_a) ^ set(rows_b))


def show(comparisons, pace, missing, everything):
    deciding = [one for one in comparisons if one.decides]
    others = [one for one in comparisons if not one.decides]
    for one in sorted(deciding, key=lambda each: -abs(each.log)):
        if everything or one.verdict in ("faster", "slower"):
            print(f"{one.verdict:9} {one.ratio:6.2f} [{one.low:.2f}, {one.high:.2f}] "
                  f"p={one.p:.4f}  {one.column} {numpy.median(one.a):.1f} -> "
                  f"{numpy.median(one.b):.1f}  {one.name}")
    for one in others if everything else ():
        a, b = ("/".join(f"{value:.1f}" for value in numpy.percentile(values, (25, 50, 75)))
                for values in (one.a, one.b))
        print(f"wall      {one.ratio:6.2f}  quartiles {a} -> {b} us  {one.name}")
    for name in missing:
        print(f"only in one of the runs: {name}")
    counts = [f"{sum(one.verdict == verdict for one in deciding)} {verdict}"
              for verdict in ("faster", "slower", "same", "too noisy")]
    print(f"pace: B needs {math.exp(pace):.2f} times A's time in the median of all")
    print(f"{len(deciding)} compared: {', '.join(counts)}; {len(others)} more wait for RCU and "
          f"have no verdict{'' if everything else ' (--verbose shows all)'}")


def main():
    parser = argparse.ArgumentParser(prog="ci/bench compare",
                                     description="Did anything get slower from A to B?")
    parser.add_argument("a", metavar="A.json")
    parser.add_argument("b", metavar="B.json")
    parser.add_argument("--html", metavar="FILE", help="the ratios as a heat map")
    parser.add_argument("--json", action="store_true", help="one object for each comparison")
    parser.add_argument("--verbose", action="store_true", help="every benchmark")
    arguments = parser.parse_args()
    run_a, run_b = runs.load(arguments.a), runs.load(arguments.b)
    comparisons, pace, missing = compare(run_a, run_b)
    if not comparisons:
        runs.fail("the two runs have no benchmark in common")
    if arguments.html:
        import results
        runs.write_whole(arguments.html, results.comparison_page(run_a, run_b, comparisons))
    if arguments.json:
        keys = ("name", "column", "decides", "ratio", "low", "high", "p", "verdict")
        print(json.dumps([{key: getattr(one, key) for key in keys} for one in comparisons],
                         indent=1))
    else:
        show(comparisons, pace, missing, arguments.verbose)
    return int(any(one.decides and one.verdict == "slower" for one in comparisons))


if __name__ == "__main__":
    sys.exit(main())

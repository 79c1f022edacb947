#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py: `ci/bench compare A.json B.json`: what became slower or faster from A to B.

Of each round one figure counts: the tenth percentile of its cycles, which is the one that the rest
of the machine disturbed least (on a loaded machine it varies a third as much as the median). Of
these, for each benchmark: the ratio B/A of the medians, a bootstrapped 99 % confidence interval of
that ratio, and a Mann-Whitney U test (all by SciPy).

    faster, slower   p < 0.01, and the medians are 5 % or more apart, and the difference stands
                     above what the machine did by itself (below)
    same             the medians are less than 5 % apart
    too noisy        they are further apart, but the rest is not fulfilled

What decides is the processor time, and the wall time of the parts that do not wait for RCU. Detach,
teardown, whole cycles, and whatever contains them wait for it: their wall time depends on what the
rest of the machine does, and is shown with its quartiles instead of a verdict.

What the machine did by itself. Two runs are minutes apart, and a machine that others use changes
its pace in between, as a frequency or a neighbour on the same core does. So a difference has to
hold as well when both runs are divided by their own pace, the median over all benchmarks that both
have; it has to stand out from what all of these differ by (1.5 times their spread, the scaled
median absolute deviation); and to be larger than what a benchmark differs from itself, in the first
and the second half of its own run. The first two are left out where fewer than eight tell the
pace.
"""
import argparse
import json
import math
import sys
import warnings

import names

P_MAX = 0.01
EFFECT_MIN = 0.05
RESAMPLES = 999
PACE_NEEDS = 8
SPREADS = 1.5
WAITS_FOR_RCU = ("detach", "teardown", "setup", "cycle", "prepare", "carrier")


def columns(name):
    """(column of the rows, does it decide?)"""
    found = names.fields(name)
    if found["family"] == "harness":
        return (("cpu_time", True),)
    waits = found["part"] in WAITS_FOR_RCU
    # A thread's setup without detach waits for nothing: these two have none.
    if found["part"] == "setup" and found.get("carrier") == "thread":
        waits = found["strategy"] not in ("template", "chroot", "chroot+mnt", "move-chroot")
    return (("wall_us_p10", not waits), ("cpu_us_p10", True))


def log_ratio(first, second):
    return math.log(max(second, 1e-9) / max(first, 1e-9))


class Comparison:
    """One column of one benchmark, in both runs."""

    def __init__(self, name, column, decides, a, b):
        import numpy
        self.name, self.column, self.decides = name, column, decides
        self.a, self.b = numpy.asarray(a, float), numpy.asarray(b, float)
        self.median_a, self.median_b = float(numpy.median(self.a)), float(numpy.median(self.b))
        self.log = log_ratio(self.median_a, self.median_b)
        self.ratio = math.exp(self.log)
        self.p = math.nan
        self.low = self.high = math.nan
        self.verdict = "too noisy"

    def own_drift(self):
        """How far the halves of either run are apart."""
        import numpy
        drifts = []
        for values in (self.a, self.b):
            half = len(values) // 2
            drifts.append(abs(log_ratio(float(numpy.median(values[:half])),
                                        float(numpy.median(values[half:])))))
        return max(drifts)

    def interval(self):
        import numpy
        from scipy import stats

        def ratio(one, other, axis=-1):
            return numpy.median(other, axis=axis) / numpy.median(one, axis=axis)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # all values are the same: no interval, and says so
            result = stats.bootstrap((self.a, self.b), ratio, vectorized=True, paired=False,
                                     n_resamples=RESAMPLES, confidence_level=0.99,
                                     method="percentile", random_state=1)
        self.low = float(result.confidence_interval.low)
        self.high = float(result.confidence_interval.high)

    def judge(self, pace, spread):
        from scipy import stats
        if min(len(self.a), len(self.b)) < 2 or min(self.median_a, self.median_b) <= 0:
            return
        self.p = max(float(stats.mannwhitneyu(self.a * factor, self.b).pvalue)
                     for factor in (1, math.exp(pace)))
        self.interval()
        least = math.log1p(EFFECT_MIN)
        if abs(self.log) < least:
            self.verdict = "same"
            return
        at_pace = self.log - pace
        stands = (self.p < P_MAX and not self.low <= 1 <= self.high and
                  not self.low <= math.exp(pace) <= self.high and
                  at_pace * self.log > 0 and abs(at_pace) >= max(least, SPREADS * spread) and
                  abs(self.log) > self.own_drift())
        if stands:
            self.verdict = "slower" if self.log > 0 else "faster"


def compare(run_a, run_b):
    import numpy
    from scipy import stats
    rows_a, rows_b = names.repetitions(run_a), names.repetitions(run_b)
    comparisons = []
    for name, a in rows_a.items():
        for column, decides in columns(name):
            if all(column in row for row in a + rows_b.get(name, [{}])):
                comparisons.append(Comparison(name, column, decides, [row[column] for row in a],
                                              [row[column] for row in rows_b[name]]))
    told = [one.log for one in comparisons if one.decides]
    pace = spread = 0.0
    if len(told) >= PACE_NEEDS:
        pace = float(numpy.median(told))
        spread = float(stats.median_abs_deviation(told, scale="normal"))
    for one in comparisons:
        one.judge(pace, spread)
    missing = sorted(set(rows_a) ^ set(rows_b))
    return comparisons, pace, missing


def quartiles(values):
    import numpy
    return "/".join(f"{value:.1f}" for value in numpy.percentile(values, (25, 50, 75)))


def tell(comparisons, pace, missing, everything):
    deciding = [one for one in comparisons if one.decides]
    counts = {verdict: sum(one.verdict == verdict for one in deciding)
              for verdict in ("faster", "slower", "same", "too noisy")}
    for one in sorted(deciding, key=lambda each: -abs(each.log)):
        if everything or one.verdict in ("faster", "slower"):
            print(f"{one.verdict:9} {one.ratio:6.2f} [{one.low:.2f}, {one.high:.2f}] "
                  f"p={one.p:.4f}  {one.column} {one.median_a:.1f} -> {one.median_b:.1f}  "
                  f"{one.name}")
    others = [one for one in comparisons if not one.decides]
    if everything:
        for one in others:
            print(f"wall      {one.ratio:6.2f}  quartiles {quartiles(one.a)} -> "
                  f"{quartiles(one.b)} us  {one.name}")
    for name in missing:
        print(f"only in one of the runs: {name}")
    print(f"pace: B needs {math.exp(pace):.2f} times A's time in the median of all")
    print(f"{len(deciding)} compared: " + ", ".join(f"{n} {v}" for v, n in counts.items()) +
          f"; {len(others)} more wait for RCU and have no verdict" +
          ("" if everything else " (--verbose shows all)"))
    return counts


def main():
    parser = argparse.ArgumentParser(prog="ci/bench compare",
                                     description="Did anything get slower from A to B?")
    parser.add_argument("a", metavar="A.json")
    parser.add_argument("b", metavar="B.json")
    parser.add_argument("--html", metavar="FILE", help="the ratios as a heat map")
    parser.add_argument("--json", action="store_true", help="one object for each comparison")
    parser.add_argument("--verbose", action="store_true", help="every benchmark")
    arguments = parser.parse_args()
    run_a, run_b = names.load(arguments.a), names.load(arguments.b)
    comparisons, pace, missing = compare(run_a, run_b)
    if not comparisons:
        names.fail("the two runs have no benchmark in common")
    if arguments.html:
        import report
        names.write_whole(arguments.html, report.comparison_page(run_a, run_b, comparisons))
    if arguments.json:
        print(json.dumps([{"name": one.name, "column": one.column, "decides": one.decides,
                           "ratio": one.ratio, "low": one.low, "high": one.high, "p": one.p,
                           "verdict": one.verdict} for one in comparisons], indent=1))
        slower = any(one.decides and one.verdict == "slower" for one in comparisons)
    else:
        slower = tell(comparisons, pace, missing, arguments.verbose)["slower"] > 0
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())

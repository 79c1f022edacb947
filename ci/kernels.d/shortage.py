# SPDX-License-Identifier: Apache-2.0
"""shortage.py: `ci/kernels shortage`: each operation while what it needs runs out.

    ci/kernels shortage                            6.12, every operation from every layout
    ci/kernels shortage --source 7.3 --exhaust '--alphabet propagation --depth 2 two-peers'
    ci/kernels shortage --image linux --lack mounts        a kernel of one's own

A kernel that can fail allocations is built (variant `leaks`) and booted as user-mode Linux. In it
`pivotcheck shortage` takes the scenarios of `pivotcheck exhaust`: each allocation of each step fails
in turn, then descriptors run out, then mounts. Whatever the step answers, the state must be the new
one or the old one, the kernel must not warn, and once the worlds have ended it must have as many
mounts, namespaces and the like as before. At the end kmemleak looks for memory that nothing points
to; where it finds any, halves of the scenarios are run in guests of their own until it is known which
one it was.

Printed: a table of the operations for each thing that runs out, and each finding with its scenario.
Exit status: 0 nothing was found; 1 something was; 3 a guest did not come to its end; 4 something is
missing."""
import json
import os
import shlex
import subprocess

import build
import guest
from archive import complain

SECONDS_MAX = int(os.environ.get("SECONDS_MAX", 3600))  # of one guest
LACKS = ("allocations", "descriptors", "mounts")
OPTIONS = "slab_nomerge kmemleak=on"  # a cache for each kind of object

# kmemleak tells of what is older than five seconds; what it tells of booting is put aside. Its own
# allocations do not fail.
FAILING = """cd /sys/kernel/debug/failslab
echo N >ignore-gfp-wait; echo 0 >verbose; echo Y >cache-filter
for each in /sys/kernel/slab/*/failslab; do
  case $each in *kmemleak*) ;; *) echo 1 >"$each" ;; esac
done
cd /
"""
SCRIPT = "mount -t debugfs none /sys/kernel/debug\n" + FAILING + """cd /sys/kernel/debug
if [ -e kmemleak ]; then
  sleep 6; echo scan >kmemleak; sleep 1; echo scan >kmemleak; echo clear >kmemleak
fi
pivotcheck shortage --lack {lack} --count-objects --json </scenarios
if [ -e kmemleak ]; then
  echo scan >kmemleak; sleep 6; echo scan >kmemleak; sleep 1; echo scan >kmemleak
  echo "kmemleak:"; cat kmemleak; echo "end of kmemleak"
fi"""
LEAKS_SHOWN = 5


class Run:
    """Of some scenarios in one guest."""

    def __init__(self, image, lack, lines):
        out, self.ended = guest.run_script(image, SCRIPT.format(lack=lack), SECONDS_MAX,
                                           {"scenarios": "\n".join(lines) + "\n"}, OPTIONS)
        said = guest.objects_in(out)
        self.findings = [each for each in said if "finding" in each]
        self.failures = [each for each in said if "failure" in each]
        self.summary = next((each for each in said if "operations" in each), None)
        self.leaks = out.partition("kmemleak:\n")[2].partition("end of kmemleak")[0].strip()
        self.watched_by_kmemleak = "end of kmemleak" in out


def who_leaks(image, lack, lines):
    """(the line whose scenario leaks when it is run alone, what kmemleak says); None where no half
    does it again."""
    while True:
        halves = [lines] if len(lines) == 1 else [lines[::2], lines[1::2]]
        for half in halves:
            leaks = Run(image, lack, half).leaks
            if leaks:
                break
        else:
            return None
        if len(half) == 1:
            return half[0], leaks
        lines = half


def scenarios(options):
    command = [guest.pivotcheck_path(), "exhaust", "--print", *shlex.split(options.exhaust)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)
    return printed.stdout.splitlines()


def print_table(lack, summary):
    print(f"\n{lack:18} {'steps':>7} {'tries':>9} {'refused':>9} {'succeeded':>9}  with")
    for name, counts in summary["operations"].items():
        errors = ", ".join(f"{error} {count}" for error, count in counts["errors"].items())
        print(f"{name:18} {counts['steps']:>7} {counts['tries']:>9} {counts['refused']:>9} "
              f"{counts['succeeded']:>9}  {errors}")
    print("not asked:", ", ".join(f"{count} ({why})"
                                  for why, count in summary["not_asked"].items()))
    print("counted:", " ".join(summary["counted"]), flush=True)


def print_finding(finding):
    number = f", number {finding['number']}" if "number" in finding else ""
    print(f"\n# {finding['lack']}{number}: {finding['reason']}")
    for difference in finding.get("differences", []):
        print(f"#   {difference}")
    print(finding["scenario"], flush=True)


def shortage(options):
    image = options.image
    if not image:
        build.need_tools()
        image = build.Build(options.source, "um", "leaks", options.jobs).image()
    lines = scenarios(options)
    worst = 0
    for lack in options.lack or LACKS:
        run = Run(image, lack, lines)
        if run.summary is None:
            complain(f"{lack}: the guest did not come to its end; the end of its log:")
            print("\n".join(guest.last_lines(run.ended.log)))
            worst = 3
            continue
        print_table(lack, run.summary)
        for finding in run.findings:
            print_finding(finding)
        for failure in run.failures:
            complain(f"{failure['reason']}: {json.dumps(failure)}")
        if not run.watched_by_kmemleak:
            print("kmemleak did not run: the kernel has none")
        if run.leaks:
            found = who_leaks(image, lack, lines)
            text = found[1] if found else run.leaks
            again = "" if found else " (no part of the scenarios does it again)"
            print(f"\n# {lack}: kmemleak{again}")
            print("\n".join(text.splitlines()[:20 * LEAKS_SHOWN]))
            if found:
                print(json.loads(found[0])["scenario"])
        bad = run.findings or run.leaks or run.summary["findings"]
        worst = max(worst, 3 if run.failures else 1 if bad else 0)
    return worst

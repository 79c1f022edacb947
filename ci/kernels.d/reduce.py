# SPDX-License-Identifier: Apache-2.0
"""reduce.py: from a scenario that shows something to a smaller one that still does.

Where model and kernel disagree, `pivotcheck minimize` does it in one guest. What takes a guest down
can only be tried from outside: steps are left out, many at a time and then one by one; each
candidate that takes the guest down costs a boot, the others are asked one after the other in the
same guest."""
import tempfile
from argparse import Namespace
from pathlib import Path

import guest
import matrix
from archive import image_of
from changes import ASKED

HEADERS = ("title:", "about:", "privilege:", "kernel:", "trait:")
CANDIDATES_MAX = 200
SECONDS_MAX = 900


def steps_of(scenario):
    """(header lines, steps) without comments and blank lines."""
    lines = [line for line in scenario.splitlines() if line.strip() and line.strip()[0] != "#"]
    headers = [line for line in lines if line.split()[0] in HEADERS]
    return headers, [line for line in lines if line not in headers]


def smaller(scenario, shows):
    """`shows(text)` says whether a text still shows it; one that is no scenario does not."""
    headers, steps = steps_of(scenario)
    headers = [line for line in headers if line.startswith("privilege:")]
    steps = [line.split(" => ")[0] for line in steps]

    def text(some):
        return "\n".join([*headers, *some]) + "\n"
    if not shows(text(steps)):
        return scenario
    left, size = CANDIDATES_MAX, len(steps) // 2
    while size > 0 and left > 0:
        removed = False
        for end in range(len(steps), 0, -size):
            candidate = steps[:max(0, end - size)] + steps[end:]
            left -= 1
            if left > 0 and candidate != steps and shows(text(candidate)):
                steps, removed = candidate, True
        size = size if removed and size == 1 else size // 2
    return text(steps)


def by_the_command(kernel, scenario):
    """`pivotcheck minimize` in a guest: the smaller scenario, as it prints it."""
    image = image_of(kernel)
    with_kvm = guest.accelerator(image)[0] == "kvm"
    files = {"case.scn": (scenario.encode(), 0o644)}
    with guest.Guest(image, "pivotcheck minimize case.scn </dev/null", files, with_kvm) as session:
        out = session.everything(SECONDS_MAX).decode(errors="replace")
        return out if session.status == 1 else scenario


class Victim:
    """Guests that are asked one candidate after the other, until one goes down."""

    def __init__(self, kernel, wanted, on_begin=None, case_seconds=60):
        self.kernel, self.wanted = kernel, wanted
        self.options = Namespace(**{**ASKED, "on_begin": on_begin, "case_seconds": case_seconds})

    def shows(self, scenario):
        """In a guest of its own, so that nothing before it has a part in it."""
        with tempfile.TemporaryDirectory(prefix="reduce.") as folder:
            case = {"name": "candidate", "scenario": scenario}
            run = matrix.KernelRun(self.kernel, [case], self.options, Path(folder)).run()
        if not run.results:
            return False
        result = run.results[0]
        kind = "warned" if result.get("warnings") else result["result"]
        return kind == self.wanted


def in_guest(one):
    """Makes the scenario of a new difference (compare.py) smaller, where it shows again."""
    kind = one["name"].split(":")[0]
    if kind in ("disagree", "broken-law", "unmet"):
        one["scenario"] = by_the_command(one["kernel"], one["scenario"])
    else:
        one["scenario"] = smaller(one["scenario"], Victim(one["kernel"], kind).shows)

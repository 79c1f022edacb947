# SPDX-License-Identifier: Apache-2.0
"""reduce.py: from a scenario that shows something to a smaller one that still does.

Where model and kernel disagree, `pivotcheck minimize` does it in one guest. What takes a guest down
can only be tried from outside: steps are left out, many at a time and then one by one; each
candidate that takes the guest down costs a boot, the others are asked one after the other in the
same guest."""
from argparse import Namespace
from pathlib import Path

import guest
import matrix
from archive import HOST, image_of
from changes import ASKED

HEADERS = ("title:", "about:", "privilege:", "kernel:", "trait:")
CANDIDATES_MAX = 200
SECONDS_MAX = 900


def steps_of(scenario):
    """(header lines, steps) without comments and blank lines."""
    lines = [line for line in scenario.splitlines() if line.strip() and line.strip()[0] != "#"]
    headers = [line for line in lines if line.split()[0] in HEADERS]
    return headers, [line for line in lines if line not in headers]


def bare(scenario):
    """Its world and its steps."""
    headers, steps = steps_of(scenario)
    headers = [line for line in headers if line.startswith("privilege:")]
    return "\n".join([*headers, *(line.split(" => ")[0] for line in steps)]) + "\n"


def smaller(scenario, shows):
    """`shows(text)` says whether a text still shows it; one that is no scenario does not."""
    headers, steps = steps_of(bare(scenario))

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
    if kernel == HOST:
        made = matrix.pivotcheck("minimize", "-", input=scenario)
        return made.stdout if made.returncode == 1 else scenario
    image = image_of(kernel)
    accelerated_by, _ = guest.accelerator(image)
    files = {"case.scn": (scenario.encode(), 0o644)}
    command = "pivotcheck minimize case.scn </dev/null"
    with guest.start(image, command, files, accelerated_by) as session:
        out = session.everything(SECONDS_MAX).decode(errors="replace")
        return out if session.status == 1 else scenario


class Victim:
    """A kernel that is asked one candidate after the other, and booted again when one takes it
    down. `header` says how the kernel was asked when it did (matrix.py)."""

    def __init__(self, header, wanted):
        self.wanted = wanted
        asked = {key: header[key] for key in ASKED if key in header}
        self.run = matrix.KernelRun(header["kernel"], [], Namespace(**{**ASKED, **asked}), Path())
        self.session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.session:
            self.session.__exit__()
        self.session = None

    def answer(self, scenario):
        """"warned", "panicked", ..., or what `run --json` calls it."""
        if not self.session:
            self.session = self.run.session()
            if self.session.next_line(guest.BOOT_SECONDS) is None:
                return "did not come up"
        self.session.send(matrix.lines_of([{"name": "candidate", "scenario": scenario}]))
        while line := self.session.next_line(self.run.options.case_seconds):
            said = matrix.json.loads(line)
            if "result" in said:
                return "warned" if said.get("warnings") else said["result"]
        return matrix.how_it_went(self.session)

    def shows(self, scenario):
        kind = self.answer(scenario)
        if kind not in ("agree", "unmet", "skipped", "invalid"):
            self.end()  # nothing of it may have a part in the next one
        return kind == self.wanted

    def smaller(self, scenario):
        """The whole is shown, and so is what is left, by a kernel that was asked nothing before."""
        found = smaller(scenario, self.shows)
        self.end()
        return found if self.shows(found) else scenario


def in_guest(one):
    """Makes the scenario of a new difference (compare.py) smaller, where it shows again."""
    kind = one["name"].split(":")[0]
    if kind in ("disagree", "broken-law"):  # whatever it states, for whichever kernels
        one["scenario"] = bare(one["scenario"])
    if kind in ("disagree", "broken-law", "unmet"):
        one["scenario"] = by_the_command(one["header"]["kernel"], one["scenario"])
    else:
        with Victim(one["header"], kind) as victim:
            one["scenario"] = victim.smaller(one["scenario"])

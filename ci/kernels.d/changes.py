# SPDX-License-Identifier: Apache-2.0
"""changes.py: `ci/kernels bisect SCENARIO`: from which kernel on is it answered otherwise?

Mends are backported, so there is no single first bad kernel: each stable line is followed by
itself, and its first kernel here is compared with the first of the line before.

    corpus/findings/umount-takes-a-busy-copy.scn
      a  ok
      b  step 12 EBUSY                                    keeps the contract
    6.1    a .170 .192
    6.12   a .43 .100    b .117
    ...
    6.12: b instead of a between 6.12.100 and 6.12.117
    7.2: b instead of a between 7.2.9 and 7.2.11
    from 7.2 to 7.3: b instead of a (7.2.9, 7.3.4)

`bisect --build COMMAND SCENARIO` is for `git bisect run`, started in a kernel's source: it builds
an image, boots it, and ends with 0 where the kernel answers as the model does (--model, the
contract if nothing is said), 1 where it does not, 125 where nothing can be told, because the image
cannot be built or does not come up."""
import string
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import matrix
from archive import HOST, Unavailable, complain, release_key, stable_line
from results import short_release

GOOD, BAD, CANNOT_TELL = 0, 1, 125
ASKED = dict(user="root", on_begin=None, case_seconds=60, model="running")


def readable(result):
    """What a kernel answered, as text that is the same for the same answer."""
    if result["result"] in ("panicked", "hung", "ended", "failed", "skipped", "invalid"):
        return f"{result['result']}: {result.get('reason', '')}"
    refused = [f"step {step} {error.split()[0]}" for step, error in result["refused"].items()]
    text = ", ".join(refused) or "ok"
    if result["result"] == "disagree":
        text += f" (its model disagrees at step {result['step']})"
    return f"{text}, state {result.get('state', 'unseen')}"


def contract_answer(case):
    """As readable() has it."""
    made = matrix.pivotcheck("predict", "--model", "contract", input=matrix.lines_of([case]))
    said = matrix.json.loads(made.stdout)
    return readable({"result": "agree", **said})


def answers_to(cases, kernels, jobs):
    """{name of a case: {kernel: answer}}, oldest kernel first; what could not be asked is said."""
    answers = {case["name"]: {} for case in cases}
    with tempfile.TemporaryDirectory(prefix="bisect.") as folder:
        options = Namespace(**ASKED, jobs=jobs)
        for run in matrix.run_all(kernels, cases, options, Path(folder)):
            is_host = run.kernel == HOST and run.header
            name = short_release(run.header["release"]) if is_host else run.kernel
            for result in run.results:
                answers[result["name"]][name] = readable(result)
            if run.not_run:
                complain(f"{run.kernel}: {run.not_run} NOT ASKED: {run.why_not_done}")
    return {name: dict(sorted(of_case.items(), key=lambda pair: release_key(pair[0])))
            for name, of_case in answers.items()}


def changes_of(answers):
    """Lines of text: along each stable line, then from a line's first kernel to the next one's."""
    lines = {}
    for kernel in answers:
        lines.setdefault(stable_line(kernel), []).append(kernel)
    found = []
    for line, kernels in lines.items():
        for old, new in zip(kernels, kernels[1:]):
            if answers[old] != answers[new]:
                found.append(f"{line}: {answers[new]} instead of {answers[old]} "
                             f"between {old} and {new}")
    firsts = [(line, kernels[0]) for line, kernels in lines.items()]
    for (line, old), (next_line, new) in zip(firsts, firsts[1:]):
        if answers[old] != answers[new]:
            found.append(f"from {line} to {next_line}: {answers[new]} instead of {answers[old]} "
                         f"({old}, {new})")
    return found


def lettered(answers, contract):
    """(the same with a letter for each answer, lines that say what each letter means)"""
    letters, legend = {}, []
    for answer in answers.values():
        if answer not in letters:
            letters[answer] = string.ascii_letters[len(letters)]
            keeps = "   keeps the contract" if answer == contract else ""
            legend.append(f"  {letters[answer]}  {answer}{keeps}")
    return {kernel: letters[answer] for kernel, answer in answers.items()}, legend


def table(answers):
    rows = []
    for line in dict.fromkeys(map(stable_line, answers)):
        row, last = f"{line:<6}", None
        for kernel, letter in answers.items():
            if stable_line(kernel) == line:
                row += f"{'' if letter == last else '  ' + letter} .{kernel.split('.')[-1]}"
                last = letter
        rows.append(row)
    return rows


def bisect(options):
    """Several scenarios take one boot of each kernel, too."""
    cases = matrix.scenario_cases(options.scenario)
    answers = answers_to(cases, matrix.kernels_of(options.kernels), options.jobs)
    for case in cases:
        letters, legend = lettered(answers[case["name"]], contract_answer(case))
        print("\n".join([case["name"], *legend, *table(letters)]))
        print("\n".join(changes_of(letters)) or "no kernel answers otherwise")
    return 0 if all(answers.values()) else 4


def build_and_ask(options):
    [case] = matrix.scenario_cases(options.scenario)
    if subprocess.run(options.build, shell=True, stdout=sys.stderr).returncode != 0:
        complain("it cannot be built")
        return CANNOT_TELL
    with tempfile.TemporaryDirectory(prefix="bisect.") as folder:
        asked = Namespace(**{**ASKED, "model": options.model})
        try:
            run = matrix.KernelRun(str(Path(options.image).absolute()), [case], asked,
                                   Path(folder)).run()
        except Unavailable as missing:
            complain(missing)
            return CANNOT_TELL
    if not run.results or run.results[0]["result"] in ("failed", "skipped", "invalid"):
        complain(run.why_not_done or run.results[0].get("reason", "no answer"))
        return CANNOT_TELL
    print(readable(run.results[0]))
    return GOOD if run.results[0]["result"] == "agree" else BAD

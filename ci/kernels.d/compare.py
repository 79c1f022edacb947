# SPDX-License-Identifier: Apache-2.0
"""compare.py: `ci/kernels compare [RESULTS...]`: what kernels answer differently, each thing once.

A kernel that agrees with its own model answers as that model predicts. So a difference between two
such kernels is one between two models, and those differ in traits (core/model/traits.h) and nothing
else:

    6.12.100 answers ok    its model:  umount_takes_busy_copies=on   and 9 other traits
    6.12.117 answers EBUSY its model:  umount_takes_busy_copies=off  and the same 9
                                       `--> the difference is that trait; no guest has to be asked

Kernels are compared with the next one of the list. Of the traits in which the two differ, the
smallest set that explains the other answer names the difference; the shortest scenario that shows
it, of all that were run, is made shorter still by prediction. Which side keeps the contract is
asked of the model without any quirks, and of the laws. Such a difference is known: the trait says
it, and FINDINGS.md where it is a quirk.

New is what no model predicts: a disagreement of a kernel and its own model, a broken law, an
outcome that is stated and does not hold, a scenario that took a guest down or made it warn. Each is
reported once for all kernels; --minimize asks guests for a smaller scenario (reduce.py). Anything
new: exit status 1."""
import json
import re
import subprocess

import guest
import matrix
import reduce
import results
from archive import ROOT

INCIDENTS = ("panicked", "hung", "ended")
ANSWERED = ("agree", "unmet")
NUMBERS = re.compile(r"\b(0x)?[0-9a-f]*[0-9][0-9a-f]*\b")
EXAMPLES_MAX = 3  # scenarios that a new difference names


class Models:
    """`pivotcheck predict`, asked line by line; what was asked once is remembered."""

    def __init__(self):
        self.process = subprocess.Popen([guest.pivotcheck_path(), "predict", "--laws"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.known = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def answer(self, scenario, model):
        key = (scenario, model)
        if key not in self.known:
            line = json.dumps({"name": "", "scenario": scenario, "model": model})
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            self.known[key] = json.loads(self.process.stdout.readline())
        return self.known[key]


def outcome_of(said):
    """What is compared: which steps, which errno each, and the state."""
    refused = {step: error.split()[0] for step, error in said["refused"].items()}
    return said["steps"], tuple(refused.items()), said.get("state")


def differ(one, other):
    """A state that was not seen whole is not compared."""
    seen = one[2] is not None and other[2] is not None
    return one[:2] != other[:2] or (seen and one[2] != other[2])


def model_with(traits, changed):
    return results.model_of({**traits, **changed})


def explaining(models, scenario, old, new):
    """The smallest set of traits, as {name: the new kernel's}, that makes the old model answer as
    the new one; None if there is none."""
    wanted = outcome_of(models.answer(scenario, model_with(new, {})))
    changed = {name: on for name, on in new.items() if old.get(name) != on}

    def explains(traits):
        return outcome_of(models.answer(scenario, model_with(old, traits))) == wanted
    for name, on in changed.items():
        if explains({name: on}):
            return {name: on}
    if not explains(changed):
        return None
    for name in list(changed):
        fewer = {other: on for other, on in changed.items() if other != name}
        if explains(fewer):
            changed = fewer
    return changed or None


def findings_by_trait():
    """{trait: the title of its finding}"""
    found = {}
    for section in re.split(r"^## ", (ROOT / "FINDINGS.md").read_text(), flags=re.M)[1:]:
        quirk = re.search(r"\*\*Quirk:\*\* (.*?)(?:\n\n|\Z)", section, re.S)
        for trait in re.findall(r"`([a-z_]+)`", quirk[1] if quirk else ""):
            found[trait] = section.splitlines()[0]
    return found


def key_of(traits):
    return " and ".join(sorted(traits))


def known_differences(cases, kernels, models):
    """{key: [the traits, the old model's traits, the shortest scenario, how many show it]}"""
    found = {}
    for old, new in zip(kernels, kernels[1:]):
        old_traits, new_traits = old.header["traits"], new.header["traits"]
        if old_traits == new_traits:
            continue
        for name, scenario in cases.items():
            answers = [kernel.results.get(name) for kernel in (old, new)]
            if not all(each and each["result"] in ANSWERED for each in answers):
                continue
            if not differ(*map(outcome_of, answers)):
                continue
            traits = explaining(models, scenario, old_traits, new_traits)
            if not traits:
                continue
            entry = found.setdefault(key_of(traits), [traits, old_traits, scenario, set()])
            entry[3].add(name)
            if steps_in(scenario) < steps_in(entry[2]):
                entry[1:3] = [old_traits, scenario]
    return found


def steps_in(scenario):
    return len(reduce.steps_of(scenario)[1])


def first_difference(scenario, one, other):
    """The verb with both answers, or that only the states differ; None where nothing does."""
    for step in sorted({*one["refused"], *other["refused"]}, key=int):
        answers = one["refused"].get(step, "ok"), other["refused"].get(step, "ok")
        if answers[0] != answers[1]:
            return verb_at(scenario, int(step)), *answers
    return "state" if outcome_of(one) != outcome_of(other) else None


def described(said):
    """"step 6 EBUSY umount-propagation-busy", of all that was refused."""
    text = ", ".join(f"step {step} {error}" for step, error in said["refused"].items())
    return text or "ok"


def known_one(entry, kernels, models, titles):
    traits, base, scenario, names = entry
    other = {name: base.get(name) for name in traits}

    def shown_by(text):
        both = [models.answer(text, model_with(base, each)) for each in (other, traits)]
        return first_difference(text, *both) if "steps" in both[0] else None
    shown = shown_by(scenario)

    def shows(text):
        return shown_by(text) == shown
    scenario = reduce.smaller(scenario, shows)
    contract = outcome_of(models.answer(scenario, "contract"))
    sides = []
    for each in (other, traits):
        said = models.answer(scenario, model_with(base, each))
        doing = [kernel.name for kernel in kernels
                 if all(kernel.header["traits"].get(name) == on for name, on in each.items())]
        sides.append({"traits": each, "kernels": doing, "answer": described(said),
                      "state": said.get("state"), "law": said.get("law"),
                      "keeps_contract": outcome_of(said) == contract})
    finding = next((titles[name] for name in traits if name in titles), None)
    return {"known": True, "name": key_of(traits), "finding": finding, "scenarios": len(names),
            "scenario": scenario, "answers": sides}


# --- what is new

def verb_at(scenario, step):
    words = reduce.steps_of(scenario)[1][step - 1].split()
    return words[1] if words[0].endswith(":") else words[0]


def signature(result, scenario):
    """None for what is as it should be."""
    kind = result["result"]
    if result.get("warnings"):
        return "warned: " + NUMBERS.sub("N", result["warnings"][0].partition("] ")[2])
    if kind in INCIDENTS:
        return f"{kind}: {result['reason']}"
    if kind == "disagree":
        verb = verb_at(scenario, result["step"])
        if result.get("differences"):
            return f"disagree: {verb}: another state"
        rule = " ".join(filter(None, [result["model"], result.get("rule")]))
        return f"disagree: {verb}: the kernel answers {result['kernel']}, its model {rule}"
    if kind == "broken-law":
        return f"broken-law: {result['law']}"
    return f"unmet: {result['reason']}" if kind == "unmet" else None


def who_keeps_it(kernel, name, scenario, models):
    """Of a disagreement: "kernel", "model" or "neither" is as the contract, up to that step."""
    result = kernel.results[name]
    if result["result"] != "disagree":
        return None
    headers, steps = reduce.steps_of(scenario)
    until = "\n".join([*headers, *steps[:result["step"]]]) + "\n"
    contract = outcome_of(models.answer(until, "contract"))
    if not differ(outcome_of(result), contract):
        return "kernel"
    own = outcome_of(models.answer(until, kernel.model))
    return "neither" if differ(own, contract) else "model"


def new_differences(cases, kernels, models):
    """One for each signature, with the shortest scenario."""
    found = {}
    for kernel in kernels:
        for name, result in kernel.results.items():
            if name not in cases or not (about := signature(result, cases[name])):
                continue
            one = found.setdefault(about, {"known": False, "name": about, "kernels": {}})
            one["kernels"].setdefault(kernel.name, []).append(name)
    for one in found.values():
        names = {name for of_kernel in one["kernels"].values() for name in of_kernel}
        shortest = sorted(names, key=lambda name: (steps_in(cases[name]), name))
        one.update(scenarios=len(names), examples=shortest[:EXAMPLES_MAX],
                   scenario=cases[shortest[0]], header=next(
                       kernel.header for kernel in kernels
                       if shortest[0] in one["kernels"].get(kernel.name, ())))
        one["answers"] = [{"kernels": list(one.pop("kernels"))}]
        shown = next(kernel for kernel in kernels if kernel.header is one["header"])
        one["keeps_contract"] = who_keeps_it(shown, shortest[0], one["scenario"], models)
    return list(found.values())


def differences(cases, kernels, minimize=0):
    with Models() as models:
        titles = findings_by_trait()
        known = [known_one(entry, kernels, models, titles)
                 for _, entry in sorted(known_differences(cases, kernels, models).items())]
        new = new_differences(cases, kernels, models)
    for one in new[:minimize]:
        reduce.in_guest(one)
    for one in new:
        del one["header"]
    return known + new


def text_of(one):
    title = f"{'known' if one['known'] else 'NEW'}  {one['name']}  ({one['scenarios']} scenarios)"
    lines = [title]
    if one.get("finding"):
        lines.append(f"    FINDINGS.md: {one['finding']}")
    lines += ["        " + line for line in one["scenario"].rstrip().splitlines()]
    for side in one["answers"]:
        kernels = ", ".join(side["kernels"]) or "no kernel that was run"
        if not one["known"]:
            lines.append(f"    on {kernels}: {', '.join(one['examples'])}")
            if one["keeps_contract"]:
                lines.append(f"    as the contract says: {one['keeps_contract']}")
            continue
        told = "; keeps the contract" if side["keeps_contract"] else ""
        told += f"; breaks the law {side['law']}" if side["law"] else ""
        traits = ", ".join(f"{name} {'on' if on else 'off'}" for name, on in side["traits"].items())
        lines.append(f"    {kernels}\n        ({traits}) {side['answer']}{told}")
    return "\n".join(lines) + "\n"


def compare(options):
    cases, kernels = results.read(options.results or [matrix.RESULTS])
    found = differences(cases, kernels, options.minimize)
    if options.json:
        print(matrix.lines_of(found), end="")
    else:
        print("\n".join(map(text_of, found)))
        known = sum(one["known"] for one in found)
        unseen = sum(bool(result.get("state_unseen")) for kernel in kernels
                     for result in kernel.results.values())
        print(f"{len(cases)} scenarios, {len(kernels)} kernels: {known} known differences, "
              f"{len(found) - known} new; {unseen} states not seen whole, "
              f"{sum(kernel.not_run for kernel in kernels)} not run")
    if any(not one["known"] for one in found):
        return 1
    return 3 if any(kernel.not_run for kernel in kernels) else 0

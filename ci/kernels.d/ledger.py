# SPDX-License-Identifier: Apache-2.0
"""ledger.py: `ci/kernels ledger [RESULTS...]` writes which kernels do it into FINDINGS.md, from
runs.

Between two markers that name a scenario of corpus/findings and what shows the finding there:

    - **Which kernels:** <!-- ledger: unbindable-lost.scn namespace_copy_loses_unbindable=on -->
      6.17.13, 6.18.5 and 7.2.9. Not 6.1.170 and 7.3.4. ...
      <!-- end of ledger -->

`TRAIT=VALUE`: the kernel answers as its own model does with that trait so, and not as with the
other value. Where both models answer alike, the scenario shows nothing on that kernel (it may lack
a call that the scenario needs). `step-N=ANSWER`: at step N it answers that, ok or an errno; what
comes before step N is as it may be. `listmount_lost`: the key of that name in its answer.

A kernel stands there only if the scenario was run on it, now or before. Without folders of results,
the findings are run now, on each kernel of the list and on the running one."""
import json
import re
import textwrap
from argparse import Namespace
from pathlib import Path
import tempfile

import matrix
import results
from archive import ROOT, Unavailable, complain, release_key
from changes import ASKED

PAGE = ROOT / "FINDINGS.md"
MARKED = re.compile(r"^(?P<before> *[^\n]*)<!-- ledger: (?P<scenario>\S+) (?P<shown>\S+) -->\n"
                    r"(?P<text>.*?)^ *<!-- end of ledger -->", re.S | re.M)
SENTENCES = (("does", "{}."), ("does not", "Not {}."), ("otherwise", "Otherwise than either: {}."),
             ("nothing", "It shows nothing on {}."), ("not run", "Taken down by it: {}."))


def predicted(name, scenario, models):
    """{model: its answer}, as outcomes and state."""
    lines = [{"name": name, "scenario": scenario, "model": model} for model in models]
    made = matrix.pivotcheck("predict", input=matrix.lines_of(lines))
    if made.returncode != 0:
        raise Unavailable(f"pivotcheck predict: {made.stderr.strip()}")
    answers = [answer_of(json.loads(line)) for line in made.stdout.splitlines()]
    return dict(zip(models, answers))


def answer_of(said):
    refused = tuple((step, error.split()[0]) for step, error in said.get("refused", {}).items())
    return said.get("steps"), refused, said.get("state")


def same(kernel, model):
    """A state that was not seen whole is not compared."""
    return kernel[:2] == model[:2] and (kernel[2] is None or kernel[2] == model[2])


def kind_by_step(result, step, answer):
    """The kernel was not asked more than it answered."""
    if result["steps"] < int(step):
        return "nothing"
    said = result["refused"].get(step, "ok").split()[0]
    return "does" if said == answer else "does not"


def kind_on(kernel, name, scenario, shown):
    """A key of SENTENCES; None if it was not run there."""
    result = kernel.results.get(name)
    if result is None or result["result"] in ("failed", "skipped", "invalid"):
        return None
    if result["result"] in ("panicked", "hung", "ended"):
        return "not run"
    if "=" not in shown:
        if shown == "listmount_lost" and not kernel.header.get("listmount"):
            return "nothing"
        return "does" if result.get(shown) else "does not"
    if shown.startswith("step-"):
        return kind_by_step(result, *shown.removeprefix("step-").split("="))
    trait, value = shown.split("=")
    other = "off" if value == "on" else "on"
    having, lacking = (f"{kernel.model},{trait}={each}" for each in (value, other))
    by_model = predicted(name, scenario, [having, lacking])
    if by_model[having] == by_model[lacking]:
        return "nothing"
    if same(answer_of(result), by_model[having]):
        return "does"
    return "does not" if same(answer_of(result), by_model[lacking]) else "otherwise"


def listed(names):
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def sentences(kinds):
    """Of {kernel: kind}."""
    parts = []
    for kind, text in SENTENCES:
        names = [kernel for kernel, of_kernel in kinds.items() if of_kernel == kind]
        if names:
            parts.append(text.format(listed(names)))
    return " ".join(parts) or "None was tried."


def read_back(text):
    """{kernel: kind} of what sentences() wrote."""
    text, kinds = " ".join(text.split()), {}
    for kind, sentence in SENTENCES:
        start, end = map(re.escape, sentence.split("{}"))
        found = re.search(rf"(?:^|(?<=\. )){start}((?:\d[\d.]*\d(?:, | and )?)+){end}(?= |$)", text)
        for kernel in re.split(r", | and ", found[1]) if found else []:
            kinds[kernel] = kind
    return kinds


def written(page, kinds_of):
    """The page with all that is between markers written anew; `kinds_of(scenario, shown)`. A kernel
    that was not run now stays where it stands."""
    def write(found):
        kinds = {**read_back(found["text"]), **kinds_of(found["scenario"], found["shown"])}
        kinds = dict(sorted(kinds.items(), key=lambda pair: release_key(pair[0])))
        before = found["before"]
        indent = before[:len(before) - len(before.lstrip())]
        indent += "  " if before.lstrip().startswith("- ") else ""
        text = textwrap.fill(sentences(kinds), 100,
                             initial_indent=indent, subsequent_indent=indent)
        return f"{before}<!-- ledger: {found['scenario']} {found['shown']} -->\n" \
               f"{text}\n{indent}<!-- end of ledger -->"
    return MARKED.sub(write, page)


def ledger(options):
    path = Path(options.page)
    page = path.read_text()
    with tempfile.TemporaryDirectory(prefix="ledger.") as folder:
        folders = options.results or [folder]
        if not options.results:
            asked = {**ASKED, "cases": 0, "exhaust": "", "seed": 1, "privilege": "both", "shard": (1, 1),
                     "scenarios": [ROOT / "corpus/findings"], "results": folder, "kernels": "all",
                     "jobs": options.jobs}
            matrix.run(Namespace(**asked))
        cases, kernels = results.read(folders)

    def kinds_of(scenario, shown):
        name = f"corpus/findings/{scenario}"
        if name not in cases:
            raise Unavailable(f"{name} is not in the results")
        kinds = {kernel.name: kind_on(kernel, name, cases[name], shown) for kernel in kernels}
        return {kernel: kind for kernel, kind in kinds.items() if kind}

    new = written(page, kinds_of)
    if new == page:
        complain(f"{path.name} says so already")
    path.write_text(new)
    return 0

# SPDX-License-Identifier: Apache-2.0
"""planted.py: `ci/kernels planted`: are kernels that are wrong found out?

    ci/kernels planted                          each fault of ci/kernels.d/planted/6.12
    ci/kernels planted --source 7.3 move-locked pivot-lock-lost
    ci/kernels planted --variant kasan          those that only a kernel with KASAN tells of

    planted/6.12/NAME.patch         a fault of one line or two: a sentence that says what that kernel
                                    does; for a real one, which mend was taken out; then the diff
    planted/6.12/kasan/NAME.patch   of memory that is used after it was freed
    build/kernels/planted/6.12/     a copy of the source that is patched, what make made, the images

For each fault: a kernel with it is made, as user-mode Linux, and booted. A shell and a container must
work there, or the fault proves nothing. Then `explore` looks for it, with the traits of the clean
kernel: a probe would ask the faulty one, and believe it. A fault counts as found if the scenario,
minimized, shows it once more in a fresh guest with the fault and does not in one without; or if the
kernel died or warned, and the scenario that did it, minimized, does it again. All explore the same
cases, by one seed; `cases` is how many were run until it was found.

Exit status: 0 all were found; 1 some were not; 3 the clean kernel is not silent, a kernel was not made,
or ordinary use fails in one; 4 something is missing."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import threading
import time
from argparse import Namespace
from pathlib import Path

import build
import guest
import matrix
from archive import CACHE, ROOT, Unavailable, complain
from reduce import Victim, steps_of

PATCHES = ROOT / "ci/kernels.d/planted"
RESULTS = ROOT / "build/planted.results"
SECONDS_MAX = int(os.environ.get("SECONDS_MAX", 3600))  # of one guest
DEADLY_CASES = 2000  # at a time, each announced, of a kernel that dies or warns
JOBS = 4             # processes of explore in a guest: a case mostly waits for RCU

# A shell, and a container: namespaces, a new root, /proc.
ORDINARY_USE = """mkdir -p /c/bin /c/proc && cp /bin/busybox /c/bin/ &&
    pivotcheck switch --unshare pid --proc /proc /c -- /bin/busybox ls /proc/1 >/dev/null &&
    echo "ordinary use works"; """


class Fault:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.text = path.read_text()
        lines = self.text.splitlines()
        self.what = lines[0]
        self.put_back = lines[1] if lines[1] else None
        self.files = re.findall(r"^\+\+\+ b/(\S+)", self.text, re.M)


def faults_of(source, names, variant="plain"):
    folder = PATCHES / source / ("" if variant == "plain" else variant)
    known = {path.stem: path for path in sorted(folder.glob("*.patch"))}
    if not known:
        raise Unavailable(f"no faults for {source} in {PATCHES}")
    if unknown := [name for name in names if name not in known]:
        raise Unavailable(f"no fault {', '.join(unknown)} in {folder}")
    return [Fault(path) for name, path in known.items() if not names or name in names]


class Planter:
    """Makes kernels with a fault, one after the other, in one tree."""

    def __init__(self, source, variant, jobs):
        self.clean = build.source_of(source)
        self.folder = CACHE / "planted" / (source if variant == "plain" else f"{source}-{variant}")
        self.tree = self.folder / "source"
        self.lock = threading.Lock()
        self.patched = {name for fault in faults_of(source, [], variant)
                        for name in fault.files}
        if not self.tree.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            begun = self.folder / "begun"
            shutil.rmtree(begun, ignore_errors=True)
            # Links, because it is 1.5 GB; `patch` replaces what it changes.
            subprocess.run(["cp", "-al", self.clean, begun], check=True)
            begun.rename(self.tree)
        (self.folder / "images").mkdir(exist_ok=True)
        self.build = build.Build(self.tree, "um", variant, jobs, self.folder / "build")

    def restore(self):
        for name in self.patched:
            clean, ours = self.clean / name, self.tree / name
            if clean.read_bytes() != ours.read_bytes():
                ours.unlink()
                shutil.copy(clean, ours)  # its time is new, for make

    def image(self, fault):
        """Made once for each text of the patch; without a fault: the clean kernel."""
        image = self.folder / "images" / (fault.name if fault else "clean")
        patch = image.with_suffix(".patch")
        text = fault.text if fault else ""
        with self.lock:
            if image.exists() and patch.exists() and patch.read_text() == text:
                return image
            self.restore()
            if fault:
                subprocess.run(["patch", "-s", "-p1", "-d", self.tree], input=text, text=True, check=True)
            made = self.build.image()
            shutil.copy(made, image)
            patch.write_text(text)
            self.restore()
        return image


def traits_of(image):
    """As --trait takes them."""
    out, _ = guest.run_script(image, "pivotcheck doctor --json", guest.BOOT_SECONDS)
    found = [(said["check"].removeprefix("trait "), said["what"].split(":")[0])
             for said in guest.objects_in(out) if said["check"].startswith("trait ")]
    if not found:
        raise Unavailable(f"{image}: pivotcheck doctor names no trait")
    return ",".join(f"{name}={on}" for name, on in found)


class Search:
    """For one fault, by explore."""

    def __init__(self, image, traits, options):
        self.image, self.traits, self.options = image, traits, options

    def run(self):
        """A result, as the table shows it."""
        began = time.monotonic()
        explore = (f"pivotcheck explore --cases {self.options.cases} --seed {self.options.seed}"
                   f" --privilege both --jobs {JOBS} --until-found --json --artifacts /tmp/found"
                   f" --trait {self.traits}")
        out, ended = guest.run_script(
            self.image, f"{ORDINARY_USE} {explore}; echo explore ended with $?", SECONDS_MAX)
        result = self.judged(out, ended)
        result["seconds"] = round(time.monotonic() - began, 1)
        return result

    def judged(self, out, ended):
        if "ordinary use works" not in out:
            return {"result": "useless", "log": guest.last_lines(ended.log, 10)}
        findings = [said for said in guest.objects_in(out)
                    if "finding" in said and "about: seen once" not in said["report"]]
        summary = next((said for said in guest.objects_in(out) if "cases" in said), {})
        status = re.search(r"explore ended with (\d+)", out)
        if findings:
            return self.confirmed(findings[0]["report"], summary.get("cases"))
        if status is None or status[1] != "0":
            return self.deadly()
        return {"result": "missed", "cases": summary["cases"]}

    def confirmed(self, report, cases):
        kind = re.search(r"^title: (.*)", report, re.M)[1]
        found = {"result": "found", "by": kind, "cases": cases, "steps": len(steps_of(report)[1]),
                 "scenario": report}
        return found if self.shows(report) else {**found, "result": "not shown again"}

    def shows(self, report):
        out, _ = guest.run_script(
            self.image, f"pivotcheck run --json --trait {self.traits} /case.scn",
            guest.BOOT_SECONDS, {"case.scn": report})
        return any(said.get("result") in ("disagree", "broken-law") for said in guest.objects_in(out))

    def deadly(self):
        """Of a kernel that dies or warns: which scenario does it, by cases that are announced."""
        options = Namespace(user="root", on_begin=None, model="contract," + self.traits,
                            case_seconds=30, cases=0, seed=0)
        for first in range(0, self.options.cases, DEADLY_CASES):
            cases = matrix.random_cases(DEADLY_CASES, self.options.seed + first, "both")
            run = FirstIncident(str(self.image), cases, options, self.options.folder)
            run.run()
            if run.found:
                return self.minimized_incident(run, first)
        return {"result": "missed", "cases": self.options.cases, "by": "explore ended without a word"}

    @staticmethod
    def minimized_incident(run, first):
        texts = {case["name"]: case["scenario"] for case in run.cases}
        by = "warned" if run.found.get("warnings") else run.found["result"]
        with Victim(run.header, by) as victim:
            scenario = victim.smaller(texts[run.found["name"]])
        return {"result": "found", "by": f"kernel {by}", "cases": first + len(run.results) + 1,
                "steps": len(steps_of(scenario)[1]), "scenario": scenario}


class FirstIncident(matrix.KernelRun):
    """Ends when the kernel has died or warned."""
    found = None

    def record(self, result):
        if result.get("warnings") or result["result"] in ("panicked", "hung", "ended"):
            self.found = result
            self.incidents = matrix.INCIDENTS_MAX
        super().record(result)


def clean_is_silent(image, traits, options):
    """On what was found elsewhere, and in as many cases of its own."""
    result = Search(image, traits, options).run()
    if result["result"] != "missed":
        complain(f"the clean kernel is not silent: {json.dumps(result)}")
    return result["result"] == "missed"


def accepted_by(image, traits, results):
    """The names of those whose scenario the clean kernel answers as it should."""
    files = {f"{name}.scn": result["scenario"] for name, result in results.items() if "scenario" in result}
    if not files:
        return set()
    names = " ".join(f"/{name}" for name in files)
    out, _ = guest.run_script(image, f"pivotcheck run --json --trait {traits} {names}", SECONDS_MAX,
                              files)
    return {Path(said["file"]).stem for said in guest.objects_in(out)
            if said.get("result") == "agree"}


def row(fault, result):
    numbers = (f"{result.get(key, ''):>{width}}" for key, width in (("cases", 7), ("seconds", 7), ("steps", 6)))
    return f"{fault.name:36} {result['result']:10} {' '.join(numbers)}  {result.get('by', '')}"


def planted(options):
    faults = faults_of(options.source, options.names, options.variant)
    build.need_tools()
    options.folder = Path(options.results)
    options.folder.mkdir(parents=True, exist_ok=True)
    planter = Planter(options.source, options.variant, os.cpu_count())
    clean = planter.image(None)
    traits = traits_of(clean)

    def search(fault):
        if guest.Session.stopped_by:
            return None
        result = Search(planter.image(fault), traits, options).run()
        return None if guest.Session.stopped_by else result
    results = {}
    print(f"{'fault':36} {'result':10} {'cases':>7} {'seconds':>7} {'steps':>6}  by", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for fault, result in zip(faults, pool.map(search, faults)):
            if result is None:
                continue  # a signal asked this program to end
            results[fault.name] = result
            print(row(fault, result), flush=True)
            (options.folder / f"{fault.name}.json").write_text(json.dumps(result) + "\n")
    if guest.Session.stopped_by:
        complain(f"{len(results)} of {len(faults)} faults were tried")
        return 3
    accepted = accepted_by(clean, traits, results)
    for name, result in results.items():
        if "scenario" in result and name not in accepted:
            print(f"{name}: the clean kernel does not agree with its scenario either")
            result["result"] = "on both"
    silent = options.names or clean_is_silent(clean, traits, options)
    count = sum(result["result"] == "found" for result in results.values())
    print(f"found: {count} of {len(faults)}, each within {options.cases} cases")
    if not silent or any(result["result"] == "useless" for result in results.values()):
        return 3
    return 0 if count == len(faults) else 1

# SPDX-License-Identifier: Apache-2.0
"""matrix.py: `ci/kernels run --kernels A,B,...`: the corpus and random scenarios on each kernel.

    pivotcheck generate --> cases.jsonl --.       made once, by a model without any kernel's quirks
    corpus/             --'               |
                                          v
    a guest for each kernel   <-- the scenarios, as a file of the guest
    (pivotcheck answer)       --> {"begin":NAME}, an answer, {"begin":NAME}, ... {"end":N}
                                          |
                                          v
    FOLDER/KERNEL.jsonl       what it is, each answer, how it ended; KERNEL.log: its console

The command in the guest says which scenario it begins before it begins it. So a guest that panics,
hangs or just ends has a result that names the scenario that did it, and the others go on in a fresh
guest. They do as well after a warning in its log: what WARN_ONCE said is not said twice, and an
oops may leave a lock taken. Without a closing line that kernel is not done, whatever qemu's status.

Results of shards merge: `compare`, `report` and `ledger` read several folders.

Without KVM, on an idle machine with two processors, `explore` did 178 to 188 cases a second in a
guest with one processor, and 245 to 269 in one with two. So each kernel gets a guest with one, and
as many run at one time as there are processors (--jobs)."""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import guest
from archive import HOST, ROOT, Unavailable, complain, image_of, names, release_key

INCIDENTS_MAX = 20  # of a kernel: one that fails on each scenario is not worth a guest for each
BOOTS_MAX = 3       # in a row that did not come up
RESULTS = ROOT / "build/kernels.results"
FAILURES = ("disagree", "broken-law", "unmet", "panicked", "hung", "ended")


def pivotcheck(*arguments, **options):
    path = guest.pivotcheck_path()
    if not os.access(path, os.X_OK):
        raise Unavailable(f"{path} is missing (ci/build)")
    return subprocess.run([path, *arguments], capture_output=True, text=True, **options)


def scenario_cases(paths):
    """Of files and folders: the corpus's own names begin with corpus/."""
    cases = []
    for path in map(Path, paths):
        found = sorted(path.rglob("*.scn")) if path.is_dir() else [path]
        if not found or not path.exists():
            raise Unavailable(f"{path}: no scenario")
        for file in found:
            whole = file.resolve()
            name = whole.relative_to(ROOT) if whole.is_relative_to(ROOT) else file
            cases.append({"name": str(name), "scenario": file.read_text()})
    return cases


def printed_cases(*arguments):
    """Those that the command prints."""
    made = pivotcheck(*arguments)
    if made.returncode != 0:
        raise Unavailable(f"pivotcheck {arguments[0]}: {made.stderr.strip()}")
    return [json.loads(line) for line in made.stdout.splitlines()]


def random_cases(count, seed, privilege):
    if count == 0:
        return []
    return printed_cases("generate", "--cases", str(count), "--seed", str(seed),
                         "--privilege", privilege)


def exhaustive_cases(arguments):
    """Every sequence of a small space, by the model without any kernel's quirks."""
    if not arguments:
        return []
    return printed_cases("exhaust", "--print", "--model", "contract", *shlex.split(arguments))


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lines_of(objects):
    return "".join(json.dumps(each) + "\n" for each in objects)


def file_name(kernel):
    return re.sub(r"[^A-Za-z0-9.+_-]+", "_", kernel.strip("/"))


class KernelRun:
    """All cases on one kernel, in as many guests as that takes."""

    def __init__(self, kernel, cases, options, folder):
        self.kernel, self.cases, self.options = kernel, cases, options
        self.path = folder / f"{file_name(kernel)}.jsonl"
        self.log_path = self.path.with_suffix(".log")
        self.boots = self.incidents = self.failed_boots = 0
        self.counts = {}
        self.results = []
        self.failed, self.asks_again = [], False
        self.header = None
        self.why_not_done = ""
        self.image = None if kernel == HOST else image_of(kernel)
        self.accelerator, self.accelerated_by = "", "this machine itself"
        if self.image:
            self.accelerator, why = guest.accelerator(self.image)
            self.accelerated_by = f"{self.accelerator} ({why})"

    def session(self, cases=None):
        """Asked all cases, or, without any, what is sent to it."""
        self.boots += 1
        words = ["pivotcheck", "answer", "--model", self.options.model]
        if self.options.on_begin:
            words += ["--on-begin", self.options.on_begin]
        if not self.image:
            session = guest.Local([guest.pivotcheck_path(), *words[1:]])
            if cases:
                feeder = threading.Thread(target=feed, args=(session, lines_of(cases)), daemon=True)
                feeder.start()
            return session
        script = guest.quoted(words)
        if self.options.user == "ordinary":
            script = guest.as_user(script)
        files = {"cases": (lines_of(cases).encode(), 0o644)} if cases else {}
        source = "/cases" if cases else "/dev/ttyS1"
        options = guest.WITHOUT_APIC if self.failed_boots else ""
        return guest.start(self.image, f"{script} <{source}", files, self.accelerator, options)

    def write(self, result):
        with open(self.path, "a") as file:
            file.write(lines_of([result]))

    def keep_log(self, session):
        with open(self.log_path, "a") as file:
            file.write(f"=== boot {self.boots}\n{session.log}")

    def record(self, result):
        """What failed is asked once more, at the end: a busy host may be all that was wrong."""
        if result["result"] == "failed" and not self.asks_again:
            self.failed.append(result["name"])
            return
        self.results.append(result)
        self.counts[result["result"]] = self.counts.get(result["result"], 0) + 1
        if result.get("state_unseen"):
            self.counts["unseen"] = self.counts.get("unseen", 0) + 1
        if result.get("warnings"):
            self.counts["warned"] = self.counts.get("warned", 0) + 1
        self.write(result)

    def incident(self, name, session):
        """A scenario that has no answer, because nobody is there any more."""
        log, result = session.log, how_it_went(session)
        panic = re.search(r"Kernel panic.*", log)
        reason = {"panicked": panic and panic[0], "ended": "the guest ended without a word",
                  "hung": f"no answer within {self.options.case_seconds} s"}[result]
        if session.status not in (None, 0):
            reason = f"pivotcheck in the guest ended with {session.status}"
        self.incidents += 1
        self.record({"name": name, "result": result, "reason": reason,
                     "log": guest.last_lines(log + session.errors, 20)})

    def serve(self, session, rest):
        """How many of them are done when this session is; -1: it did not come up."""
        begun, done = None, 0
        seconds = guest.BOOT_SECONDS
        while (line := session.next_line(seconds)) is not None:
            seconds = self.options.case_seconds
            try:
                said = json.loads(line)
            except ValueError:
                continue  # not ours: the loader's
            if "answers" in said:
                self.begin(said)
            elif "begin" in said:
                begun = said["begin"]
            elif "end" in said:
                return len(rest)
            elif "result" in said:
                self.record(said)
                begun, done = None, done + 1
                if said.get("warnings"):
                    self.incidents += 1
                    return done
        if self.header is None or (begun is None and done == 0):
            self.why_not_done = "; ".join(guest.last_lines(session.log + session.errors, 3))
            return -1
        if guest.Session.stopped_by:
            return done
        self.incident(begun or rest[max(done - 1, 0)]["name"], session)
        return done + (1 if begun else 0)

    def begin(self, said):
        self.failed_boots = 0
        if self.header is None:
            self.header = {"kernel": self.kernel, "release": said["answers"], **said,
                           "image_sha256": checksum(self.image) if self.image else None,
                           "user": self.options.user, "accelerator": self.accelerated_by,
                           "on_begin": self.options.on_begin, "model": self.options.model,
                           "case_seconds": self.options.case_seconds}
            del self.header["answers"]
            self.write(self.header)

    def ask(self, rest):
        """Those that could not be asked."""
        while rest and self.incidents < INCIDENTS_MAX and self.failed_boots < BOOTS_MAX:
            if guest.Session.stopped_by:
                self.why_not_done = f"ended by {signal.Signals(guest.Session.stopped_by).name}"
                break
            with self.session(rest) as session:
                done = self.serve(session, rest)
                self.keep_log(session)
            if done < 0:
                self.failed_boots += 1
            else:
                rest = rest[done:]
        return rest

    def run(self):
        self.path.unlink(missing_ok=True)
        self.log_path.unlink(missing_ok=True)
        began = time.monotonic()
        rest = self.ask(self.cases)
        self.asks_again = True
        rest += self.ask([case for case in self.cases if case["name"] in self.failed])
        self.seconds = time.monotonic() - began
        if self.incidents >= INCIDENTS_MAX:
            self.why_not_done = f"{INCIDENTS_MAX} scenarios took it down or warned"
        end = {"end": len(self.cases) - len(rest), "not_run": len(rest), "boots": self.boots,
               "seconds": round(self.seconds, 1)}
        if rest:
            end["reason"] = self.why_not_done
        self.write(end)
        self.not_run = len(rest)
        return self

    def summary(self):
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        rate = sum(self.counts.get(k, 0) for k in ("agree", "disagree")) / max(self.seconds, 0.001)
        text = f"{self.kernel}: {counts or 'nothing'}; {self.seconds:.0f} s, {rate:.0f} a second"
        if self.boots > 1:
            text += f", {self.boots} boots"
        return text + (f"; {self.not_run} NOT RUN: {self.why_not_done}" if self.not_run else "")

    @property
    def status(self):
        if any(self.counts.get(kind) for kind in FAILURES) or self.counts.get("warned"):
            return 1
        return 3 if self.not_run or self.counts.get("failed") else 0


def how_it_went(session):
    """Of one that does not answer."""
    if "Kernel panic" in session.log:
        return "panicked"
    return "ended" if session.has_ended else "hung"


def feed(session, text):
    session.send(text)
    try:
        session.process.stdin.close()
    except BrokenPipeError:
        pass


def cases_of(options):
    paths = options.scenarios or [ROOT / "corpus"]
    cases = scenario_cases(paths) + random_cases(options.cases, options.seed, options.privilege)
    cases += exhaustive_cases(options.exhaust)
    index, count = options.shard
    return cases[index - 1::count]


def kernels_of(text):
    if text == "all":
        return [HOST, *names()]
    return sorted(dict.fromkeys(filter(None, text.split(","))), key=release_key)


def run_one(kernel, cases, options, folder):
    """None where that kernel can't be had."""
    try:
        return KernelRun(kernel, cases, options, folder).run()
    except Unavailable as missing:
        complain(f"{kernel}: NOT RUN: {missing}")
        return None


def run_all(kernels, cases, options, folder):
    """Each KernelRun, as soon as it is done and those before it are."""
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        yield from filter(None, pool.map(
            lambda kernel: run_one(kernel, cases, options, folder), kernels))


def begin_folder(folder, text):
    """What other kernels answered to the same scenarios stays; answers to others go."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = folder / "cases.jsonl"
    if cases.exists() and cases.read_text() != text:
        for old in [*folder.glob("*.jsonl"), *folder.glob("*.log")]:
            old.unlink()
    cases.write_text(text)


def run(options):
    """The worst status of all: 1 before 3; 4 only if no kernel could be had at all."""
    folder = Path(options.results)
    cases = cases_of(options)
    begin_folder(folder, lines_of(cases))
    kernels = kernels_of(options.kernels)
    print(f"{len(cases)} scenarios on {len(kernels)} kernels; results in {folder}", flush=True)
    statuses = []
    for done in run_all(kernels, cases, options, folder):
        print(done.summary(), flush=True)
        statuses.append(done.status)
    if 1 in statuses:
        return 1
    if not statuses:
        return 4
    return 3 if 3 in statuses or len(statuses) < len(kernels) else 0

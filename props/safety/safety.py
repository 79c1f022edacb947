#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""safety.py TEST: what must hold of a command that changes mounts as root. Each test starts the
command, prints what it saw, and holds or does not.

Exit status: 0 it holds, 1 it does not, 2 bad usage, 3 the harness could not do its work, 4 nothing
can run here.
"""
import argparse
import collections
import contextlib
import os
import random
import re
import signal
import statistics
import sys
import time

import watch
from can_fail import can_fail
from watch import Watched, call

# --- kills: processes of the command are killed at random moments. A round is one run of it:
#
#     start; several times: wait, kill a process that is not the parent (a worker, an executor, a
#     task); the run must go on. Then the parent gets SIGKILL, or sometimes SIGINT or SIGTERM. All
#     its processes must end, and nothing may be left behind.
#
# The same seed makes the same choices, at slightly different moments.

KILLS_PER_ROUND = 10
MOMENT_S = (0.001, 0.026)  # a dozen cases
LOOKS_FOR_A_TASK = 20
GENTLE_SHARE = 0.2            # parents that are asked to end
ROUNDS_WITHOUT_KILL_MAX = 20  # a command that ends at once proves nothing


class Kills:
    def __init__(self, options):
        self.options, self.random = options, random.Random(options.seed)
        self.killed = collections.Counter()
        self.runs = self.asked = self.namespaces = 0
        self.worst_ms = 0.0
        self.by_handle = False

    def all(self):
        rounds_in_vain = 0
        while self.killed.total() < self.options.count:
            before = self.killed.total()
            if not self.one_round():
                return False
            rounds_in_vain = rounds_in_vain + 1 if self.killed.total() == before else 0
            if rounds_in_vain > ROUNDS_WITHOUT_KILL_MAX:
                print("the command ends before anything of it can be killed")
                return False
        roles = ", ".join(f"{self.killed[role]} {role}" for role in watch.ROLES)
        print(f"{self.killed.total()} kills in {self.runs} runs: {roles}\n"
              f"{self.asked} runs were asked to end; {self.namespaces} namespaces were looked for"
              f"{' by handle' if self.by_handle else ''}\n"
              f"gone within {self.worst_ms:.0f} ms at the worst; nothing was left behind "
              f"(seed {self.options.seed})")
        if not self.options.fuzzer:
            print("NOT RUN: libFuzzer's processes: this build has none")
        return True

    def words(self, folder):
        seed = str(self.random.randint(1, 1_000_000))
        if self.options.fuzzer and self.random.randrange(3) == 0:
            for name in ("inputs", "artifacts"):
                os.mkdir(os.path.join(folder, name))
            return (self.options.fuzzer, f"-seed={seed}", "-artifact_prefix=artifacts/", "inputs",
                    self.options.corpus)
        if self.random.randrange(4) == 0:
            return (self.options.pivotcheck, "run", "--every-step", "--jobs", "4",
                    self.options.corpus)
        return (self.options.pivotcheck, "explore", "--seconds", "60", "--jobs", "4",
                "--seed", seed)

    def look(self, watched):
        """Tasks live for a short time: most lists of processes have none."""
        below = watched.below()
        for _ in range(self.random.choice((0, LOOKS_FOR_A_TASK))):
            if any(process.role == "task" for process in below):
                break
            below = watched.below()
        return below

    def kill_one(self, watched):
        """One of a role that is drawn first: there are many tasks and one parent."""
        by_role = collections.defaultdict(list)
        for process in self.look(watched):
            watched.traces.note_namespaces(process.pid)
            if process.state != "Z" and process.role != "parent":
                by_role[process.role].append(process.pid)
        if not by_role:
            return
        role = self.random.choice(sorted(by_role))
        victim = self.random.choice(by_role[role])
        # A process id may be used again by now, so they are listed once more right before.
        if (victim, role) in {(process.pid, process.role) for process in watched.below()}:
            self.kill(role, victim)

    def kill(self, role, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed[role] += 1

    def one_round(self):
        watched = Watched(self.options.pivotcheck)
        self.by_handle = watched.traces.has_handles
        watched.start(*self.words(watched.folder))
        self.runs += 1
        for _ in range(self.random.randrange(KILLS_PER_ROUND)):
            time.sleep(self.random.uniform(*MOMENT_S))
            self.kill_one(watched)
        time.sleep(self.random.uniform(*MOMENT_S))
        for process in watched.below():
            watched.traces.note_namespaces(process.pid)
        if self.random.random() < GENTLE_SHARE:
            self.asked += 1
            os.kill(watched.process.pid, self.random.choice((signal.SIGINT, signal.SIGTERM)))
        else:
            self.kill("parent", watched.process.pid)
        begun = time.monotonic()
        status = watched.wait()
        if status is None:
            watched.kill()
        clean = watched.nothing_left()
        self.worst_ms = max(self.worst_ms, 1000 * (time.monotonic() - begun))
        self.namespaces += len(watched.traces.namespaces)
        if status is None:
            print("left behind: process: the command does not end when it is asked to")
        if status == 1:
            # A process that was killed must not be taken for an answer of the kernel.
            print("a killed process was taken for a disagreement:", watched.text("out"),
                  watched.text("err"), sep="\n")
        return clean and status not in (None, 1)


# --- hang: a world in which nothing happens any more. For its owner, an executor that has got
# SIGSTOP is like one whose system call never returns: no answer comes, and the process exists.
#
#     explore, many cases  -->  one executor stops  -->  the deadline of that case passes
#                               its case: one line, one file, not run; all others: run; status 3
#
# With --unkillable this test traces a task of that executor. A killed task stays until its tracer
# detaches, and so do its PID namespace and the executor.

BEGIN_LIMIT_S = 20
END_LIMIT_S = 180


# --- a switch: somebody else than the switch kills what it has made, its init, its helpers or the
# command itself, in whichever moment. The switch must end by itself, and nothing may be left.

SWITCH_S = 0.004  # about what one takes
SWITCHES = (("--unshare", "pid"), ("--unshare", "user,pid", "--map", "root"),
            ("--unshare", "user", "--map", "root"),
            ("--confine", "--proc", "/proc", "--tmpfs", "/sys"))


def switch_kills(options):
    chance = random.Random(options.seed)
    choices = SWITCHES if os.geteuid() == 0 else SWITCHES[1:]
    killed, watched = 0, Watched(options.pivotcheck)
    for tried in range(20 * options.count):
        if killed == options.count:
            print(f"{killed} kills in {tried} switches; each switch ended, and nothing was left "
                  f"behind (seed {options.seed})")
            return True
        words = ("switch", *chance.choice(choices), "/", "--", "sleep", "0.02")
        watched.start(options.pivotcheck, *words)
        moment = time.monotonic() + chance.uniform(0, 2 * SWITCH_S)
        while watched.process.poll() is None:
            made = [p for p in watched.below() if p.role != "parent" and p.state != "Z"]
            if made and time.monotonic() >= moment:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(made).pid, signal.SIGKILL)
                    killed += 1
                break
        if watched.wait() is None:
            print("left behind: a switch that does not end:", *words, f"(seed {options.seed})")
            watched.kill()
            return False
        if not watched.nothing_left():
            return False
    print("the switches end before anything of them can be killed:", watched.text("err"))
    return False


def first_of(watched, role, accept):
    """The first process that has that role and that `accept` takes, which it does if it returns
    true and no call is refused; None if there is none within the time."""
    end = time.monotonic() + BEGIN_LIMIT_S
    while time.monotonic() < end:
        for process in watched.below():
            with contextlib.suppress(OSError):
                if process.role == role and process.state != "Z" and accept(process):
                    return process
    print(f"there was no {role} to {'stop' if role == 'executor' else 'hold'}")
    return None


def hold(process):
    return call("ptrace", watch.PTRACE_SEIZE, process.pid, None, None) == 0


def let_go(held):
    pid, status = os.waitpid(held.pid, watch.WALL)
    while pid == held.pid and os.WIFSTOPPED(status):
        call("ptrace", watch.PTRACE_DETACH, held.pid, None, None)
        pid, status = os.waitpid(held.pid, watch.WALL)


def stop_an_executor(watched, held):
    """That of the held task, or any."""
    def stop(executor):
        # The parent has executors of its own for a moment, to see whether anything can run.
        is_of_a_worker = executor.parent not in (watched.process.pid, os.getpid())
        if not is_of_a_worker or (held and executor.pid != held.parent):
            return False
        watched.traces.note_namespaces(executor.pid)
        os.kill(executor.pid, signal.SIGSTOP)
        return True

    return first_of(watched, "executor", stop)


def wrong_after_hang(watched, options, status):
    messages, summary = watched.text("err"), watched.text("out")
    if status != 3:
        yield "the exit status is not 3"
    if messages.count("did not answer within") != 1:
        yield "there is not one line for the hang"
    if not re.search("^not_run: 1$", summary, re.MULTILINE):
        yield "not just one case was not run"
    if not re.search(f"^cases: {options.count - 1}$", summary, re.MULTILINE):
        yield "others were lost"
    if not re.search("^disagreements: 0$", summary, re.MULTILINE):
        yield "there is a disagreement"
    # What hung is kept, and can be tried again.
    files = [os.path.join(folder, name)
             for folder, _, names in os.walk(f"{watched.folder}/artifacts") for name in names]
    if len(files) != 1:
        yield "there is not one file"
        return
    again = Watched(options.pivotcheck)
    again.start(options.pivotcheck, "run", files[0])
    if again.wait(END_LIMIT_S) != 0:
        yield "the file does not run, though nothing hangs now"


def hang(options):
    watched = Watched(options.pivotcheck)
    watched.start(options.pivotcheck, "explore", "--cases", str(options.count), "--jobs", "2",
                  "--seed", str(options.seed))
    held = first_of(watched, "task", hold) if options.unkillable else None
    if (options.unkillable and not held) or not stop_an_executor(watched, held):
        watched.kill()
        watched.wait(END_LIMIT_S)
        return False
    status = watched.wait(END_LIMIT_S)
    if held:
        let_go(held)
    wrong = list(wrong_after_hang(watched, options, status))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    good = watched.nothing_left() and not wrong
    if good:
        how = ", in a process that can't be killed" if held else ""
        print(f"one of {options.count} cases hung{how}: one line, one file, all the others ran, "
              "exit status 3")
    else:
        print(f"--- its output\n{watched.text('out')}--- its messages\n{watched.text('err')}")
    return good


# --- soak: memory and kernel objects that many cases leave. Two runs of the command; the first
# fills the caches that are filled once:
#
#     a tenth of the cases   count    all cases, looking at resident memory    count
#                              '-------------------- the difference ----------------'
#
# The rest of the machine changes these counts as well, so the difference must be small against the
# number of cases: one mount lost in a hundred cases is far beyond the limit.

RUN_LIMIT_S = 3600
CASES_PER_OBJECT = 100  # more than one lost for so many cases is a leak
NOISE_OBJECTS = 400     # of the rest of the machine
NOISE_KIB = 2048        # of an allocator
SETTLE_S = 0.5          # the kernel frees much of it later: by RCU, or in a kernel thread
SETTLE_TIMES = 20
LOOK_EVERY_S = 0.1


class Soak:
    def __init__(self, options):
        self.options, self.watched = options, Watched(options.pivotcheck)
        # By role: resident memory of the process that has most; one for each look.
        self.memory_kib = collections.defaultdict(list)

    def all(self):
        if not self.run(max(self.options.count // 10, 100)):
            return False
        before = watch.count_slabs()
        self.memory_kib.clear()
        if not self.run(self.options.count):
            return False
        print(*re.findall("^(?:cases|disagreements).*$", self.watched.text("out"), re.MULTILINE),
              sep="\n")
        good = self.slabs_are_back(before, self.settled(before))
        for role in ("parent", "worker", "executor"):
            good = self.memory_is_back(role) and good
        return self.watched.nothing_left() and good

    def run(self, cases):
        self.watched.start(self.options.pivotcheck, "explore", "--cases", str(cases),
                           "--seed", str(self.options.seed))
        end = time.monotonic() + RUN_LIMIT_S
        status = None
        while status is None and time.monotonic() < end:
            self.look_at_memory()
            status = self.watched.wait(LOOK_EVERY_S)
        if status != 0:
            self.watched.kill()
            print("explore did not end as it should", self.watched.text("out"),
                  self.watched.text("err"), sep="\n")
        return status == 0

    def look_at_memory(self):
        most = collections.Counter()
        for process in self.watched.below():
            most[process.role] = max(most[process.role], process.resident_kib)
        for role in +most:
            self.memory_kib[role].append(most[role])

    @staticmethod
    def settled(before):
        for _ in range(SETTLE_TIMES):
            counts = watch.count_slabs()
            if all(counts[name] <= before[name] for name in counts):
                break
            time.sleep(SETTLE_S)
        return counts

    def slabs_are_back(self, before, after):
        if not before:
            print("NOT SEEN: the kernel's counts: /proc/slabinfo can't be read")
        limit = self.options.count // CASES_PER_OBJECT + NOISE_OBJECTS
        good = True
        for name, count in sorted(before.items()):
            leaks = after[name] - count > limit
            print(f"{name:<18} {count:>7} -> {after[name]:>7} ({after[name] - count:+})"
                  f"{'  LEAKS' if leaks else ''}")
            good = good and not leaks
        return good

    def memory_is_back(self, role):
        """The last quarter against the second: by then everything was needed once."""
        kib = self.memory_kib[role]
        if len(kib) < 8:
            print(f"NOT SEEN: memory of {role}: only {len(kib)} looks")
            return True
        quarter = len(kib) // 4
        early = statistics.median_high(kib[quarter:2 * quarter])
        late = statistics.median_high(kib[3 * quarter:])
        good = late <= early + early // 10 + NOISE_KIB
        print(f"memory of {role:<8} {early:>7} -> {late:>7} KiB{'' if good else '  GROWS'}")
        return good


# --- the command line

# Name, what is called, how many kills or cases, what it does.
TESTS = (
    ("can-fail", can_fail, None, "leave something behind: is it noticed?"),
    ("kills", lambda options: Kills(options).all(), 300, "kill its processes at random moments"),
    ("hang", hang, 3000, "stop a process that others wait for"),
    ("switch-kills", switch_kills, 1000, "kill what a switch has made"),
    ("soak", lambda options: Soak(options).all(), 100_000,
     "count memory and kernel objects before and after many cases"),
)


def positive(text):
    if int(text) < 1:
        raise argparse.ArgumentTypeError("it is a number from 1 on")
    return int(text)


def parse_command_line():
    parser = argparse.ArgumentParser(
        prog="safety",
        description="the command leaves nothing behind, even if it is killed or hangs")
    tests = parser.add_subparsers(required=True, metavar="TEST")
    for name, test, count, summary in TESTS:
        one = tests.add_parser(name, help=summary, description=summary)
        one.set_defaults(test=test)
        # The commands have other current directories.
        one.add_argument("--pivotcheck", type=os.path.abspath, required=True, help="the command")
        one.add_argument("--corpus", type=os.path.abspath, help="a folder of scenarios")
        one.add_argument("--fuzzer", type=os.path.abspath,
                         help="a libFuzzer target, if there is one")
        one.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32),
                         help="of what is chosen at random")
        if count:
            one.add_argument("--count", type=positive, default=count,
                             help="how many kills, or cases")
        if test == hang:
            one.add_argument("--unkillable", action="store_true",
                             help="and it can't be killed either")
    return parser.parse_args()


def something_runs(pivotcheck):
    doctor = Watched(pivotcheck)
    doctor.start(pivotcheck, "doctor")
    if doctor.wait(60) == 0:
        return True
    print(f"NOT RUN: no scenario can run here:\n{doctor.text('err')}")
    return False


def main():
    options = parse_command_line()
    try:
        call("prctl", watch.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if options.test != can_fail and not something_runs(options.pivotcheck):
            return 4
        return 0 if options.test(options) else 1
    except OSError as error:
        print(f"safety: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())

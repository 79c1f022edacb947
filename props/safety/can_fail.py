# SPDX-License-Identifier: Apache-2.0
"""can_fail.py: leaves something behind on purpose, one thing at a time, and runs the same checks. A
check that does not notice it would always pass.
"""
import contextlib
import os
import signal

import watch
from watch import Watched, call

SHORT_LIMIT_S = 0.1
MOUNTS_LEAKED = 5000


@contextlib.contextmanager
def child(work):
    """A child that does `work` and then waits until it is killed. Yields its pid, and whether it
    could."""
    end, childs_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        watch.die_with_parent()
        answer = b"n"
        try:
            answer = b"y" if work() else b"n"
        finally:
            os.write(childs_end, answer)
            while True:
                signal.pause()
    os.close(childs_end)
    ready = os.read(end, 1) == b"y"
    os.close(end)
    try:
        yield pid, ready
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def new_namespaces():
    call("unshare", watch.CLONE_NEWNS | (0 if os.geteuid() == 0 else watch.CLONE_NEWUSER))
    call("mount", None, b"/", None, watch.MS_REC | watch.MS_PRIVATE, None)
    return True


def notices(watched, kind):
    return any(line.startswith(kind) for line in watched.traces.left_behind(SHORT_LIMIT_S))


def nothing_there(watched, limit_s=watch.GONE_LIMIT_S):
    return not watched.traces.left_behind(limit_s)


def process_is_noticed(watched):
    if not nothing_there(watched, SHORT_LIMIT_S):
        return False
    with child(lambda: os.setsid() is None):
        noticed = notices(watched, "process: ")
    return noticed and nothing_there(watched)


def orphan_is_noticed(watched):
    """A grandchild whose parent is gone."""
    def fork():
        if os.fork() == 0:
            os.setsid()
            while True:
                signal.pause()
        return True

    with child(fork) as (pid, _):
        orphans = [each.pid for each in watch.processes_below() if each.parent == pid]
    noticed = bool(orphans) and notices(watched, "process: ")
    for orphan in orphans:
        os.kill(orphan, signal.SIGKILL)
    return noticed and nothing_there(watched)


def namespace_is_noticed(watched):
    """Held by a descriptor alone."""
    with child(new_namespaces) as (pid, ready):
        if not ready:
            return False
        watched.traces.note_namespaces(pid)
        held = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    noticed = notices(watched, "namespace: mnt:")
    os.close(held)
    return noticed and nothing_there(watched)


def mount_is_noticed(watched):
    def mount():
        new_namespaces()
        inside = watch.Traces(watched.folder, watched.traces.pivotcheck)
        call("mount", b"none", watched.folder.encode(), b"tmpfs", 0, None)
        return any(line.startswith("mount: ") for line in inside.left_behind(SHORT_LIMIT_S))

    with child(mount) as (_, noticed):
        return noticed


def file_is_noticed(name, text=""):
    def check(watched):
        for folder in ("artifacts", "tmp"):
            os.mkdir(os.path.join(watched.folder, folder))
        if not nothing_there(watched, SHORT_LIMIT_S):
            return False
        path = os.path.join(watched.folder, name)  # which may be one outside of it
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        noticed = notices(watched, "file: ")
        os.unlink(path)
        return noticed
    return check


def mounts_are_counted(watched):
    """A namespace full of mounts: so much must be far beyond what `soak` takes for noise."""
    def leak():
        new_namespaces()
        path = watched.folder.encode()
        for _ in range(MOUNTS_LEAKED):
            call("mount", path, path, None, watch.MS_BIND, None)
        return True

    before = watch.count_slabs().get("mnt_cache")
    if before is None:
        print("NOT SEEN: the kernel's counts: /proc/slabinfo can't be read")
        return True
    with child(leak) as (_, ready):
        return ready and watch.count_slabs()["mnt_cache"] - before > MOUNTS_LEAKED / 2


CHECKS = {
    "a process that stays behind": process_is_noticed,
    "a process that stays behind without its parent": orphan_is_noticed,
    "a namespace that only a descriptor holds": namespace_is_noticed,
    "a mount": mount_is_noticed,
    "a temporary file": file_is_noticed("tmp/x"),
    "a file in the current directory": file_is_noticed("core", "core"),
    "a file in shared memory": file_is_noticed(f"/dev/shm/pivotcheck-can-fail-{os.getpid()}"),
    "an empty file among the scenarios": file_is_noticed("artifacts/a.scn"),
    "half a scenario": file_is_noticed("artifacts/a.scn", "mkdir /a\nmkd"),
    "a scenario with half a line": file_is_noticed("artifacts/a.scn", "mkdir /a\nmkd\n"),
    "another file among the scenarios": file_is_noticed("artifacts/a.scn.tmp", "mkdir /a\n"),
    "thousands of mounts in a namespace": mounts_are_counted,
}


def can_fail(options):
    good = True
    for what, check in CHECKS.items():
        noticed = check(Watched(options.pivotcheck))
        print(f"{what:<52} {'is noticed' if noticed else 'IS NOT NOTICED'}")
        good = good and noticed
    return good

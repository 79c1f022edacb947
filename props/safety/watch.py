# SPDX-License-Identifier: Apache-2.0
"""watch.py: a command that is started to be watched, the processes below this one, and all that a
command could leave behind on a machine.

    this process: the reaper of all orphans below it (PR_SET_CHILD_SUBREAPER)
      `-- the command                      parent       may have forked itself: workers
            `-- worker                     worker
                  `-- executor             executor     pid 1 of a PID namespace of its own
                        `-- task           task

A process that loses its parent becomes a child of this one. So the processes below this one are
exactly those that the command has started and that still exist.
"""
import collections
import ctypes
import os
import re
import signal
import struct
import subprocess
import tempfile
import time

ROLES = ("parent", "worker", "executor", "task")
GONE_LIMIT_S = 20  # for killed processes to end: far longer than it takes, machines can be busy

# --- system calls that Python has no function for; the constants are the kernel's

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PTRACE_DETACH, PTRACE_SEIZE = 17, 0x4206
WALL = 0x40000000
AT_FDCWD, AT_SYMLINK_FOLLOW, MAX_HANDLE_SZ = -100, 0x400, 128
FD_NSFS_ROOT = -10003  # Linux 6.18


def call(name, *arguments):
    """The result of a function of the C library; OSError if it is refused."""
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = getattr(LIBC, name)(*words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return result


def die_with_parent():
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)


# --- processes

Process = collections.namedtuple("Process", "pid parent state role resident_kib")
STATUS = re.compile(r"^State:\t(\S).*?^PPid:\t(\d+).*?^NSpid:((?:\t\d+)+)(?:.*?^RssAnon:\s+(\d+))?",
                    re.DOTALL | re.MULTILINE)


def read_file(path):
    """Its contents; "" where it can't be read: a process in /proc that is ending."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def all_processes():
    own_depth = len(STATUS.search(read_file("/proc/self/status"))[3].split())
    for pid in filter(str.isdigit, os.listdir("/proc")):
        found = STATUS.search(read_file(f"/proc/{pid}/status"))
        if not found:  # it is gone by now
            continue
        state, parent, pids, resident_kib = found.groups()
        pids = pids.split()  # outermost first
        role = "worker" if len(pids) <= own_depth else "executor" if pids[-1] == "1" else "task"
        yield Process(int(pid), int(parent), state, role, int(resident_kib or 0))


def processes_below(command=None):
    """All below this process. `command` is the pid of the one that has the role "parent"."""
    children = collections.defaultdict(list)
    for process in all_processes():
        role = "parent" if process.pid == command else process.role
        children[process.parent].append(process._replace(role=role))
    below = list(children[os.getpid()])
    for process in below:  # which grows meanwhile
        below += children[process.pid]
    return below


def reap_orphans(spared=None):
    """Waits for every child that has ended, except `spared`: another function waits for that."""
    for process in processes_below():
        if process.parent == os.getpid() and process.state == "Z" and process.pid != spared:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | WALL)


# --- the kernel's own counts

# Every world has some of each. (Mount namespaces have no slab of their own.)
SLABS = ("mnt_cache",          # mounts
         "nsproxy",            # the set of namespaces of a task
         "pid_namespace", "user_namespace",
         "shmem_inode_cache",  # files and directories on a tmpfs
         "task_struct", "pid", "signal_cache", "cred")


def count_slabs():
    """How many objects of a kind the kernel holds, by name; only those that it has. Empty where
    /proc/slabinfo can't be read, which only root can.

    Objects that a processor keeps in reserve count as active. They are given back before counting;
    where that fails, the counts are too high by some slabs for each processor.
    """
    for name in SLABS:
        try:
            with open(f"/sys/kernel/slab/{name}/shrink", "w", encoding="utf-8") as file:
                file.write("1\n")
        except OSError:
            pass
    lines = [line.split() for line in read_file("/proc/slabinfo").splitlines()]
    return {name: int(active) for name, active, *_ in lines if name in SLABS}


# --- what is left behind

Namespace = collections.namedtuple("Namespace", "link handle")  # "mnt:[4026532190]"; b"" for none


def link_of(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def handle_of(path):
    buffer = ctypes.create_string_buffer(struct.pack("Ii", MAX_HANDLE_SZ, 0), 8 + MAX_HANDLE_SZ)
    try:
        call("name_to_handle_at", AT_FDCWD, path.encode(), buffer, ctypes.byref(ctypes.c_int()),
             AT_SYMLINK_FOLLOW)
    except OSError:
        return b""
    return buffer.raw[:8 + struct.unpack_from("I", buffer)[0]]


def opens(handle):
    if not handle:
        return False
    try:
        os.close(call("open_by_handle_at", FD_NSFS_ROOT, handle, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def links_of_all_processes():
    """Whatever a process is in, or has a descriptor of."""
    links = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for folder in (f"/proc/{pid}/ns", f"/proc/{pid}/fd"):
            try:
                links.update(link_of(f"{folder}/{name}") for name in os.listdir(folder))
            except OSError:
                pass
    return links


class Traces:
    """Looks for all that a command could leave behind on a machine:

        processes     everything below this process
        namespaces    those in which its processes were seen, by their file handles: a handle opens
                      the namespace as long as anything holds it (Linux 6.18). Older kernels: by
                      their numbers, among the links and descriptors of all processes
        mounts        mountinfo of this process, byte for byte, and that of the machine's init
        files         its folder for temporary files, /dev/shm, and its folder for findings, in
                      which only whole scenarios are allowed

    Left out: namespaces in which no process was seen. The kernel's own counts show those.
    """

    KINDS = ("mnt", "user", "pid")

    def __init__(self, folder, pivotcheck):
        """The machine as it is now. `folder` is the command's current directory; `pivotcheck` says
        what is a scenario."""
        self.folder, self.pivotcheck = folder, pivotcheck
        self.mounts = self.read_mounts()
        self.shared_memory = set(os.listdir("/dev/shm"))
        self.own = {link_of(f"/proc/self/ns/{kind}") for kind in self.KINDS}
        self.namespaces = set()
        self.has_handles = opens(handle_of("/proc/self/ns/mnt"))

    @staticmethod
    def read_mounts():
        return {"": read_file("/proc/self/mountinfo"),
                " of process 1": read_file("/proc/1/mountinfo")}

    def note_namespaces(self, pid):
        """The namespaces of this process of the command."""
        for kind in self.KINDS:
            path = f"/proc/{pid}/ns/{kind}"
            link = link_of(path)
            if not link or link in self.own:
                continue
            handle = handle_of(path) if self.has_handles else b""
            # The process may have entered another one, or have ended, between the two reads.
            if link_of(path) == link:
                self.namespaces.add(Namespace(link, handle))

    def is_whole_scenario(self, path):
        if not path.endswith(".scn") or not read_file(path).endswith("\n"):
            return False
        drawn = subprocess.run([self.pivotcheck, "draw", path], capture_output=True, check=False)
        return drawn.returncode == 0

    def wrong_files(self):
        for name in set(os.listdir("/dev/shm")) - self.shared_memory:
            yield f"file: /dev/shm/{name}: new"
        for top in os.scandir(self.folder):
            if top.name in ("out", "err", "corpus", "inputs"):  # the latter are libFuzzer's own
                continue
            if top.name not in ("tmp", "artifacts"):
                yield f"file: {top.path}: nobody asked for it"
            for folder, folders, files in os.walk(top.path):
                for path in (os.path.join(folder, name) for name in folders + files):
                    if top.name != "artifacts":
                        yield f"file: {path}: nobody asked for it"
                    elif not os.path.isdir(path) and not self.is_whole_scenario(path):
                        yield f"file: {path}: not a whole scenario"

    def left_behind_now(self):
        reap_orphans()
        found = [f"process: {each.pid} ({each.role}, state {each.state})"
                 for each in processes_below()]
        links = set() if self.has_handles or not self.namespaces else links_of_all_processes()
        found += [f"namespace: {each.link}" for each in self.namespaces
                  if each.link in links or opens(each.handle)]
        mounts = self.read_mounts()
        found += [f"mount: mountinfo{whose} differs" for whose in mounts
                  if mounts[whose] != self.mounts[whose]]
        return found + list(self.wrong_files())

    def left_behind(self, limit_s):
        """A line for each thing that still exists after that time; returns as soon as nothing
        does."""
        end = time.monotonic() + limit_s
        while (found := self.left_behind_now()) and time.monotonic() < end:
            time.sleep(0.02)
        return found


class Watched:
    """A folder for the runs of a command, the run that is on, and what it leaves."""

    def __init__(self, pivotcheck):
        # Goes with this object.
        self.temporary = tempfile.TemporaryDirectory(prefix="pivotcheck-safety-")
        self.folder = self.temporary.name
        self.traces = Traces(self.folder, pivotcheck)
        self.process = None

    def start(self, *words):
        """In the folder, which gets `out`, `err` and the folder `tmp` (TMPDIR)."""
        def become():
            die_with_parent()  # if this test ends before it should
            os.setpgid(0, 0)

        tmp = os.path.join(self.folder, "tmp")
        os.makedirs(tmp, mode=0o700, exist_ok=True)
        with open(f"{self.folder}/out", "wb") as out, open(f"{self.folder}/err", "wb") as err:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                words, cwd=self.folder, env={**os.environ, "TMPDIR": tmp}, preexec_fn=become,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def below(self):
        return processes_below(self.process.pid)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def wait(self, limit_s=GONE_LIMIT_S):
        """Its exit status, below 0 for a signal; None if it has not ended within that time. Reaps
        orphans meanwhile."""
        end = time.monotonic() + limit_s
        while self.process.poll() is None and time.monotonic() <= end:
            reap_orphans(self.process.pid)
            time.sleep(0.005)
        return self.process.returncode

    def text(self, name):
        return read_file(f"{self.folder}/{name}")

    def nothing_left(self):
        """Within GONE_LIMIT_S; prints what is left."""
        found = self.traces.left_behind(GONE_LIMIT_S)
        for line in found:
            print("left behind:", line)
        return not found

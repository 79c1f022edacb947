# SPDX-License-Identifier: Apache-2.0
"""guest.py: one guest, which runs one command on a kernel.

    host                                     guest (one processor)
    Guest.lines(), send()   <- ttyS1 ->      the command's standard output, and input if it is read
    Guest.errors            <- ttyS2 --      its standard error
    Guest.log               <- ttyS0 --      the console: warnings of the kernel, a panic
    Guest.status            <- ttyS3 --      "the command ended with N", if it came so far

A boot image runs under qemu. User-mode Linux is a program, and runs as one, in a PID namespace of its
own, so that its processes end with it.

qemu ends with 0 after a panic, too: only that last line says that the command came to its end. A
guest whose owner dies is killed. One processor each, because two guests with one each do more than
one with two (ci/kernels.d/matrix.py has the figures).

KVM is used where a guest boots under it; that is tried once for each boot of this machine, since
there are hosts whose /dev/kvm opens and cannot run a kernel. Otherwise qemu emulates its plainest
processor, so that the host's does not matter."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from archive import CACHE, ROOT, Unavailable, need

MEMORY_MB = 1024
BOOT_SECONDS = 180   # about 4 idle, ten times that beside other work
KVM_TRY_SECONDS = 15
READ_SECONDS = 5     # for what a guest wrote before it ended
WITHOUT_APIC = "noapic"  # a second boot: on a busy host the IO-APIC's timer is missing now and then
LOG_LINES = 40       # of a log that is shown

# pivotcheck needs a root that it can pivot away from, as no initramfs is before 7.0: a tmpfs.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir /new && mount -t tmpfs none /new && cp -a /bin /tmp /root /etc /main /new
for each in *; do [ -e "/new/$each" ] || [ "$each" = new ] || cp -a "$each" /new; done
mount -t proc none /new/proc; mount -t sysfs none /new/sys; mount -t devtmpfs none /new/dev
exec switch_root /new /main
"""
MAIN = """#!/bin/sh
export HOME=/root NO_COLOR=1
for port in 1 2 3; do stty -F /dev/ttyS$port raw -echo; done
chmod 644 /dev/kmsg; echo 0 >/proc/sys/kernel/dmesg_restrict
%s >/dev/ttyS1 2>/dev/ttyS2
echo "the command ended with $?" >/dev/ttyS3
poweroff -f
"""
FOLDERS = ("bin", "proc", "sys", "dev", "tmp", "root", "etc")


def quoted(words):
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)


def as_user(command):
    """The shell command as an ordinary user of the guest."""
    return "su user -c " + quoted([command])


# --- the guest's files: an archive as the kernel reads it
#     (Documentation/driver-api/early-userspace/buffer-format.rst)

def archive_entry(name, mode, content=b""):
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def archive_of(files):
    """Of {path: (content, mode)}, with the folders that they lie in."""
    seen, parts = set(), []
    for path, (content, mode) in files.items():
        names = path.strip("/").split("/")
        for depth in range(1, len(names)):
            folder = "/".join(names[:depth])
            if folder not in seen:
                seen.add(folder)
                parts.append(archive_entry(os.fsencode(folder), 0o40755))
        parts.append(archive_entry(os.fsencode("/".join(names)), 0o100000 | mode, content))
    return b"".join(parts) + archive_entry(b"TRAILER!!!", 0)


def static_program(path):
    """Its bytes."""
    if not os.access(path, os.X_OK):
        raise Unavailable(f"{path} is missing (ci/build)")
    linked = subprocess.run(["ldd", path], capture_output=True, text=True)
    if "=>" in linked.stdout:
        raise Unavailable(f"{path} is not linked statically")
    return Path(path).read_bytes()


def pivotcheck_path():
    return os.environ.get("PIVOTCHECK", str(ROOT / "build/pivotcheck"))


def base_files():
    need("busybox")
    files = {f"{folder}/.keep": (b"", 0o644) for folder in FOLDERS}
    files["bin/busybox"] = (static_program(shutil.which("busybox")), 0o755)
    files["bin/pivotcheck"] = (static_program(pivotcheck_path()), 0o755)
    files["etc/passwd"] = (b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n", 0o644)
    files["init"] = (INIT.encode(), 0o755)
    return files


# --- booting

def is_program(image):
    """An ELF file is user-mode Linux; a boot image is none."""
    with open(image, "rb") as file:
        return file.read(4) == b"\x7fELF"


def accelerator(image):
    """"uml", "kvm" or "tcg", and why."""
    if is_program(image):
        return "uml", "user-mode Linux, a program of this machine"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "KVM was not tried: there is no /dev/kvm for this user"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    note = CACHE / "kvm"
    if not note.exists() or not note.read_text().startswith(boot_id):
        CACHE.mkdir(parents=True, exist_ok=True)
        with start(image, "echo up", {}, "kvm") as guest:
            works = guest.next_line(KVM_TRY_SECONDS) == "up"
        note.write_text(f"{boot_id} {'works' if works else 'fails'}\n")
    if note.read_text().split()[1] == "works":
        return "kvm", "KVM"
    return "tcg", "KVM was tried, and no guest came up under it"


class Session:
    """A process that is talked to by lines. Those that are open end when a signal asks this program
    to (stop_all). Their files have no names, so that nothing is left after a kill -9 either."""
    open_ones = set()
    stopped_by = None  # the signal's number

    @classmethod
    def stop_all(cls, number, _):
        cls.stopped_by = number
        for session in list(cls.open_ones):
            session.kill()

    def __init__(self):
        self.files = {}
        self.waiting = b""
        self.has_ended = False
        self.file("messages")
        try:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.files["messages"],
                                            pass_fds=list(self.files.values()),
                                            start_new_session=True)
        except BaseException:
            self.close_files()
            raise
        os.set_blocking(self.process.stdout.fileno(), False)
        Session.open_ones.add(self)
        if Session.stopped_by:
            self.kill()

    def file(self, name, content=b""):
        """Makes one; what the process can open it by."""
        number = self.files[name] = os.memfd_create(name)
        with open(number, "wb", closefd=False) as file:
            file.write(content)
        return f"/proc/self/fd/{number}"

    def close_files(self):
        while self.files:
            os.close(self.files.popitem()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.close_files()

    def read(self, deadline):
        """Some bytes, b"" at the end; TimeoutError after the deadline."""
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            got = os.read(self.process.stdout.fileno(), 1 << 16)
            if got is not None:
                return got

    def next_line(self, seconds):
        """None where the guest ended, or said nothing for so long (`has_ended` tells which)."""
        deadline = time.monotonic() + seconds
        try:
            while b"\n" not in self.waiting:
                got = self.read(deadline)
                if not got:
                    self.has_ended = True
                    return None
                self.waiting += got
        except TimeoutError:
            return None
        line, _, self.waiting = self.waiting.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    def everything(self, seconds):
        """All that the command printed, once the guest has ended or the time is up."""
        deadline, out = time.monotonic() + seconds, b""
        try:
            while got := self.read(deadline):
                out += got
            self.has_ended = True
        except TimeoutError:
            pass
        return out

    def send(self, text):
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it ended: the next line tells

    def kill(self):
        """It, and what it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def end(self):
        Session.open_ones.discard(self)
        self.kill()
        self.process.wait()
        self.process.stdout.close()

    def text(self, name):
        number = self.files[name]
        read = os.pread(number, os.fstat(number).st_size, 0)
        return read.decode(errors="replace").replace("\r", "")


class Local(Session):
    """A command on this machine's own kernel."""
    log = ""

    def __init__(self, words):
        self.words = words
        super().__init__()

    def command(self):
        return ["setpriv", "--pdeathsig", "KILL", *self.words]

    @property
    def errors(self):
        return self.text("messages")

    @property
    def status(self):
        try:
            return self.process.wait(1)
        except subprocess.TimeoutExpired:
            return None


class Guest(Session):
    """Starts at once. `script` is a shell command; `files` are further files of the guest."""

    def __init__(self, image, script, files, accelerated_by, options):
        self.image, self.accelerated_by, self.options = image, accelerated_by, options
        main = ((MAIN % script).encode(), 0o755)
        self.archive = archive_of({**base_files(), "main": main, **files})
        super().__init__()

    @property
    def log(self):
        return self.text("log") + self.text("messages")

    @property
    def errors(self):
        return self.text("err")

    @property
    def found_no_timer(self):
        return "IO-APIC + timer doesn't work" in self.log

    @property
    def status(self):
        """The command's exit status; None if it did not come to its end."""
        found = re.search(r"the command ended with (\d+)", self.text("end"))
        return int(found[1]) if found else None


class QemuGuest(Guest):
    def command(self):
        need("qemu-system-x86_64", "setpriv")
        fast = ["-cpu", "host", "-accel", "kvm"] if self.accelerated_by == "kvm" else \
               ["-cpu", "qemu64", "-accel", "tcg,tb-size=256"]
        log, errors, end = (f"file:{self.file(name)}" for name in ("log", "err", "end"))
        ports = ["-serial", log, "-chardev", "stdio,id=port,signal=off", "-serial", "chardev:port",
                 "-serial", errors, "-serial", end]
        return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-M", "q35", *fast,
                "-m", str(MEMORY_MB), "-nodefaults", "-display", "none", *ports, "-no-reboot",
                "-kernel", str(self.image), "-initrd", self.file("initramfs", self.archive),
                "-append", f"console=ttyS0 loglevel=5 panic=-1 mitigations=off {self.options}"]


class UmlGuest(Guest):
    """The program can wait for pipes alone, so its ports are pipes, which threads read."""

    def __init__(self, *arguments):
        self.ports, self.readers = [], []
        super().__init__(*arguments)
        while self.ports:
            os.close(self.files.pop(self.ports.pop()))  # so that the readers see its end

    def command(self):
        need("unshare", "prlimit", "setpriv", "setarch")
        log, errors, end = (self.pipe(name) for name in ("log", "err", "end"))
        owner = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
        return ["setpriv", "--pdeathsig", "KILL", "prlimit", "--core=0", "setarch", "-R", "unshare", *owner, "--pid",
                "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh", str(self.image),
                f"mem={MEMORY_MB}M", f"initrd={self.file('initramfs', self.archive)}",
                f"con0=null,fd:{log}", "con=null", "ssl0=null", "ssl1=fd:0,fd:1",
                f"ssl2=null,fd:{errors}", f"ssl3=null,fd:{end}", "loglevel=5", "panic=-1",
                "uml_dir=/dev/null/",  # it wants a folder for a socket that nobody needs
                *self.options.split()]

    def pipe(self, name):
        """What the program writes to; a thread copies it into the file of that name."""
        self.file(name)
        source, number = os.pipe()
        self.ports.append(f"{name} port")
        self.files[self.ports[-1]] = number
        reader = threading.Thread(target=copy_all, args=(source, os.dup(self.files[name])))
        reader.start()
        self.readers.append(reader)
        return number

    def text(self, name):
        for reader in self.readers if self.has_ended else ():
            reader.join(READ_SECONDS)
        return super().text(name)


def copy_all(source, to):
    while got := os.read(source, 1 << 16):
        os.write(to, got)
    os.close(source)
    os.close(to)


def start(image, script, files, accelerated_by, options=""):
    kind = UmlGuest if accelerated_by == "uml" else QemuGuest
    return kind(image, script, files, accelerated_by, options)


def run_script(image, script, seconds, files=None, options=""):
    """(what the shell script printed, the guest once it ended). `files`: texts or bytes by name."""
    accelerated_by, _ = accelerator(image)
    contents = {}
    for name, content in (files or {}).items():
        content = content.encode() if isinstance(content, str) else content
        contents[name] = (content, 0o755 if content.startswith(b"\x7fELF") else 0o644)
    with start(image, quoted(["sh", "-c", script]) + " </dev/null", contents, accelerated_by,
               options) as session:
        out = session.everything(seconds).decode(errors="replace").replace("\r", "")
        return out, SimpleNamespace(log=session.log, status=session.status,
                                    ended=session.has_ended, errors=session.errors)


def objects_in(out):
    """The lines that are JSON objects."""
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def last_lines(text, count=LOG_LINES):
    return text.rstrip().splitlines()[-count:]

# SPDX-License-Identifier: Apache-2.0
"""build.py: `ci/kernels build`: a small kernel of one's own, from Debian's source or any other.

    ci/kernels build                            6.12, as user-mode Linux
    ci/kernels build --source 7.3 --arch x86    a boot image, for qemu
    ci/kernels build --source DIR --variant leaks

    variant   what it is for                                                        used by
    plain     faults, and whatever wants a kernel of its own                        planted
    leaks     allocations that fail, and kmemleak                                   shortage
    gcov      which lines and branches of the mount code ran                        coverage
    kcov      the same for each task, which fuzzing follows
    kasan     use after free, and locks taken in the wrong order (lockdep)

    build/kernels/source-6.12/          Debian's source, fetched once (150 MB, 1.5 GB on disk)
    build/kernels/built/6.12-um-plain/  what make made; the next build makes only what has changed

The configuration is what ci/kernels.d/config says, and nothing else: its files `common`, that of the
architecture and that of the variant. An option that the source does not take as it is written is
named, and nothing is built. User-mode Linux needs no emulation: there a case takes a tenth of the time
that it takes under qemu."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from archive import CACHE, Unavailable, complain, download

CONFIG = Path(__file__).resolve().parent / "config"
SOURCES = {"6.12": ("bookworm-security", "linux-source-6.12"),
           "7.3": ("trixie-backports", "linux-source-7.3")}
IMAGES = {"um": "linux", "x86": "arch/x86/boot/bzImage"}
TARGETS = {"um": "linux", "x86": "bzImage"}
# The mount code: fs/*.c, and kernel/nsproxy.c. (ipc/namespace.c comes along, by its name.)
OBJECTS = ("namespace", "pnode", "fs_struct", "nsfs", "namei", "nsproxy")
# What make is told besides config/VARIANT.
VARIANTS = {"plain": [], "leaks": [], "kasan": [],
            "gcov": [f"GCOV_PROFILE_{name}.o=y" for name in OBJECTS],
            "kcov": [f"KCOV_INSTRUMENT_{name}.o=y" for name in OBJECTS]}
TOOLS = ("make", "gcc", "ld", "flex", "bison", "bc", "patch", "xz")
EDITS = (
    # On processors with AMX a process's registers take more than user-mode Linux before 6.13 has room
    # for, and its first program dies of SIGSEGV. From 6.13 on it asks at start.
    ("arch/x86/um/user-offsets.c", "DEFINE_LONGS(HOST_FP_SIZE, 2696)",
     "DEFINE_LONGS(HOST_FP_SIZE, 11264)"),
    # In user-mode Linux libc calls this, before there is a kernel that could lock or print.
    ("kernel/gcov/gcc_base.c", "\tmutex_lock(&gcov_lock);\n", ""),
    ("kernel/gcov/gcc_base.c", "\tmutex_unlock(&gcov_lock);\n", ""),
    ("kernel/gcov/gcc_base.c", 'pr_info("version magic: 0x%x\\n", gcov_version);', ";"),
)


def unpack(package_file, folder):
    """The source in one of Debian's linux-source packages, into the folder."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package_file], stdout=subprocess.PIPE) as tar:
        subprocess.run(["tar", "-x", "-C", folder, "--wildcards", "*.tar.xz"], stdin=tar.stdout,
                       check=True)
    package_file.unlink()
    inner = next(folder.rglob("*.tar.xz"))
    subprocess.run(["tar", "-xJf", inner, "-C", folder], check=True)
    return next(path for path in folder.iterdir() if (path / "Kconfig").is_file())


def edit(source):
    for name, before, after in EDITS:
        file = source / name
        text = file.read_text()
        if before in text:
            file.write_text(text.replace(before, after))


def source_of(name):
    """The folder of a source: Debian's by its version, fetched once, or any by its path."""
    if name not in SOURCES:
        if not (Path(name) / "Kconfig").is_file():
            raise Unavailable(f"no kernel's source: {name} (known by name: {', '.join(SOURCES)})")
        return Path(name).resolve()
    source = CACHE / f"source-{name}"
    if source.is_dir():
        return source
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fetch.", dir=CACHE))
    try:
        # Whole or not at all.
        unpacked = unpack(download(folder, *SOURCES[name]), folder)
        edit(unpacked)
        unpacked.rename(source)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"{SOURCES[name][1]}: no answer within {late.timeout:.0f} s") from late
    finally:
        shutil.rmtree(folder)
    return source


def wanted_lines(arch, variant):
    lines = []
    for part in ["common", arch, *([] if variant == "plain" else [variant])]:
        lines += [line for line in (CONFIG / part).read_text().splitlines()
                  if line.startswith("CONFIG_")]
    return lines


class Build:
    def __init__(self, source, arch, variant, jobs, folder=None):
        self.source, self.arch, self.jobs = source_of(source), arch, jobs
        name = source if source in SOURCES else self.source.name
        self.folder = folder or CACHE / "built" / f"{name}-{arch}-{variant}"
        self.lines = wanted_lines(arch, variant)
        self.words = VARIANTS[variant]

    def make(self, target, *words, **environment):
        """Its output goes to a log: a kernel says much."""
        command = ["make", "-s", f"O={self.folder}", f"ARCH={self.arch}", *words, target]
        with open(self.folder / "build.log", "ab") as log:
            made = subprocess.run(command, cwd=self.source, stdout=log, stderr=log,
                                  env={**os.environ, **environment})
        if made.returncode != 0:
            raise Unavailable(f"make {target} failed; {self.folder}/build.log says why")

    def configure(self):
        """Only where the wanted lines have changed: a new .config may build everything anew."""
        text = "\n".join(self.lines) + "\n"
        wanted = self.folder / "wanted.config"
        config = self.folder / ".config"
        if config.exists() and wanted.exists() and wanted.read_text() == text:
            return
        wanted.write_text(text)
        self.make("allnoconfig", KCONFIG_ALLCONFIG=str(wanted))
        got = set(config.read_text().splitlines())
        if refused := [line for line in self.lines if line not in got]:
            wanted.unlink()
            raise Unavailable(f"{self.source} does not take: {', '.join(refused)}")

    def image(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "build.log").unlink(missing_ok=True)
        self.configure()
        self.make(TARGETS[self.arch], f"-j{self.jobs}", *self.words)
        return self.folder / IMAGES[self.arch]


def need_tools():
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise Unavailable(f"missing: {' '.join(missing)} (ci/install kernels)")


def build(options):
    need_tools()
    made = Build(options.source, options.arch, options.variant, options.jobs)
    complain(f"making {made.folder}")
    print(made.image())
    return 0

# SPDX-License-Identifier: Apache-2.0
"""archive.py: from a kernel's name to a boot image. Names are those of ci/kernels.list, whose
packages come from Debian's archive and are kept in build/kernels; or paths of images; or `host`,
the running kernel. Nothing is installed, and the machine's own package lists stay as they are:
apt-get is given folders of its own, so an ordinary user can do it."""
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "ci/kernels.list"
CACHE = ROOT / "build/kernels"
FETCH_SECONDS = 300
HOST = "host"
BUILT = "arch/x86/boot/bzImage"  # in a kernel's source


class Unavailable(Exception):
    """There is no such kernel, or something is missing: exit status 4, and one line says which."""


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is missing (ci/install tests)")


def rows():
    """(name, suite, package) of each kernel, oldest first."""
    lines = LIST.read_text().splitlines()
    return [tuple(line.split()) for line in lines if line.strip() and not line.startswith("#")]


def names():
    return [name for name, _, _ in rows()]


def release_key(name):
    """Sorts names: by numbers; `host` and paths last, in their order."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", name)
    return tuple(int(part or 0) for part in found.groups()) if found else (10**6,)


def stable_line(name):
    """6.12.117 is of the line 6.12."""
    return ".".join(name.split(".")[:2])


def own_package():
    """The newest kernel of this Debian release, which its metapackage depends on."""
    shown = subprocess.run(["apt-cache", "depends", "--important", "linux-image-cloud-amd64"],
                           capture_output=True, text=True)
    found = re.search(r"Depends: (linux-(?:image|binary)-\S+)", shown.stdout)
    if not found:
        raise Unavailable("the package lists have no linux-image-cloud-amd64: "
                          "run apt-get update as root")
    return found[1]


def errors_of(text):
    lines = [line for line in text.splitlines() if line.startswith("E:")]
    return lines[0] if lines else text.strip()[-200:]


def private_lists(folder, suite):
    """apt-get's options for package lists of that suite alone, from the mirror that apt has."""
    kind = "security" if suite.endswith("-security") else "main"
    shown = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)",
                            "Created-By: Packages"], capture_output=True, text=True)
    pairs = [line.split() for line in shown.stdout.splitlines() if len(line.split()) == 2]
    mirrors = [mirror for release, mirror in pairs
               if ("-security" in release) == (kind == "security")]
    if not mirrors:
        raise Unavailable(f"apt is set up for no mirror that could have {suite}")
    for part in ("parts", "lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "parts/kernels.list").write_text(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        f"{mirrors[0]} {suite} main\n")
    options = [f"Dir::Etc::sourcelist={os.devnull}", f"Dir::Etc::sourceparts={folder}/parts",
               f"Dir::State::lists={folder}/lists", f"Dir::Cache={folder}/cache",
               "Acquire::Languages=none", "APT::Sandbox::User=root", "APT::Update::Error-Mode=any"]
    return [word for option in options for word in ("-o", option)]


def update_lists(apt, suite, package):
    updated = subprocess.run(["apt-get", *apt, "update"], capture_output=True, text=True,
                             timeout=FETCH_SECONDS)
    if updated.returncode != 0:
        raise Unavailable(f"the lists of {suite} cannot be fetched: "
                          f"{errors_of(updated.stdout + updated.stderr)}")
    shown = subprocess.run(["apt-cache", *apt, "show", package], capture_output=True)
    if shown.returncode != 0:
        raise Unavailable(f"{package} is gone: {suite} no longer has it")


def download(folder, suite, package):
    """The package, a file in the folder."""
    apt = private_lists(folder, suite) if suite else []
    if suite:
        update_lists(apt, suite, package)
    done = subprocess.run(["apt-get", *apt, "download", package], cwd=folder, capture_output=True,
                          text=True, timeout=FETCH_SECONDS)
    if done.returncode != 0:
        raise Unavailable(f"{package} cannot be downloaded: {errors_of(done.stdout + done.stderr)}")
    return next(folder.glob("*.deb"))


def boot_image_in(deb, folder):
    """Takes it out of the package, into the folder."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
        subprocess.run(["tar", "-x", "-C", folder, "--wildcards", "*/vmlinuz*"], stdin=tar.stdout,
                       capture_output=True)
    images = [path for path in folder.rglob("vmlinuz*") if path.is_file()]
    if not images:
        raise Unavailable(f"{deb.name} has no boot image")
    return images[0]


def fetch(name=None):
    """The path of a boot image; without a name, this Debian release's own."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"only x86-64 kernels are known, this is {platform.machine()}")
    need("apt-cache", "apt-get", "dpkg-deb")
    found = {row[0]: row for row in rows()}
    if name and name not in found:
        raise Unavailable(f"no kernel {name} in {LIST.relative_to(ROOT)} (ci/kernels list)")
    suite, package = found[name][1:] if name else ("", own_package())
    image = CACHE / package
    if image.exists():
        return image
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fetch.", dir=CACHE))
    try:
        # Whole or not at all: others may be fetching it too.
        boot_image_in(download(folder, suite, package), folder).rename(image)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"{package}: no answer within {FETCH_SECONDS} s") from late
    finally:
        shutil.rmtree(folder)
    return image


def image_of(name):
    """Of a name of the list; or the path of an image, or of user-mode Linux, or of a kernel's source
    in which one of them was built."""
    if "/" not in name:
        return fetch(name)
    path = Path(name)
    if path.is_dir():
        path /= "linux" if (path / "linux").is_file() else BUILT
    if not path.is_file():
        raise Unavailable(f"{path} is missing")
    return path


def print_list():
    for name, suite, package in rows():
        here = "here" if (CACHE / package).exists() else ""
        print(f"{name:<9} {suite:<19} {package:<40} {here}")


def complain(text):
    print(f"ci/kernels: {text}", file=sys.stderr, flush=True)

# SPDX-License-Identifier: Apache-2.0
"""single.py: `ci/kernels run NAME -- ARGUMENT...`: the command on one kernel, as if it ran here."""
import os
import sys
from pathlib import Path

from archive import ROOT, complain, image_of
from guest import WITHOUT_APIC, accelerator, last_lines, quoted, start

SECONDS_MAX = int(os.environ.get("SECONDS_MAX", 900))


def files_for(arguments, started_in):
    """The corpus, and each file that an argument names, under the same name; `main` runs in /."""
    files = {}
    for path in sorted((ROOT / "corpus").rglob("*")):
        if path.is_file():
            files[str(path.relative_to(ROOT))] = (path.read_bytes(), 0o644)
    for argument in arguments:
        path = Path(started_in) / argument
        if path.is_file() and ".." not in path.parts:
            files[argument] = (path.read_bytes(), 0o644)
    return files


def run(name, arguments, started_in):
    image = image_of(name)
    accelerated_by, _ = accelerator(image)
    command = quoted(["pivotcheck", *arguments]) + " </dev/null"
    files = files_for(arguments, started_in)
    return boot(name, image, command, files, accelerated_by, "")


def boot(name, image, command, files, accelerated_by, options):
    with start(image, command, files, accelerated_by, options) as guest:
        out = guest.everything(SECONDS_MAX)
        if guest.status is None and guest.found_no_timer and not options:
            return boot(name, image, command, files, accelerated_by, WITHOUT_APIC)
        sys.stdout.buffer.write(out)
        sys.stdout.flush()
        sys.stderr.write(guest.errors)
        if guest.status is not None:
            return guest.status
        how = "ended without the command's end" if guest.has_ended else \
              f"was ended after {SECONDS_MAX} s"
        complain(f"the guest with {name} {how}; its log ends:")
        print("\n".join(last_lines(guest.log)), file=sys.stderr)
    return 3

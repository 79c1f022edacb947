# SPDX-License-Identifier: Apache-2.0
"""results.py: reads what `ci/kernels run` wrote (matrix.py), of one folder or of several: shards,
or runs of other days. A kernel whose run was not closed, or that did not run all, says so
(`not_run`)."""
import json
from pathlib import Path

from archive import HOST, Unavailable, release_key


def short_release(text):
    """6.18.44-fc-v669 is 6.18.44."""
    return ".".join(str(part) for part in release_key(text))


def model_of(traits):
    """{name: bool} as `pivotcheck predict --model` takes it."""
    changes = [f"{name}={'on' if on else 'off'}" for name, on in traits.items()]
    return ",".join(["contract", *changes])


class Kernel:
    """What one kernel answered: its header, {name of a scenario: result}, how many were not run."""

    def __init__(self, name):
        self.name, self.header, self.results, self.not_run = name, {}, {}, 0

    def add(self, path):
        is_closed = False
        for line in path.read_text().splitlines():
            said = json.loads(line)
            if "kernel" in said and "traits" in said:
                self.header = said
            elif "result" in said:
                self.results[said["name"]] = said
            elif "end" in said:
                is_closed = True
                self.not_run += said["not_run"]
        if not is_closed:
            raise Unavailable(f"{path}: the run was not closed")

    @property
    def model(self):
        return model_of(self.header["traits"])


def read(folders):
    """({name: scenario text}, the kernels, oldest first)."""
    cases, kernels = {}, {}
    for folder in map(Path, folders):
        try:
            for line in (folder / "cases.jsonl").read_text().splitlines():
                case = json.loads(line)
                cases[case["name"]] = case["scenario"]
        except FileNotFoundError as missing:
            raise Unavailable(f"{folder}: no results of ci/kernels run") from missing
        for path in sorted(folder.glob("*.jsonl")):
            if path.name == "cases.jsonl":
                continue
            found = Kernel(path.stem)
            found.add(path)
            if not found.header:
                continue
            if found.name == HOST:
                found.name = short_release(found.header["release"])
            whole = kernels.setdefault(found.name, found)
            if whole is not found:
                whole.results.update(found.results)
                whole.not_run += found.not_run
    return cases, sorted(kernels.values(), key=lambda kernel: release_key(kernel.name))

# SPDX-License-Identifier: Apache-2.0
# What runs by itself: the workflow is what GitHub reads, and names commands that are there; ci/nightly
# says of each part what became of it, and a part that did not run is not one that passed; build.sh packs
# each target with what it needs. SOURCE is the checkout.
set -euo pipefail
cd "${SOURCE:?the checkout}"
command -v yamllint >/dev/null || { echo 'yamllint is missing (ci/install tests)' >&2; exit 77; }

yamllint --strict .github/workflows/*.yml .clusterfuzzlite/project.yaml
bash -n .clusterfuzzlite/build.sh
python3 -B - <<'END'
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import tempfile

import yaml

# --- the workflow
flow = yaml.safe_load(pathlib.Path(".github/workflows/ci.yml").read_text())
assert set(flow["on"]) == {"push", "pull_request", "schedule", "workflow_dispatch"}, flow["on"]
assert flow["permissions"] == {"contents": "read"}
known = {"name", "if", "runs-on", "timeout-minutes", "container", "steps"}
run = []
for name, job in flow["jobs"].items():
    assert set(job) <= known and {"runs-on", "timeout-minutes", "steps"} <= set(job), name
    assert job["container"]["options"] == "--privileged", name
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step), step
        assert set(step) <= {"name", "if", "uses", "with", "run"}, step
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1")), step
        run.append(step.get("run", ""))
assert "secrets." not in str(flow) and not any("services" in job for job in flow["jobs"].values())
assert {"ci/test", "ci/nightly"} <= set(run)

# --- ci/nightly
loader = importlib.machinery.SourceFileLoader("nightly", "ci/nightly")
nightly = importlib.util.module_from_spec(importlib.util.spec_from_loader("nightly", loader))
loader.exec_module(nightly)
named = run + [command for _, *lists in nightly.PARTS.values() for one in lists for command in one]
for command in named:
    for path in re.findall(r"(?:^|\s)((?:ci|props)/[\w./-]+)", command):
        assert os.access(path, os.F_OK), f"{command}: no {path}"
with tempfile.TemporaryDirectory() as folder:
    state = pathlib.Path(folder)
    runner = nightly.Runner()
    parts = []
    for name, commands in {"fuzz": ["echo well"], "hang": ["echo '<b>ill'; exit 1", "echo never"],
                           "soak": ["echo 'no such thing' >&2; exit 4"], "bench": []}.items():
        parts.append(nightly.run_part(name, commands, {}, state, runner))
    results = [(part["result"], part["last_line"]) for part in parts]
    assert results == [("passed", "well"), ("failed", "<b>ill"), ("not run", "no such thing"),
                       ("not run", "not a part of --short")], results
    assert nightly.verdict_of(parts) == "1 failed: hang; 2 not run: soak, bench"
    assert nightly.verdict_of(parts[:1]) == "all 1 parts passed"
    report = {"date": "2026-01-01", "commit": "c", "kernel": "k", "short": False, "parts": parts}
    nightly.write(report, state)
    page = (state / "report.html").read_text()
    assert "&lt;b&gt;ill" in page and "<b>ill" not in page and "1 failed: hang" in page
    words = nightly.words(state, nightly.datetime.datetime(2026, 1, 1))
    for _, *lists in nightly.PARTS.values():
        for one in lists:
            for command in one:
                command.format(**words)
END

# --- build.sh, with a compiler that is none
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder"/{bin,out,work}
printf '#!/bin/sh\nmkdir -p "$WORK/pivotcheck"\nfor t in trial model parse mountinfo canary; do\n%s\n' \
  '  echo "$t" >"$WORK/pivotcheck/fuzz_$t"; done; echo "$@" >>"$WORK/said"' >"$folder/bin/cmake"
chmod +x "$folder/bin/cmake"
PATH=$folder/bin:$PATH CC=c CXX=c++ CFLAGS= CXXFLAGS=-x LIB_FUZZING_ENGINE='a b' OUT=$folder/out \
  WORK=$folder/work .clusterfuzzlite/build.sh
grep -qF -- '-DPIVOTCHECK_FUZZING_ENGINE=a b' "$folder/work/said"
for target in trial model parse mountinfo; do
  for file in '' .dict .options _seed_corpus.zip; do
    [[ -s $folder/out/fuzz_$target$file ]] || { echo "build.sh made no fuzz_$target$file" >&2; exit 1; }
  done
  python3 -m zipfile -t "$folder/out/fuzz_${target}_seed_corpus.zip" >/dev/null
done
[[ ! -e $folder/out/fuzz_canary ]] || { echo 'build.sh packs the canary' >&2; exit 1; }

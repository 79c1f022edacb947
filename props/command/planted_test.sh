# SPDX-License-Identifier: Apache-2.0
# ci/kernels planted: what it makes of what a faulty kernel shows. The kernels themselves are made by
# hand and at night; here a guest's words are given.
source "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || skip 'python3 is not installed'

python3 -B - "$SOURCE/ci/kernels.d" <<'END' || die 'a fault is judged otherwise'
import json, re, sys
from argparse import Namespace
sys.path.insert(0, sys.argv[1])
import build, planted

# Each fault: one sentence, which mend was taken out if it is a real one, and a few lines.
for source, variant in [*((source, "plain") for source in build.SOURCES), ("6.12", "kasan")]:
    for fault in planted.faults_of(source, [], variant):
        assert re.fullmatch(r"[A-Z.][^\n]*\.", fault.what), fault.path
        assert fault.put_back is None or fault.put_back.startswith("Put back: "), fault.path
        changed = [line for line in fault.text.splitlines() if re.match(r"[+-](?![+-])", line)]
        assert fault.files and 1 <= len(changed) <= 12, fault.path

report = "title: disagreement: unshare state\nmake-unbindable /\nunshare mnt\n# ^^^ step 2\n"
finding = json.dumps({"finding": "x.scn", "report": report})
said = {"answers": ""}
def in_guest(image, script, seconds, files=None):
    log = "Kernel panic - not syncing" if said.get("died") else ""
    out = said["run"] if "pivotcheck run" in script else said["explore"]
    return out, Namespace(log=log, status=None if log else 0, ended=True)
planted.guest.run_script = in_guest
def result(explore, run=""):
    said.update(explore=explore, run=run)
    search = planted.Search("image", "a=on", Namespace(cases=10, seed=1, folder=None))
    search.deadly = lambda: {"result": "deadly"}
    return search.run()
works, summary = "ordinary use works\n", json.dumps({"cases": 7}) + "\n"
shown = json.dumps({"file": "/case.scn", "result": "disagree"})
found = result(works + finding + "\n" + summary + "explore ended with 1\n", shown)
assert (found["result"], found["by"], found["cases"], found["steps"]) == \
       ("found", "disagreement: unshare state", 7, 2), found
agrees = shown.replace("disagree", "agree")
assert result(works + finding + "\n" + summary + "explore ended with 1\n", agrees)["result"] == \
       "not shown again"
assert result(works + summary + "explore ended with 0\n")["result"] == "missed"
assert result(works + summary + "explore ended with 3\n")["result"] == "deadly"
assert result(works)["result"] == "deadly"
assert result(summary + "explore ended with 0\n")["result"] == "useless"

# A scenario that the clean kernel does not agree with either proves nothing.
said["explore"] = ""
said["run"] = "\n".join(json.dumps({"file": f"/{name}.scn", "result": kind})
                        for name, kind in (("one", "agree"), ("two", "disagree")))
results = {name: {"scenario": report} for name in ("one", "two")}
assert planted.accepted_by("clean", "a=on", results) == {"one"}
END
expect 4 'err:no fault nothing' "$SOURCE/ci/kernels" planted nothing

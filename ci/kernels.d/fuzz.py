# SPDX-License-Identifier: Apache-2.0
"""fuzz.py: `ci/kernels fuzz`: libFuzzer in a guest, led by the code of the kernel that it runs.

    ci/kernels fuzz                               6.12, a minute
    ci/kernels fuzz --seconds 3600 --guidance kernel

A kernel with KCOV is built (variant `kcov`) and booted as user-mode Linux, and fuzz_trial, with the
libraries that it loads, begins with the corpus there. What leads it: nothing, the model (rules, pairs of
operations, situations), the kernel (which code of it the steps ran), or all of that. The inputs that
reached something new come back into a folder, the next time it begins with them as well.

Exit status: that of `pivotcheck explore`; 3 if the guest did not come to its end; 4 something is
missing."""
import base64
import io
import re
import subprocess
import tarfile
from pathlib import Path

import build
import guest
import single
from archive import ROOT, complain

GUIDANCES = ("none", "model", "kernel", "all")
CORPUS = ROOT / "build/corpus-by-kernel"
TARGET = ROOT / "build/fuzz/fuzz_trial"
SECONDS_BESIDE = 300  # for booting, the corpus, and reading
JOBS = 4

SCRIPT = """mount -t debugfs none /sys/kernel/debug
cd /; mkdir -p seeds /tmp/corpus; cp -r corpus/. seeds
export PIVOTCHECK_GUIDANCE={guidance}
pivotcheck explore --seconds {seconds} --seed {seed} --jobs {jobs} --libfuzzer /fuzz_trial \\
  --libfuzzer-percent 100 --corpus /tmp/corpus --seeds /seeds --json
echo "explore ended with $?"
tar -c -C /tmp/corpus . | gzip | base64; echo "end of corpus"
"""


def libraries_of(program):
    """Those that it loads, under the names by which it does."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return {path: Path(path).read_bytes() for path in re.findall(r"(/\S+) \(0x", said)}


def keep(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode="r:gz") as archive:
        for each in archive.getmembers():
            if each.isfile():
                (folder / Path(each.name).name).write_bytes(archive.extractfile(each).read())


def fuzz(options):
    image = options.image
    if not image:
        build.need_tools()
        image = build.Build(options.source, "um", "kcov", options.jobs).image()
    subprocess.run([ROOT / "ci/build", "fuzz", "--target", "fuzz_trial"], check=True)
    files = {name: content for name, (content, _) in single.files_for([], ROOT).items()}
    corpus = Path(options.corpus)
    for path in sorted(corpus.glob("*")) if corpus.is_dir() else ():
        files[f"seeds/{path.name}"] = path.read_bytes()
    files["fuzz_trial"] = TARGET.read_bytes()
    files.update(libraries_of(TARGET))
    script = SCRIPT.format(guidance=options.guidance, seconds=options.seconds, seed=options.seed,
                           jobs=JOBS)
    out, ended = guest.run_script(image, script, options.seconds + SECONDS_BESIDE, files)
    said, _, rest = out.partition("explore ended with ")
    print(said, end="")
    print(ended.errors, end="")
    if "end of corpus" not in rest:
        complain("the guest did not come to its end; the end of its log:")
        print("\n".join(guest.last_lines(ended.log)))
        return 3
    status, _, text = rest.partition("\n")
    keep(corpus, text.partition("end of corpus")[0])
    return int(status)

# SPDX-License-Identifier: Apache-2.0
"""coverage.py: `ci/kernels coverage`: which lines of the kernel's mount code are reached, by what.

    ci/kernels coverage                     6.12
    ci/kernels coverage --source 7.3 --seconds 600 --output FOLDER

    FOLDER/index.html       each file with its lines and branches, and what was not reached
    FOLDER/coverage.info    the same for lcov
    FOLDER/not-reached.txt  a line for each line that was not reached, and why, as far as it is known

A kernel that counts is built (variant `gcov`) and booted as user-mode Linux. In it run, one after the
other, and the counts are read after each:

    scenarios   the corpus, then `explore` for some seconds
    shortage    each operation, while memory or mounts run out
    use         a container, and calls that the format of scenarios does not have

Two sets of lines are counted: all of the mount code, and `promised`: pnode.c and what pivot_root, mount,
umount, move_mount, unshare and setns call in it, by the names in their source. not-reached.txt beside
this file says of what is not reached whether any program can, and what would do it; what none can is
excused from both shares.

Exit status: 0; 3 the guest did not come to its end; 4 something is missing."""
import base64
import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import build
import guest
import single
from archive import ROOT, Unavailable, complain
from shortage import FAILING

SECONDS_BESIDE = 1800  # for all but explore
JOBS = 4
REASONS = ROOT / "ci/kernels.d/not-reached.txt"
FOLDER = ROOT / "build/coverage"
FILES = ("fs/namespace.c", "fs/pnode.c", "fs/fs_struct.c", "fs/nsfs.c", "kernel/nsproxy.c",
         "fs/namei.c")
# Of namei.c only what is about mounts, roots and "..".
OF_NAMEI = ("choose_mountpoint_rcu choose_mountpoint __traverse_mounts traverse_mounts "
            "__follow_mount_rcu handle_mounts follow_dotdot_rcu follow_dotdot follow_up follow_down "
            "follow_down_one path_connected set_root nd_jump_root follow_automount").split()
# Where the promised calls enter these files. unshare itself is in kernel/fork.c, and setns calls by
# a table.
ENTRIES = re.compile(r"^__(do|se)_sys_(pivot_root|mount|umount|oldumount|move_mount|setns)$|"
                     r"^(unshare_nsproxy_namespaces|copy_mnt_ns|unshare_fs_struct|mntns_install)$")

STAGES = ("scenarios", "shortage", "use")
SCRIPT = """counts() {{
  find /sys/kernel/debug/gcov -name '*.gcda' | while read -r each; do
    echo "counts of $each"; base64 "$each"
  done
  echo "end of $1"
}}
mount -t debugfs none /sys/kernel/debug; cd /
echo 1 >/sys/kernel/debug/gcov/reset
pivotcheck run corpus --json >/dev/null
pivotcheck explore --seconds {seconds} --seed {seed} --privilege both --jobs {jobs} --json
counts scenarios
""" + FAILING + """
for lack in allocations mounts; do
  pivotcheck shortage --lack $lack --json <scenarios >/dev/null
done
counts shortage
sh use 2>&1
counts use
"""
USE = """
mkdir -p /c/bin /c/proc /u && cp /bin/busybox /c/bin/
pivotcheck switch --unshare pid --unshare net --unshare uts --unshare ipc --unshare cgroup \\
  --proc /proc /c -- /bin/busybox ls /proc/1 >/dev/null
unshare -m sh -c 'mount -o remount,ro /tmp; mount -o remount,rw /tmp; mount -o remount,size=9m /tmp
  touch /u/ns; mount --bind /proc/self/ns/mnt /u/ns; mount --rbind /u /c; mount --move /u /c'
unshare -U -r -m -p -f sh -c 'mount -t proc none /proc; mount -t sysfs none /sys
  mount -o remount,size=9m /tmp'
unshare -m -u -i -n -p -f sh -c 'mount -t proc none /proc; nsenter -t 1 -m -u -i -n -p true'
echo "the use ended"
"""


class Line:
    def __init__(self, text):
        self.text, self.count, self.branches, self.function = text, None, [], None


class File:
    """Of the kernel's source, with what gcov says of it."""

    def __init__(self, source, name, said):
        self.name = name
        texts = (source / name).read_text(errors="replace").splitlines()
        self.lines = [Line(text) for text in texts]
        self.functions = {each["name"]: (each["start_line"], each["end_line"])
                          for each in said["functions"]}
        for each in said["lines"]:
            line = self.lines[each["line_number"] - 1]
            line.count = max(each["count"], line.count or 0)
            line.function = each.get("function_name")
            counts = [branch["count"] for branch in each["branches"]]
            same = len(line.branches) == len(counts)  # the line was compiled more than once
            line.branches = [max(pair) for pair in zip(line.branches, counts)] if same else counts
        if name == "fs/namei.c":
            for line in self.lines:
                if line.function not in OF_NAMEI:
                    line.count = None

    def counted(self):
        return [line for line in self.lines if line.count is not None]

    def body(self, function):
        first, last = self.functions[function]
        return "\n".join(line.text for line in self.lines[first - 1:last])


def counts_in(out):
    """{path of the data file in the guest: its bytes}"""
    counts = {}
    for part in out.split("counts of ")[1:]:
        path, _, text = part.partition("\n")
        counts[path] = base64.b64decode(text)
    return counts


def measured(options, made):
    """[[File] after each stage]; None where the guest did not come so far."""
    script = SCRIPT.format(seconds=options.seconds, seed=options.seed, jobs=JOBS)
    files = {name: content for name, (content, _) in single.files_for([], ROOT).items()}
    printed = subprocess.run([guest.pivotcheck_path(), "exhaust", "--print", "--alphabet", "all",
                              "--depth", "1"], check=True, capture_output=True, text=True)
    files |= {"scenarios": printed.stdout, "use": USE}
    out, ended = guest.run_script(made.folder / build.IMAGES["um"], script,
                                  options.seconds + SECONDS_BESIDE, files)
    stages = []
    for stage in STAGES:
        said, found, out = out.partition(f"end of {stage}\n")
        if not found:
            complain(f"the guest did not come to the end of `{stage}`; the end of its log:")
            print("\n".join(guest.last_lines(ended.log)))
            return None
        for each in guest.objects_in(said):
            if "cases" in each:
                print(f"explore: {each['cases']} cases, {each['disagreements']} disagreements")
        counts = counts_in(said)
        stages.append([read_counts(made, name, counts) for name in FILES])
    return stages


def read_counts(made, name, counts):
    stem = name.removesuffix(".c")
    data = next((content for path, content in counts.items() if path.endswith(f"/{stem}.gcda")), None)
    if data is None:
        raise Unavailable(f"the kernel counts nothing in {name}")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file.gcda").write_bytes(data)
        shutil.copy(made.folder / f"{stem}.gcno", Path(folder) / "file.gcno")
        read = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout",
                               "file.gcda"], cwd=folder, capture_output=True, text=True, check=True)
    said = next(each for each in json.loads(read.stdout)["files"] if each["file"].endswith(name))
    return File(made.source, name, said)


def promised_functions(files):
    """Their names: what the calls reach, by the names that stand in each function's source."""
    owners = {name: file for file in files for name in file.functions}
    found, left = set(), [name for name in owners if ENTRIES.match(name)]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        words = set(re.findall(r"\w+", owners[name].body(name)))
        left += [word for word in words if word in owners]
    pnode = next(file for file in files if file.name == "fs/pnode.c")
    return found | set(pnode.functions)


class Reasons:
    """The file of that name, by place: what is known of a line that is not reached."""

    def __init__(self):
        self.whys, self.used = {}, set()
        lines = [line for line in REASONS.read_text().splitlines() if line and line[0] != "#"]
        for place, why in zip(lines[::2], lines[1::2]):
            self.whys[tuple(place.split(None, 2))] = why

    def why(self, file, line):
        """"never: ..." or "by: ..."; None if nothing is known."""
        name = Path(file.name).name
        for text in (line.text.strip(), "*"):
            key = (name, line.function, text)
            if key in self.whys:
                self.used.add(key)
                return self.whys[key]
        return None

    def excuses(self, file, line):
        return (self.why(file, line) or "").startswith("never:")


class Share:
    def __init__(self):
        self.lines, self.reached, self.branches, self.taken, self.excused = 0, 0, 0, 0, 0

    def add(self, line, is_excused):
        if line.count == 0 and is_excused:
            self.excused += 1
            return
        self.lines += 1
        self.reached += line.count > 0
        self.branches += len(line.branches)
        self.taken += sum(count > 0 for count in line.branches)

    def text(self):
        lines = 100 * self.reached / max(self.lines, 1)
        branches = 100 * self.taken / max(self.branches, 1)
        return f"{lines:7.1f} {self.lines:6} {branches:9.1f} {self.branches:6} {self.excused:9}"


def shares(files, promised, reasons):
    """{row of the table: Share}"""
    rows = {}
    for file in files:
        for line in file.counted():
            is_excused = reasons.excuses(file, line)
            for row in (file.name, "all", *(["promised"] if line.function in promised else [])):
                rows.setdefault(row, Share()).add(line, is_excused)
    return rows


def lcov(files):
    out = []
    for file in files:
        out.append(f"SF:{file.name}")
        for number, line in enumerate(file.lines, 1):
            if line.count is None:
                continue
            out.append(f"DA:{number},{line.count}")
            out += [f"BRDA:{number},0,{index},{count or '-'}"
                    for index, count in enumerate(line.branches)]
        out.append("end_of_record")
    return "\n".join(out) + "\n"


def not_reached(files, promised, reasons):
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if line.count == 0:
                mark = "promised" if line.function in promised else "beside"
                why = reasons.why(file, line) or "not known"
                yield f"{file.name}:{number}\t{mark}\t{line.function}\t{line.text.strip()}\t{why}"


STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 0 auto; padding: 0 .75rem; max-width: 80rem; }
.source { overflow-x: auto; font: 13px/1.35 monospace; white-space: pre; }
.hit { background: #3a913f22; } .part { background: #f5c54255; } .miss { background: #e5484d44; }
.excused { background: #8883; } .count { opacity: .6; user-select: none; }
"""
KINDS = {"hit": "reached", "part": "reached, and not all of its branches", "miss": "not reached",
         "excused": "not reached, and no program can"}


def kind_of(line, why):
    if line.count is None:
        return ""
    if line.count == 0:
        return "excused" if (why or "").startswith("never:") else "miss"
    return "part" if 0 in line.branches else "hit"


def page(files, table, reasons):
    parts = [f"<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>Coverage</title>"
             f'<meta name=viewport content="width=device-width"><style>{STYLE}</style>',
             "<h1>The kernel's mount code: what was reached</h1>",
             f"<pre class=source>{html.escape(table)}</pre><ul>",
             *(f"<li><span class={kind}>{what}</span>" for kind, what in KINDS.items()), "</ul>"]
    for file in files:
        parts.append(f'<h2 id="{file.name}">{file.name}</h2><div class=source>')
        for number, line in enumerate(file.lines, 1):
            if file.name == "fs/namei.c" and line.count is None:
                continue
            why = reasons.why(file, line)
            count = "" if line.count is None else line.count
            title = f' title="{html.escape(why)}"' if why else ""
            parts.append(f'<div class="{kind_of(line, why)}"{title}><span class=count>{number:5} '
                         f"{count:>9} </span>{html.escape(line.text.expandtabs())} </div>")
        parts.append("</div>")
    return "\n".join(parts) + "</html>\n"


def table_of(title, rows):
    return "\n".join([f"{title:18} {'lines %':>7} {'of':>6} {'branches %':>9} {'of':>5} {'excused':>9}",
                      *(f"{name:18} {share.text()}" for name, share in rows.items())])


def coverage(options):
    build.need_tools()
    if shutil.which("gcov") is None:
        raise Unavailable("missing: gcov (a part of gcc)")
    made = build.Build(options.source, "um", "gcov", options.jobs)
    made.image()
    stages = measured(options, made)
    if stages is None:
        return 3
    promised, reasons = promised_functions(stages[0]), Reasons()
    tables = [table_of(f"and {stage}" if index else stage, shares(files, promised, reasons))
              for index, (stage, files) in enumerate(zip(STAGES, stages))]
    table = "\n\n".join(tables)
    print(table)
    files = stages[-1]
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "coverage.info").write_text(lcov(files))
    (folder / "index.html").write_text(page(files, table, reasons))
    (folder / "not-reached.txt").write_text("\n".join(not_reached(files, promised, reasons)) + "\n")
    for key in sorted(reasons.whys.keys() - reasons.used):
        print("not-reached.txt names no such line:", *key)
    print(f"written: {folder}/index.html, coverage.info, not-reached.txt")
    return 0

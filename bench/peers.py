# SPDX-License-Identifier: Apache-2.0
"""peers.py: `ci/bench --peers`: the same job for all, "set up an isolated root and run a static
true in it", by pivotcheck switch with each strategy and by the programs that people use.

All of it happens in a mount namespace of its own, on a tmpfs there, which goes with the last
process in it. A program that is not installed, or that can't do the job here, is named with its
reason.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys

import names

STRATEGIES = ("put-old", "dot-dot", "manual", "proc-first", "tmpfs-sandbox", "move-chroot",
              "chroot", "template")


FLOOR = "floor: static true"
# What they cost that are linked as the command is: one that does nothing, and one that does nothing
# but to execute the static true.
EMPTY, EMPTY_EXECUTES = "floor: empty, linked alike", "floor: empty, executes true"
BARE = "floor: dot-dot by hand"  # its system calls in a C program, and nothing else (bare_switch.c)
COMMAND = "pivotcheck switch, dot-dot"


def place(programs):
    """A directory that every machine has, to be covered by a tmpfs in our namespace: not one that
    the programs are in."""
    for folder in ("/mnt", "/srv", "/media", "/tmp"):
        if os.path.isdir(folder) and not os.path.abspath(programs).startswith(folder + "/"):
            return folder
    return names.fail("there is no directory to work in: /mnt, /srv, /media", 4)


PLACE = "/mnt"  # the one that was chosen


def bundle(folder, root):
    """What runc and crun want to be told (the runtime specification of OCI)."""
    os.makedirs(folder)
    namespaces = [{"type": "mount"}]
    config = {"ociVersion": "1.0.2", "root": {"path": root, "readonly": False},
              "process": {"cwd": "/", "args": ["/bin/true"], "env": [],
                          "user": {"uid": 0, "gid": 0}, "terminal": False},
              "mounts": [], "linux": {"namespaces": namespaces + [{"type": "pid"}]}}
    config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)


def oci(runtime, no_pivot, state, folder):
    words = [runtime, "--root", state]
    words += ["--cgroup-manager=disabled"] if runtime == "crun" else []
    return words + ["run"] + (["--no-pivot"] if no_pivot else []) + [
        "--bundle", folder, f"{runtime}{'-n' if no_pivot else ''}"]


def candidates(arguments, root):
    """name -> (program, words)"""
    built = arguments.programs
    true = os.path.join(root, "bin", "true")
    found = {FLOOR: (true, [true])}
    command, empty = os.path.join(built, "pivotcheck"), os.path.join(built, "bench", "empty")
    found[EMPTY] = (empty, [empty])
    found[EMPTY_EXECUTES] = (empty, [empty, true])
    bare = os.path.join(built, "bench", "bare_switch")
    found[BARE] = (bare, [bare, root, PLACE, "/bin/true"])
    for strategy in STRATEGIES:
        found[f"pivotcheck switch, {strategy}"] = (
            command, [command, "switch", "--strategy", strategy, root, "--", "/bin/true"])
    found["chroot(8)"] = ("chroot", ["chroot", root, "/bin/true"])
    script = (f"mount --bind {root} {root} && cd {root} && pivot_root . old && "
              "exec /bin/true")
    found["unshare + pivot_root(8)"] = (
        "pivot_root", ["unshare", "-m", "sh", "-c", script])
    found["bubblewrap"] = ("bwrap", ["bwrap", "--bind", root, "/", "/bin/true"])
    for runtime in ("crun", "runc"):
        for no_pivot in (False, True):
            name = runtime + (" --no-pivot" if no_pivot else "")
            found[name] = (runtime, oci(runtime, no_pivot, f"{PLACE}/state", f"{PLACE}/bundle"))
    found["systemd-nspawn"] = ("systemd-nspawn", [
        "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--volatile=no",
        "-D", root, "/bin/true"])
    return found


def try_all(found):
    """(those that do the job here, the others with their reasons)"""
    working, missing = {}, {}
    for name, (program, words) in found.items():
        if not shutil.which(program):
            missing[name] = "not installed"
            continue
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            missing[name] = "did not end within 20 seconds"
            continue
        if done.returncode == 0:
            working[name] = words
        else:
            lines = done.stdout.decode(errors="replace").strip().splitlines() or ["said nothing"]
            missing[name] = f"ended with {done.returncode}: {lines[-1]}"
    return working, missing


def summary(rows):
    floor, floor_cpu = (statistics.median(next(row[column] for row in rows
                                               if row["name"] == FLOOR))
                        for column in ("wall_us", "cpu_us"))
    return sorted(({"name": row["name"], "wall_us": statistics.median(row["wall_us"]),
                    "cpu_us": statistics.median(row["cpu_us"]),
                    "ratio": statistics.median(row["wall_us"]) / floor,
                    "cpu_ratio": statistics.median(row["cpu_us"]) / floor_cpu,
                    "rounds": len(row["wall_us"]), "samples": row["wall_us"]} for row in rows),
                  key=lambda row: row["ratio"])


def inside(arguments):
    """In the namespace: prepares the root, tries, measures; the answer goes to standard output."""
    global PLACE
    PLACE = place(arguments.programs)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", PLACE], check=True)
    root = f"{PLACE}/root"
    for name in ("bin", "proc", "dev", "sys", "etc", "usr", "old", "tmp"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(os.path.join(arguments.programs, "bench", "static_true"),
                os.path.join(root, "bin", "true"))
    for name in ("etc/os-release",):
        with open(os.path.join(root, name), "w", encoding="utf-8"):
            pass
    bundle(f"{PLACE}/bundle", root)
    working, missing = try_all(candidates(arguments, root))
    text = "".join("\t".join([name] + words) + "\n" for name, words in working.items())
    program = os.path.join(arguments.programs, "bench", "peers_bench")
    done = subprocess.run([program, str(arguments.rounds)], input=text.encode(),
                          stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        names.fail("a command that worked has failed", 3)
    json.dump({"commands": summary(json.loads(done.stdout)), "missing": missing}, sys.stdout)


def measure(arguments):
    """What inside() says, from a process in a mount (and PID) namespace of its own."""
    if os.geteuid() != 0:
        names.fail("--peers takes root: most of the others do", 4)
    command = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork",
               "--kill-child", "--mount-proc", "--propagation", "private", sys.executable,
               os.path.abspath(__file__), os.path.abspath(arguments.programs),
               str(arguments.rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        names.fail(f"the peers' run ended with {done.returncode}", 3)
    return json.loads(done.stdout)


def tell(result):
    print(f"{'':34}{'wall us':>10}{'to floor':>10}{'cpu us':>10}{'to floor':>10}")
    for row in result["commands"]:
        print(f"{row['name']:34}{row['wall_us']:10.0f}{row['ratio']:10.2f}"
              f"{row['cpu_us']:10.0f}{row['cpu_ratio']:10.2f}")
    for name, why in result["missing"].items():
        print(f"missing: {name}: {why}")
    for line in beside(result):
        print(line)


def beside(result):
    """What the command adds to what it can't be without, and how it stands beside bubblewrap."""
    rows = {row["name"]: row for row in result["commands"]}
    if COMMAND not in rows:
        return
    own = rows[COMMAND]
    for subject, reference in ((COMMAND, EMPTY), (BARE, EMPTY), (COMMAND, EMPTY_EXECUTES),
                               (COMMAND, BARE)):
        one, other = rows.get(subject), rows.get(reference)
        if one and other:
            yield (f"{subject}: adds to '{reference}' {one['ratio'] - other['ratio']:.2f} times "
                   f"the floor in wall time, {one['cpu_ratio'] - other['cpu_ratio']:.2f} in "
                   "processor time")
    other = rows.get("bubblewrap")
    if other:
        yield (f"{COMMAND} to bubblewrap: wall time {own['wall_us'] / other['wall_us']:.2f}, "
               f"processor time {own['cpu_us'] / other['cpu_us']:.2f}")


class Inside:
    def __init__(self, words):
        self.programs, self.rounds = words[0], int(words[1])


if __name__ == "__main__":
    inside(Inside(sys.argv[1:]))

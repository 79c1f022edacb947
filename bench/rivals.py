# SPDX-License-Identifier: Apache-2.0
"""rivals.py: `ci/bench --rivals`: the same job for all, "set up an isolated root and run a static
true in it", by pivotcheck switch with each strategy and by the programs that people use. hyperfine
measures them, in rounds of random order.

All of it happens in a mount namespace of its own, on a tmpfs there, which goes with the last
process in it. A program that is not installed, or that can't do the job here, is named with its
reason.
"""
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys

import runs

BASELINE = "baseline: static true"
# Programs that are linked as the command is: one does nothing, one only executes the static true.
EMPTY, EMPTY_EXECUTES = "baseline: empty, linked alike", "baseline: empty, executes true"
BARE = "baseline: dot-dot by hand"  # its system calls in a static program (baseline.cc)
COMMAND = "pivotcheck switch, dot-dot"
IN_A_ROUND = 3  # of each command; its median counts


def bundle(root):
    """What runc and crun want to be told (the runtime specification of OCI)."""
    return {"ociVersion": "1.0.2", "root": {"path": root, "readonly": False},
            "process": {"cwd": "/", "args": ["/bin/true"], "env": [], "terminal": False,
                        "user": {"uid": 0, "gid": 0}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}


def candidates(programs, place, root):
    """name -> words"""
    true, command, empty = f"{root}/bin/true", f"{programs}/pivotcheck", f"{programs}/bench/empty"
    found = {BASELINE: [true], EMPTY: [empty], EMPTY_EXECUTES: [empty, true],
             BARE: [true, "/bin/true", root, place]}
    for line in subprocess.run([command, "strategies", "--json"], stdout=subprocess.PIPE,
                               check=True).stdout.splitlines():
        name = json.loads(line)["name"]
        found[f"pivotcheck switch, {name}"] = [command, "switch", "--strategy", name, root, "--",
                                               "/bin/true"]
    found["chroot(8)"] = ["chroot", root, "/bin/true"]
    found["unshare + pivot_root(8)"] = [
        "unshare", "-m", "sh", "-c",
        f"mount --bind {root} {root} && cd {root} && pivot_root . old && exec /bin/true"]
    found["bubblewrap"] = ["bwrap", "--bind", root, "/", "/bin/true"]
    for runtime, options in (("crun", ["--cgroup-manager=disabled"]), ("runc", [])):
        for no_pivot in ([], ["--no-pivot"]):
            found[" ".join([runtime] + no_pivot)] = [
                runtime, "--root", f"{place}/state", *options, "run", *no_pivot, "--bundle",
                f"{place}/bundle", runtime + "-n" * len(no_pivot)]
    found["systemd-nspawn"] = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                               "--volatile=no", "-D", root, "/bin/true"]
    return found


def why_not(words):
    """Why this program can't do the job here, or None."""
    if not shutil.which(words[0]):
        return "not installed"
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              errors="replace", stderr=subprocess.STDOUT, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "did not end within 20 seconds"
    last = (done.stdout.strip().splitlines() or ["said nothing"])[-1]
    return f"ended with {done.returncode}: {last}" if done.returncode != 0 else None


def one_round(working, path):
    """name -> (wall time, processor time), of the commands in random order"""
    order = runs.shuffled(working)
    done = subprocess.run(["hyperfine", "-N", "--style", "none", "--warmup", "1", "--runs",
                           str(IN_A_ROUND), "--export-json", path] +
                          [shlex.join(working[name]) for name in order],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        runs.fail("a command that worked has failed", 3)
    return {name: (row["median"] * 1e6, (row["user"] + row["system"]) * 1e6)
            for name, row in zip(order, runs.read_json(path)["results"])}


def summary(rounds):
    rows = [{"name": name, "wall_us": wall, "cpu_us": cpu, "rounds": len(rounds),
             "samples": [one[name][0] for one in rounds]}
            for name in rounds[0]
            for wall, cpu in [map(statistics.median, zip(*(one[name] for one in rounds)))]]
    base = next(row for row in rows if row["name"] == BASELINE)
    for row in rows:
        row["ratio"] = row["wall_us"] / base["wall_us"]
        row["cpu_ratio"] = row["cpu_us"] / base["cpu_us"]
    return sorted(rows, key=lambda row: row["ratio"])


def inside(programs, rounds):
    """In the namespace: prepares the root, tries, measures; the answer goes to standard output."""
    # A directory that every machine has, to be covered by a tmpfs in our namespace: not one that the
    # programs are in.
    place = next((folder for folder in ("/mnt", "/srv", "/media", "/tmp") if os.path.isdir(folder)
                  and not programs.startswith(folder + "/")), None)
    if place is None:
        runs.fail("there is no directory to work in: /mnt, /srv, /media", 4)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", place], check=True)
    root = f"{place}/root"
    for name in ("bin", "proc", "dev", "sys", "etc", "usr", "old", "tmp"):
        os.makedirs(f"{root}/{name}")
    os.makedirs(f"{place}/bundle")
    shutil.copy(f"{programs}/bench/static_true", f"{root}/bin/true")
    runs.write_whole(f"{root}/etc/os-release", "")  # systemd-nspawn wants one
    runs.write_whole(f"{place}/bundle/config.json", json.dumps(bundle(root)))
    commands = candidates(programs, place, root)
    missing = {name: why for name, words in commands.items() if (why := why_not(words))}
    working = {name: words for name, words in commands.items() if name not in missing}
    measured = [one_round(working, f"{place}/round.json") for _ in range(rounds)]
    json.dump({"commands": summary(measured), "missing": missing}, sys.stdout)


def measure(arguments):
    """What inside() says, from a process in a mount (and PID) namespace of its own."""
    if os.geteuid() != 0:
        runs.fail("--rivals takes root: most of the others do", 4)
    if not shutil.which("hyperfine"):
        runs.fail("hyperfine is not installed (ci/install bench)", 4)
    command = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork",
               "--kill-child", "--mount-proc", "--propagation", "private", sys.executable,
               os.path.abspath(__file__), os.path.abspath(arguments.programs),
               str(arguments.rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        runs.fail(f"the rivals' run ended with {done.returncode}", 3)
    return json.loads(done.stdout)


def compared(result):
    """What the command adds to what no program can do without, and how it compares with
    bubblewrap."""
    rows = {row["name"]: row for row in result["commands"]}
    for subject, reference in ((COMMAND, EMPTY), (BARE, EMPTY), (COMMAND, EMPTY_EXECUTES),
                               (COMMAND, BARE)):
        if subject in rows and reference in rows:
            wall, cpu = (rows[subject][key] - rows[reference][key]
                         for key in ("ratio", "cpu_ratio"))
            yield (f"{subject}: adds to '{reference}' {wall:.2f} times the baseline in wall time, "
                   f"{cpu:.2f} in processor time")
    if COMMAND in rows and "bubblewrap" in rows:
        wall, cpu = (rows[COMMAND][key] / rows["bubblewrap"][key] for key in ("wall_us", "cpu_us"))
        yield f"{COMMAND} to bubblewrap: wall time {wall:.2f}, processor time {cpu:.2f}"


def show(result):
    for row in result["commands"]:
        print(f"{row['name']:34}{row['wall_us']:10.0f} us{row['ratio']:8.2f}"
              f"{row['cpu_us']:10.0f} us of processor time{row['cpu_ratio']:8.2f}")
    print(*(f"missing: {name}: {why}" for name, why in result["missing"].items()),
          *compared(result), sep="\n")


if __name__ == "__main__":
    inside(sys.argv[1], int(sys.argv[2]))

# SPDX-License-Identifier: Apache-2.0
# What ci/bench makes of a run: `compare` on runs that are made up, where what it has to say is
# known, and the report of a small run. The long form, with real runs and a browser, is
# ci/bench-selftest.
source "$(dirname "$0")/common.sh"
: "${BUILD:?the build folder}"
python=/usr/bin/python3
[[ -x $python ]] || python=python3
PYTHONPATH=/usr/share/benchmark "$python" -c 'import gbench.report, matplotlib' 2>/dev/null ||
  skip 'no libbenchmark-tools, SciPy or Matplotlib (ci/install tests)'

# Runs of one hundred benchmarks in twenty rounds, with the noise of a busy machine: rounds that are
# slower as a whole, and outliers. B is as A; in P every bind phase has 15 % more; in F it has as
# much less; Q is P on a machine that was a quarter slower all the time. A has the names of earlier
# versions: such files can still be compared. G, and H with 15 % more, were measured in turn, on a
# machine whose pace changes by half from one moment to the next; H lacks a round.
cat >make.py <<'END'
import json, random

def run(seed, slow=1.0, pace=1.0, mode="mode", idle="idle_threads", begun=None):
    chance, rows = random.Random(seed), []
    weather = [pace * chance.lognormvariate(0, 0.05) for _ in range(20)]
    for mounts in range(1, 21):
        for place, part in enumerate(("namespaces", "propagation", "bind", "pivot", "teardown")):
            name = (f"switch/dot-dot/{mode}:thread/mounts:{mounts}/tree:private/{idle}:0/user:none/"
                    f"{part}")
            true = (10 + 7 * place + mounts) * (slow if part == "bind" else 1)
            for round in range(20):
                wall = true * weather[round] * chance.lognormvariate(0, 0.04)
                if begun:
                    moment = random.Random(f"{begun} {name} {round}").lognormvariate(0, 0.4)
                    wall = true * moment * chance.lognormvariate(0, 0.04)
                wall *= 3 if chance.random() < 0.03 else 1
                rows.append({"repetition_index": round, "name": name, "run_name": name, "run_type": "iteration",
                             "wall_us": wall, "wall_us_p10": wall * 0.9,
                             "cpu_us": wall * 0.8, "cpu_us_p10": wall * 0.75})
    return {"context": {"commit": str(seed), "baseline_begun": begun}, "benchmarks": rows}

for name, arguments in {"A": (1, 1.0, 1.0, "carrier", "crowd"), "B": (2,), "P": (3, 1.15),
                        "F": (4, 1 / 1.15),
                        "Q": (5, 1.15, 1.25)}.items():
    with open(name + ".json", "w", encoding="utf-8") as file:
        json.dump(run(*arguments), file)
for name, arguments in {"G": {"seed": 6}, "H": {"seed": 7, "slow": 1.15}}.items():
    made = run(begun=9, **arguments)
    with open(name + ".json", "w", encoding="utf-8") as file:
        json.dump({**made, "benchmarks": made["benchmarks"][name == "H":]}, file)
END
"$python" make.py
compare() { "$python" "$SOURCE/bench/compare.py" "$@"; }
count() { grep -c "$1" out || true; }

expect 0 compare A.json B.json
[[ $(count '^slower') -eq 0 && $(count '^faster') -le 1 ]] || die 'two runs of the same differ'
has out '180 compared: '
expect 0 out:'0 faster, 0 slower, 180 same, 0 too noisy; 20 more wait for RCU' compare A.json A.json
expect 1 compare A.json P.json
[[ $(count '^slower .*/bind$') -ge 30 ]] || die 'the planted slowdown was not found'
[[ $(count '^slower') -eq $(count '^slower .*/bind$') ]] || die 'it was found elsewhere, too'
expect 0 compare A.json F.json
[[ $(count '^faster .*/bind$') -ge 30 ]] || die 'what is faster was not found'
expect 1 compare A.json Q.json --html map.html
[[ $(count '^slower .*/bind$') -ge 20 ]] || die 'a slower machine hides what is slower'

expect 1 compare G.json H.json
[[ $(count '^slower .*/bind$') -ge 30 ]] || die 'it was not found in two builds measured in turn'
[[ $(count '^slower\|^faster') -eq $(count '^slower .*/bind$') ]] || die 'it was found elsewhere'

expect 2 err:'nosuch.json' compare A.json nosuch.json
echo '{"benchmarks": 3}' >bad.json
expect 2 err:'that is no run of ci/bench' compare A.json bad.json
echo '{' >bad.json
expect 2 compare bad.json A.json

# The report. Benchmarks are built by ci/test, and otherwise when somebody wants them.
bench=$BUILD/bench/switch_bench
[[ -x $bench && -x $BUILD/bench/static_true ]] ||
  skip 'the report of a run: switch_bench is not built (cmake --build --target ...)'
needs_worlds
before=$(md5sum </proc/self/mountinfo)
cat >rivals.py <<'END'
import json
names = ("baseline: static true", "baseline: empty, linked alike", "pivotcheck switch, dot-dot",
         "pivotcheck switch, template", "bubblewrap", "unshare + pivot_root(8)", "crun", "runc")
rows = [{"name": name, "wall_us": 500.0 * 1.7 ** i, "cpu_us": 400.0 * 1.6 ** i, "ratio": 1.7 ** i,
         "cpu_ratio": 1.6 ** i, "rounds": 3, "samples": []} for i, name in enumerate(names)]
with open("run/rivals.json", "w", encoding="utf-8") as file:
    json.dump({"commands": rows, "missing": {"systemd-nspawn": "not installed"}}, file)
END
mkdir run
"$python" rivals.py
only='mounts:(1|30)/tree:(private|slave)/idle_threads:(0|1000)/user:none'
expect 0 "$python" "$SOURCE/bench/run.py" --programs "$BUILD" --out run --only "$only" \
  --baseline "$BUILD" \
  --rounds-min 1 --rounds-max 1 --cycles 2
for file in bench.json baseline.json bench.csv report.html; do
  [[ -s run/$file ]] || die "no $file"
done
expect 0 compare run/baseline.json run/bench.json
[[ $(wc -l <run/bench.csv) -gt 300 ]] || die 'the table is too short'
[[ $(md5sum </proc/self/mountinfo) == "$before" ]] || die 'mounts are left behind'
grep -q 'Not drawn' run/report.html && die 'a plot was not drawn'
[[ $(grep -c '<figure id="plot-[0-9]*"' run/report.html) -eq 6 ]] || die 'not every plot'
[[ $(grep -c '<td style=.* slower</td>' map.html) -ge 20 ]] || die 'the map has no verdicts'
for page in run/report.html map.html; do
  grep -qE '(src|href)="(https?:)?//|url\((https?:)?//|@import' $page &&
    die "$page wants something from outside"
done
# Every strategy has its line in every table of RESULTS.md.
expect 0 "$python" "$SOURCE/bench/results.py" run
for table in mounts phases idle_threads trees user; do
  [[ $(sed -n "/table: $table /,/end/p" out | grep -c '^| [a-z]') -eq 10 ]] || die "table $table"
done
has out '| pivotcheck switch, template | '

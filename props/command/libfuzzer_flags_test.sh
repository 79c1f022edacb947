# SPDX-License-Identifier: Apache-2.0
# libFuzzer's own flags work with targets that start processes and namespaces of their own: -runs,
# -jobs, -fork, -merge, -minimize_crash, Ctrl-C. The canary shows that what is found comes through.
source "$(dirname "$0")/fuzzers.sh"

trial=("${marked[@]}" "$FUZZERS/fuzz_trial")
canary=("${marked[@]}" "$FUZZERS/fuzz_canary")
seeds=$SOURCE/corpus/seeds
tries=20000  # the canary is found within a few hundred
found=77     # libFuzzer's exit status for it
mkdir corpus small found jobs fork

expect 0 err:'Done 150 runs' "${trial[@]}" -runs=150 -seed=1 corpus "$seeds"
nothing_left -runs
[[ -n $(ls -A corpus) ]] || die 'nothing was put into the corpus'

(cd jobs && expect 0 "${trial[@]}" -jobs=2 -workers=2 -runs=150 -seed=1 ../corpus "$seeds")
for log in jobs/fuzz-{0,1}.log; do has "$log" 'Done 150 runs'; done
nothing_left -jobs

(cd fork && expect 0 "${trial[@]}" -fork=2 -max_total_time=3 -seed=1 ../corpus "$seeds" &&
  has err 'INFO: exiting: 0')
nothing_left -fork

expect 0 "${trial[@]}" -merge=1 small corpus
[[ $(ls small | wc -l) -gt 0 && $(ls small | wc -l) -le $(ls corpus | wc -l) ]] ||
  die "merged to $(ls small | wc -l) files from $(ls corpus | wc -l)"
nothing_left -merge

# What it finds is a scenario, which the command replays: the real model agrees with the kernel.
expect "$found" "${canary[@]}" -runs="$tries" -seed=1 -artifact_prefix=found/
crash=$(echo found/crash-*)
expect 0 pivotcheck run "$crash"
expect "$found" "${canary[@]}" "$crash"
expect 0 "${trial[@]}" "$crash"
nothing_left 'a crash'

expect 0 "${canary[@]}" -minimize_crash=1 -runs=60 -max_total_time=5 -exact_artifact_path=least \
  "$crash"
[[ $(stat -c %s least) -le $(stat -c %s "$crash") ]] || die 'the minimized crash is larger'
expect "$found" "${canary[@]}" least
expect 0 pivotcheck run least
nothing_left -minimize_crash

(cd jobs && expect 1 "${canary[@]}" -jobs=2 -workers=2 -runs="$tries" -seed=1)
compgen -G 'jobs/crash-*' >names || die '-jobs keeps no artifact'
(cd fork && expect "$found" "${canary[@]}" -fork=1 -max_total_time=60 -seed=1)
compgen -G 'fork/crash-*' >names || die '-fork keeps no artifact'
nothing_left 'the canary with -jobs and -fork'

# Ctrl-C at a terminal reaches the whole process group.
interrupted=72  # libFuzzer's exit status for it
for flags in -runs=-1 -fork=2; do
  : >err  # what was said before is no sign
  setsid "${trial[@]}" "$flags" corpus "$seeds" >out 2>err </dev/null &
  pid=$!
  until grep -qE '^#[0-9]+' err; do
    kill -0 "$pid" 2>/dev/null || die "$flags ended by itself"
    sleep 0.1
  done
  kill -INT -- "-$pid"
  status=0
  wait "$pid" || status=$?
  [[ $status -eq $interrupted ]] || die "$flags: $status behind Ctrl-C"
  nothing_left "Ctrl-C with $flags"
done

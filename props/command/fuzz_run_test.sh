# SPDX-License-Identifier: Apache-2.0
# What ci/fuzz starts, both engines in one run: its summary; a corpus with damaged files; a full disk;
# Ctrl-C, SIGTERM and kill -9. Each error is one clear line, nothing that was found is lost, the
# rest goes on, and nothing is left.
source "$(dirname "$0")/fuzzers.sh"

# hunt STATUS TARGET SECONDS [ARGUMENT]...
both=("${marked[@]}" "$PIVOTCHECK" explore --jobs 4 --seed 1 --corpus corpus --artifacts artifacts
      --seeds "$SOURCE/corpus/seeds")
hunt() { expect "$1" "${both[@]}" --libfuzzer "$FUZZERS/fuzz_$2" --seconds "$3" "${@:4}"; }
value() { sed -n "s/^$1: //p" out; }
number() { [[ $(value "$1") =~ ^[1-9][0-9]*$ ]] || die "$1 is no number above 0: $(value "$1")"; }

# --- the summary is one, of both engines
hunt 0 trial 4
for key in cases steps corpus_files features; do number "$key"; done
for key in cases_per_second steps_ok_percent scenarios_pivot_percent scenarios_two_tasks_percent \
  scenarios_two_namespaces_percent scenarios_userns_percent rules_reached ended_before observers_cross_checked \
  mountinfo_incomplete state_unseen seen_in_copies listmount_lost cases_with_slave propagate_from_read \
  refused_by_chance refused_by_chance_percent kernel_log_alarms seed artifacts; do
  [[ $(grep -c "^$key: " out) -eq 1 ]] || die "$key is not there once"
done
[[ $(value disagreements) -eq 0 && $(value not_run) -eq 0 ]] || die 'something is wrong here'
seeded=$(value road_seeded | sed 's/ cases.*//') fuzzed=$(value road_libfuzzer | sed 's/ cases.*//')
[[ $seeded -gt 0 && $fuzzed -gt 0 && $((seeded + fuzzed)) -eq $(value cases) ]] ||
  die "$seeded seeded cases and $fuzzed of libFuzzer's are not $(value cases)"
[[ $(value corpus_files) -eq $(ls corpus | wc -l) ]] || die 'another number of corpus files'
nothing_left 'a run'

# --- a run without libFuzzer does not look complete
expect 3 pivotcheck explore --seconds 1 --jobs 2 --libfuzzer-missing 'no compiler'
has err 'libFuzzer DOES NOT RUN: no compiler'
has out 'road_libfuzzer: not run, no compiler'
[[ $(value not_run) -eq 1 ]] || die 'it is not counted'

# --- random scenarios run while the program is built; a build that fails is shown
expect 0 "${both[@]}" --libfuzzer new_trial --seconds 2 \
  --libfuzzer-build "sleep 2; cp $FUZZERS/fuzz_trial new_trial"
[[ $(value road_libfuzzer) =~ ^[1-9] ]] || die 'libFuzzer did not run after its build'
expect 3 "${both[@]}" --libfuzzer new_trial --seconds 1 --libfuzzer-build 'echo no disk; false'
has err 'libFuzzer DOES NOT RUN: its build ended with status 1:'
has err 'no disk'
has out 'road_libfuzzer: not run, its build ended with status 1'
nothing_left 'a run with a build'

# --- damaged files: one line, and they are passed over
head -c 3000 /dev/urandom >corpus/random
: >corpus/empty
truncate -s 2G corpus/huge
printf 'mkdir /a\nmkdirr /b\n' >corpus/older
printf 'mkdir /a\nmkdirr' >corpus/da39a3ee5e6b4b0d3255bfef95601890afd80709 # cut off
hunt 0 trial 2
[[ $(grep -c 'are no scenarios and are passed over' err) -eq 1 ]] || die 'not one line'
has err 'corpus corpus: 5 of '
[[ -e corpus/random && -e corpus/older ]] || die 'a file that is not of libFuzzer was removed'
[[ ! -e corpus/da39a3ee5e6b4b0d3255bfef95601890afd80709 ]] || die 'a damaged file stays for good'
rm corpus/{random,empty,huge,older}

# --- what is found is minimized, and kept whole beside it; the real model agrees with both
hunt 1 canary 12
[[ $(value disagreements) -gt 0 ]] || die 'the canary was not found'
for small in $(ls artifacts/*.scn | grep -v unminimized); do
  expect 0 pivotcheck run "$small" "${small%.scn}.unminimized.scn"
done
rm -r artifacts
nothing_left 'a run that found something'

# --- it is interrupted
for signal in INT TERM KILL; do
  rm -rf corpus
  env --default-signal=INT "${both[@]}" --libfuzzer "$FUZZERS/fuzz_trial" --seconds 60 \
    >out 2>err </dev/null &
  pid=$!
  for i in {1..100}; do
    [[ $(ls corpus 2>/dev/null | wc -l) -lt 20 ]] || break
    sleep 0.1
  done
  kill -"$signal" "$pid"
  status=0
  wait "$pid" || status=$?
  nothing_left "SIG$signal"
  # Who is only asked to end makes the corpus small again: some of its files say nothing new.
  least=10
  [[ $signal != KILL ]] || least=20
  [[ $(ls corpus | wc -l) -ge $least ]] || die "SIG$signal: the corpus is lost"
  if [[ $signal == KILL ]]; then
    [[ $status -eq 137 ]] || die "$status behind SIGKILL"
  else
    [[ $status -eq $((128 + $(kill -l "$signal"))) ]] || die "$status behind SIG$signal"
    has out "interrupted: SIG$signal"
    number cases
    number features
  fi
done
hunt 0 trial 1 # goes on with the corpus that was left

# --- the disk is full; in a mount namespace of its own, for which it takes root
if [[ $EUID -ne 0 ]]; then
  echo 'NOT RUN: 1 case, a full disk: it takes root to mount a small one'
  exit 0
fi
cat >full.sh <<'END'
mount -t tmpfs -o size=256k small "$1"
head -c "$2" /dev/zero >"$1/filler" 2>/dev/null
exec "${@:3}"
END
full() { unshare -m --propagation private bash full.sh "$@"; }
mkdir -p corpus artifacts
expect 3 full corpus 4k "${both[@]}" --libfuzzer "$FUZZERS/fuzz_trial" --seconds 3
[[ $(grep -c 'corpus corpus: .*: at least [0-9]* new inputs were lost' err) -eq 1 ]] ||
  die 'the full disk is not told of in one line'
[[ $(value disagreements) -eq 0 && $(value not_run) -eq 0 ]] || die 'the rest did not go on'
number cases
# No place for what is found: it is shown all the same.
mkdir -p artifacts
expect 1 full artifacts 1M "${both[@]}" --libfuzzer "$FUZZERS/fuzz_canary" --seconds 12
has err "can't be written: ENOSPC"
has out 'pivot_root EBUSY EINVAL'
nothing_left 'a full disk'

# SPDX-License-Identifier: Apache-2.0
# What is asked to end, ends in order: `explore` and `run`, by each of four signals, sent to the
# process or to its group, by timeout(1) too. The summary says so, the exit status is 128 + the
# signal, no case is lost and no artifact left. A second signal ends it at once; one that is ignored stays ignored.
# Then: one case of a seed, --json, numbers that are refused.
source "$(dirname "$0")/common.sh"
needs_worlds
mark="PIVOTCHECK_TEST_MARK=$folder"

processes() { grep -lsF "$mark" /proc/[0-9]*/environ || true; }
nothing_left() {
  local i
  for i in {1..200}; do
    [[ -n $(processes) ]] || break
    sleep 0.1
  done
  [[ -z $(processes) ]] || die "$1: processes are left: $(processes)"
  [[ ! -e artifacts ]] || die "$1: artifacts are left: $(ls artifacts)"
}

# start COMMAND...: in a process group of its own, as $!, with the default action for each signal,
# which the shell's background jobs have not.
start() {
  rm -f out err
  setsid env --default-signal=INT,TERM,HUP,QUIT "$mark" "$@" >out 2>err </dev/null &
}
# Until it works: explore says so when it has begun.
until_it_works() {
  until grep -qs ' cases (' err; do
    kill -0 "$!" 2>/dev/null || die 'it ended by itself'
    sleep 0.05
  done
}
ended() { # SIGNAL HOW
  local status=0
  wait "$!" || status=$?
  [[ $status -eq $((128 + $(kill -l "$1"))) ]] || die "$status after SIG$1 to $2"
  nothing_left "SIG$1 to $2"
}

explore=("$PIVOTCHECK" explore --jobs 3 --seed 1 --seconds 500)
for signal in TERM HUP QUIT INT; do
  for whom in process group; do
    start "${explore[@]}"
    until_it_works
    if [[ $whom == group ]]; then kill -"$signal" -- "-$!"; else kill -"$signal" "$!"; fi
    ended "$signal" "the $whom"
    has out "interrupted: SIG$signal"
    has out 'not_run: 0'
    has_not err 'was killed'
  done
done

# timeout(1) sends its signal twice.
expect 143 out:'interrupted: SIGTERM' out:'not_run: 0' \
  timeout --preserve-status 3 env "$mark" "${explore[@]}"
nothing_left 'timeout'

# A job that the shell has in the background ignores SIGINT, and nohup's ignores SIGHUP.
rm -f err
env "$mark" "$PIVOTCHECK" explore --jobs 1 --cases 300 >out 2>err </dev/null &
until_it_works
kill -INT "$!"
wait "$!" || die "status $? after an ignored SIGINT"
has_not out 'interrupted'
nothing_left 'an ignored signal'

# run: what is under way is finished, the rest is counted; every result is printed.
printf 'mkdir /a\nmount tmpfs /a\n' >short.scn
printf 'short.scn\n%.0s' {1..20000} >names
for jobs in 1 3; do
  for signal in TERM HUP QUIT INT; do
    start bash -c 'exec "$@" $(<names)' - "$PIVOTCHECK" run --jobs "$jobs"
    until [[ -s out ]]; do kill -0 "$!" 2>/dev/null || die 'it ended by itself'; done
    kill -"$signal" -- "-$!"
    ended "$signal" "run --jobs $jobs"
    left=$(sed -n "s/.*interrupted by SIG$signal: \([0-9]*\) of 20000 files were not run/\1/p" err)
    [[ $left -gt 0 && $((left + $(grep -c ': agree' out))) -eq 20000 ]] || die 'files are lost'
  done
done

# A second signal ends it at once: it does not wait for an executor that never answers.
stop_an_executor() {
  local process
  for process in $(processes); do
    grep -Eqs '^NSpid:.*\s1$' "${process%environ}status" || continue
    process=${process#/proc/}
    kill -STOP "${process%/environ}" 2>/dev/null && return
  done
  return 1
}
# Both have work for long enough to be stopped in the middle of it.
for command in 'explore --jobs 2 --seconds 500' "run $(<names)"; do
  start "$PIVOTCHECK" $command
  if [[ $command == run* ]]; then
    until [[ -s out ]]; do kill -0 "$!" 2>/dev/null || die 'it ended by itself'; done
  else
    until_it_works
  fi
  until stop_an_executor; do kill -0 "$!" 2>/dev/null || die 'it ended by itself'; done
  sleep 1 # until a case waits for it
  kill -TERM "$!"
  sleep 1.2 # a second one, not the same one again
  kill -INT "$!"
  ended TERM "${command%% *}, twice"
  has_not err 'did not answer'
  [[ $command == run* ]] || has out 'not_run: 0'
done

# One case of a seed, and what names it.
expect 0 out:'seed: 7' pivotcheck explore --seed 7 --case 12 --privilege userns
has out 'case: 12'
has out 'cases: 1'
expect 0 out:'case: 0-29' pivotcheck explore --seed 7 --cases 30 --jobs 2
expect 0 pivotcheck explore --seed 7 --cases 30 --jobs 2 --json
python3 - <<'END' || die 'no JSON'
import json
[summary] = map(json.loads, open("out"))
assert summary["seed"] == 7 and summary["case"] == "0-29" and summary["cases"] == 30, summary
assert summary["disagreements"] == 0 and isinstance(summary["not_reached"], list), summary
END
for bad in '--case 1' '--case 1 --seed 1 --cases 2' '--seconds 0' '--cases -1' '--jobs 1025' \
  '--seconds 99999999999999999999'; do
  expect 2 pivotcheck explore $bad
  [[ $(wc -l <err) -eq 1 ]] || die "not one line for $bad"
done

# SPDX-License-Identifier: Apache-2.0
# ci/kernels: what needs no archive first, on the running kernel: who took it down, and the rest goes
# on; then the same in a guest, on this Debian release's own kernel: the command's output and exit
# status, and a guest that panics.
source "$(dirname "$0")/common.sh"
kernels=$SOURCE/ci/kernels
command -v python3 >/dev/null || skip 'python3 is not installed'
export PIVOTCHECK

# Whatever takes it down: the scenario is named, and those after it are asked as well.
cat >hook <<'END'
case $SCENARIO in
  *'mkdir /panics'*) echo c >/proc/sysrq-trigger ;;
  *'mkdir /kills'*) kill -KILL $PPID ;;
  *'mkdir /hangs'*) sleep 1000 ;;
  *'mkdir /breaks'*)  # the first time, the process in which the worlds are made is killed
    [ -e broken ] || for each in $(cat /proc/$PPID/task/*/children); do
      [ "$each" = $$ ] || { kill -KILL "$each" && echo >broken; }
    done ;;
  *'mkdir /warns'*) sh -c 'echo "WARNING: a test" >/proc/$$/comm; f() { f; }; f' || true ;;
esac
END
mkdir cases
for each in a-runs b-kills c-runs d-hangs e-runs f-breaks g-runs; do
  printf 'mkdir /%s => ok\nmkdir /x\n' "${each#*-}" >"cases/$each.scn"
done
results() { sed -n 's/^{"name": "[^"]*cases.\([^"]*\).scn", "result": "\([a-z]*\)".*/\1 \2/p' "$1"; }

expect 2 err:usage: "$kernels"
expect 2 err:usage: "$kernels" list all
expect 2 err:usage: "$kernels" run 6.12.117 doctor
expect 2 err:usage: "$kernels" run --kernels host --shard 3/2
expect 4 'err:no kernel 5.4.1' "$kernels" fetch 5.4.1
expect 4 'err:no kernel 5.4.1' "$kernels" run --kernels 5.4.1 --scenarios cases --results none
expect 4 'err:/no/such/image is missing' "$kernels" run /no/such/image -- doctor
expect 4 'err:arch/x86/boot/bzImage is missing' "$kernels" run ./ -- doctor
expect 4 "err:no kernel's source: ./" "$kernels" build --source ./
expect 2 err:usage: "$kernels" build --variant fast
expect 0 out:6.12.117 out:7.3.4 "$kernels" list
# A name, a suite and a package, each package once.
awk '!/^#/ && (NF != 3 || seen[$3]++) { print "a bad line: " $0; bad = 1 } END { exit bad }' \
  "$SOURCE/ci/kernels.list" || die 'ci/kernels.list'

if pivotcheck doctor >/dev/null 2>&1; then
  expect 1 'out:host: 5 agree, 1 ended, 1 hung' "$kernels" run --kernels host --scenarios cases \
    --results results --case-seconds 15 --on-begin "$(cat hook)"
  diff - <(results results/host.jsonl) <<'END' || die 'the results are others'
a-runs agree
b-kills ended
c-runs agree
d-hangs hung
e-runs agree
g-runs agree
f-breaks agree
END
  [[ -e broken || ! -e /proc/$$/task/$$/children ]] || die 'nothing was broken'  # what failed was asked again, at the end
  has results/host.jsonl '"not_run": 0'
  # It is found again, and what has no part in it is left out.
  printf 'mkdir /a\nspawn B\nmkdir /kills\nB: chdir /\n' >cases/b-kills.scn
  expect 1 "$kernels" run --kernels host --scenarios cases/b-kills.scn --results one \
    --on-begin "$(cat hook)"
  expect 1 'out:NEW  ended:' "$kernels" compare one --minimize 1
  [[ $(grep -c '^        ' out) -eq 1 ]] && has out '        mkdir /kills'
  # Shards, each with its part, and none twice.
  for shard in 1/2 2/2; do
    expect 0 "$kernels" run --kernels host --scenarios cases --cases 5 --shard $shard \
      --results "${shard/\//-}" --privilege userns
  done
  [[ $(cat [12]-2/cases.jsonl | sort -u | wc -l) -eq 12 ]] || die 'the shards are not all of it'
  # A signal ends it, and nothing is left.
  mkdir tmp
  TMPDIR=$PWD/tmp "$kernels" run --kernels host --scenarios cases --results ended \
    --on-begin 'echo >begun; sleep 1000' >out 2>err &
  while [[ ! -e begun ]]; do kill -0 $! || die 'it does not begin'; sleep 0.1; done
  kill -TERM $!
  status=0
  wait $! || status=$?
  [[ $status -eq 143 ]] || die "exit status $status instead of 143"
  has out 'NOT RUN: ended by SIGTERM'
  [[ -z $(ls tmp) ]] || die "left: $(ls tmp)"
fi

not_run() { skip "no guest was tried: $*"; }
[[ -z ${SANITIZE:-} ]] || not_run 'a command with sanitizers is not linked statically'
image=$("$kernels" fetch 2>err) || not_run "$(cat err)"
printf 'mkdir /a => ok\nmkdir /a => ok\n' >'a file.scn'
status=0
"$kernels" run "$image" -- run --json 'a file.scn' >out 2>err || status=$?
[[ $status -ne 4 ]] || not_run "$(cat err)"
[[ $status -eq 1 ]] || die "exit status $status instead of 1"
has out '{"file":"a file.scn","result":"unmet","steps":2,"step":2,"kernel":"EEXIST","model":"EEXIST"'
[[ $(wc -l <out) -eq 1 ]] || die 'more than the command prints'
has err '1 file: 1 unmet'

# A panic is found by the closing line that is missing; a warning, in the kernel's log.
rm cases/*
for each in a-runs b-panics c-warns; do printf 'mkdir /%s\n' "${each#*-}" >"cases/$each.scn"; done
expect 1 'out:2 agree, 1 panicked, 1 warned' "$kernels" run --kernels "$image" --scenarios cases \
  --results guest --on-begin "$(cat hook)"
diff - <(results guest/*linux-*.jsonl) <<'END' || die 'the results are others'
a-runs agree
b-panics panicked
c-warns agree
END
grep -q 'WARNING: a test' guest/*linux-*.jsonl || die 'no warning'
grep -q 'Kernel panic' guest/*linux-*.log || die 'no log'

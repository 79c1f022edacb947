# SPDX-License-Identifier: Apache-2.0
# What a command lacks is named in one line: descriptors, stack, /proc. Bounds of the format: 64
# tasks, descriptors for handles; a scenario of 100,000 lines. Standard input is a file named "-".
# Numbers out of range are refused, by all subcommands.
source "$(dirname "$0")/common.sh"

# --- standard input
printf 'mkdir /a\nmount tmpfs /a\n' >short.scn
printf 'mkdirr /a\n' >bad.scn
"$PIVOTCHECK" draw short.scn >expected
"$PIVOTCHECK" draw - <short.scn >out || die "$? for draw -"
cmp expected out || die 'draw - draws something else'
for command in run draw minimize; do
  status=0
  "$PIVOTCHECK" "$command" - <bad.scn >out 2>err || status=$?
  [[ $status -eq 2 ]] || die "$status for $command -"
  has err '-:1:1: unknown verb'
done
expect 2 err:'-: is standard input, read only once' pivotcheck run - -

# --- numbers, and whose usage it is
while read -r command words; do
  expect 2 pivotcheck "$command" $words
  [[ $(wc -l <err) -eq 1 ]] || die "not one line for $command $words"
  has err "(see pivotcheck $command --help)"
done <<'END'
run --jobs 0 short.scn
run --jobs -1 short.scn
run --jobs 1025 short.scn
run --jobs 99999999999999999999 short.scn
run --jobs 1.5 short.scn
explore --seconds 0
explore --seconds 1000000001
explore --cases 0
explore --seed -1
explore --seed 18446744073709551616
explore --libfuzzer-percent 101
minimize
draw --no-such-option short.scn
rules --no-such-option
claims --no-such-option
doctor --no-such-option
END

# --- what this process lacks
needs_worlds
limited() { # ULIMIT NUMBER COMMAND...
  bash -c 'ulimit "$1" "$2"; shift 2; exec "$@"' - "$@"
}
for command in 'run short.scn' 'explore --jobs 1 --cases 3' 'minimize short.scn' 'claims'; do
  expect 4 err:'pivotcheck: descriptors: 16, and 34 are needed (ulimit -n 34)' limited -n 16 "$PIVOTCHECK" $command
done
expect 4 err:'descriptors: 40, and 52 are needed' limited -n 40 "$PIVOTCHECK" explore --jobs 10 --cases 3
expect 4 out:'NO  descriptors: 16, and 34 are needed; to change: ulimit -n 34' \
  limited -n 16 "$PIVOTCHECK" doctor
if [[ -z ${SANITIZE-} ]]; then
  for command in 'run short.scn' 'explore --cases 3' 'draw short.scn' 'doctor' 'rules'; do
    expect 4 err:'pivotcheck: stack: 64 KiB, and 256 are needed (ulimit -s 256)' \
      limited -s 64 "$PIVOTCHECK" $command
  done
else
  echo 'NOT RUN: 5 cases with a small stack: a sanitizer needs more before main begins'
fi
# A soft limit is no limit.
expect 0 limited -Sn 16 "$PIVOTCHECK" run short.scn
expect 0 limited -Ss 64 "$PIVOTCHECK" run short.scn
if [[ -n ${SANITIZE:-} ]]; then
  echo 'NOT RUN: 5 cases without /proc: a sanitizer reads its options there'
elif unshare --user --map-root-user --mount umount -l /proc 2>/dev/null; then
  no_proc=(unshare --user --map-root-user --mount bash -c 'umount -l /proc && exec "$@"' -)
elif [[ $EUID -eq 0 ]]; then
  no_proc=(unshare --mount --propagation private bash -c 'umount -l /proc && exec "$@"' -)
fi
if [[ -n ${no_proc[*]-} ]]; then
  for command in 'run short.scn' 'explore --cases 3' 'minimize short.scn' 'claims'; do
    expect 4 err:'pivotcheck: /proc: there is none' "${no_proc[@]}" "$PIVOTCHECK" $command
  done
  expect 4 out:'NO  /proc: there is none' "${no_proc[@]}" "$PIVOTCHECK" doctor
elif [[ -z ${SANITIZE:-} ]]; then
  echo 'NOT RUN: 5 cases without /proc: only root may unmount it'
fi
if [[ $EUID -eq 0 ]]; then
  expect 0 out:'ok  explain: sees this process, and can try the call' pivotcheck doctor
else
  expect 0 out:'explain: sees this process' pivotcheck doctor
fi

# --- bounds of the format
steps() { for ((i = 0; i < $1; ++i)); do printf "$2\n" "$i"; done; }
{ steps 63 'spawn B%d'; } >tasks.scn
expect 0 out:'agree (63 steps)' pivotcheck run tasks.scn
echo 'spawn C' >>tasks.scn
expect 4 out:'tasks.scn: skipped: too-large' pivotcheck run tasks.scn
steps 100 'open h%d /' >handles.scn
expect 3 out:'EMFILE: too few descriptors for so many handles (raise ulimit -Hn)' \
  limited -n 80 "$PIVOTCHECK" run handles.scn

# --- 100,000 lines in one large directory, whose names come and go: the model finds them by an index
awk 'BEGIN {
  for (i = 0; i < 40000; ++i) print "mkdir /d" i
  for (i = 0; i < 40000; i += 2) print "rename /d" i " /d" (i % 3 == 0 ? i + 1 : "x" i)
  for (i = 0; i < 40000; i += 5) print "rmdir /d" i
  for (i = 0; i < 32000; ++i) print "mkdir /d" i
}' >long.scn
expect 0 out:'long.scn: agree (100000 steps)' pivotcheck run long.scn

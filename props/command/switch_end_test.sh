# SPDX-License-Identifier: Apache-2.0
# How `pivotcheck switch` ends: exit statuses, signals, and that nothing is left however it
# ends.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
make_root_for_all
cp "${ATTACK:?the attacking program}" root/bin/attack

expect 0 pivotcheck strategies
for strategy in "${all_strategies[@]}"; do
  grep -q "^$strategy  *[a-z]" out || die "no $strategy"
done
expect 0 pivotcheck strategies --json
[[ $(wc -l <out) -eq ${#all_strategies[@]} ]] || die 'not one line for each strategy'
expect 0 out:'ROOT -- COMMAND' pivotcheck switch --help

# One that hangs is killed, and with it the test.
switch() { as_user timeout -s KILL 60 "$PIVOTCHECK" switch --unshare "user$pid" --map root "$@"; }
for pid in '' ,pid; do
  expect 0 switch root -- true
  expect 1 switch root -- false
  expect 42 switch root -- sh -c 'exit 42'
  expect 137 switch root -- sh -c 'kill -9 $$'
  expect 134 switch root -- sh -c 'kill -ABRT $$'
  # It makes the caller its tracer and stops: that is no end.
  expect 43 switch root -- attack traceme /
  # Nor do a thread of which the caller is the tracer, and a child that is the caller's, hide it.
  expect 44 switch root -- attack traced-thread /
  expect 45 switch root -- attack sibling /
  expect 127 err:'pivotcheck switch: exec nosuch' switch root -- nosuch
  expect 127 switch root -- /no/such
  expect 126 switch root -- /etc
  touch root/data/plain
  expect 126 switch root -- /data/plain
done

# A number that is not open could become one of the switch's own, which lead to the host.
expect 2 err:'descriptor 9 is to be kept, and is not open' switch --keep-fd 9 root -- true 9<&-

# one_line STATUS ARGUMENT...: refused, with one line; nothing is left, nothing was started.
one_line() {
  local wanted=$1
  shift
  expect "$wanted" as_user "$PIVOTCHECK" switch "$@"
  [[ $(wc -l <err) -eq 1 && $(cat err) == 'pivotcheck switch: '* ]] || die "not one clear line: $*"
  [[ ! -s out ]] || die "it ran: $*"
  nothing_changed "$*"
}
user=(--unshare user --map root)
run=(-- echo ran)
rm root/data/plain
touch file
ln -s root link
ln -s ../../../outside root/data/climbs
ln -s "$folder/outside" root/data/leaves
ln -s / root/data/top
mkdir outside
for strategy in "${all_strategies[@]}"; do
  by=("${user[@]}" --strategy "$strategy")
  one_line 125 "${by[@]}" file "${run[@]}"
  one_line 125 "${by[@]}" link "${run[@]}"
  one_line 125 "${by[@]}" missing "${run[@]}"
  one_line 125 "${by[@]}" --bind "$folder/missing:/mnt" root "${run[@]}"
  one_line 125 "${by[@]}" --bind /etc:/data/missing root "${run[@]}"
  one_line 125 "${by[@]}" --bind /etc:/data/climbs root "${run[@]}"
  one_line 125 "${by[@]}" --bind /etc:/data/leaves root "${run[@]}"
  one_line 125 "${by[@]}" --tmpfs /data/top root "${run[@]}"
  one_line 125 "${by[@]}" --tmpfs / root "${run[@]}"
  one_line 125 "${by[@]}" --bind "$folder/file:/mnt" root "${run[@]}"
done
make_root bare
rmdir bare/proc
one_line 125 "${user[@]}" --strategy proc-first bare "${run[@]}"
one_line 2 --unshare user root "${run[@]}"
has err 'map'
one_line 2 --map root root "${run[@]}"
one_line 2 "${user[@]}" --map 5 root "${run[@]}"
one_line 2 --strategy put-old --strategy put-old root "${run[@]}"
has err '--strategy is given twice'
one_line 2 --strategy nosuch root "${run[@]}"
has err 'nosuch'
one_line 2 --nosuch root "${run[@]}"
one_line 2 --bind "$folder/file" root "${run[@]}"
one_line 2 --unshare nosuch root "${run[@]}"
one_line 2 --drop nosuch root "${run[@]}"
one_line 2 --seccomp nosuch root "${run[@]}"
one_line 2 --seccomp 8 root "${run[@]}"
one_line 2 --strategy
one_line 2 root
one_line 2 "${run[@]}"
one_line 2 root another "${run[@]}"
one_line 125 root "${run[@]}"  # an ordinary user, without a user namespace
has err 'unshare-mnt-no-capability'
# Another user's id. What PATH has of newuidmap's name is not asked.
mkdir lures
printf '#!/bin/sh\nexec touch "%s/outside/lured"\n' "$folder" >lures/newuidmap
chmod -R a+rwX outside
chmod 755 lures lures/newuidmap
as_user lures/newuidmap && rm outside/lured
PATH=$folder/lures:$PATH one_line 125 --unshare user --map 0:7:1 root "${run[@]}"
has err '/usr/bin/newuidmap'
[[ ! -e outside/lured ]] || die 'newuidmap was looked for in PATH'
as_user "$PIVOTCHECK" switch "${user[@]}" root "${run[@]}" </ 2>err >out && die 'a way out was open'
has err 'descriptor 0 is a directory'

# --- signals -------------------------------------------------------------------------------------
# A number that no other process has among its arguments; it finds what is left.
mark=$((RANDOM + 100000))
is_there() { grep -qsz "^$mark\$" /proc/[0-9]*/cmdline; }
gone() { ! is_there; }
await() {
  local i
  for ((i = 0; i < 1000; ++i)); do
    ! "$@" || return 0
    sleep 0.02
  done
  die "waited in vain: $*"
}
# start ARGUMENT...: in the background, as $!. The shell makes such processes ignore SIGINT; env undoes it.
start() {
  "${as_user[@]}" env --default-signal=INT \
    "$PIVOTCHECK" switch --unshare "user$pid" --map root "$@" </dev/null >out 2>err &
}
kill_it() {
  kill -KILL $! 2>/dev/null || true
  wait $! 2>/dev/null || true
}

for pid in '' ,pid; do
  for signal in TERM INT HUP USR1; do
    : >out
    start root -- sh -c "trap 'exit 33' $signal; echo ready; while :; do sleep 0.01; done"
    await grep -q ready out
    kill "-$signal" $!
    status=0
    wait $! || status=$?
    [[ $status -eq 33 ]] || die "SIG$signal ended it with status $status"
  done
  for strategy in "${all_strategies[@]}"; do
    start --strategy "$strategy" root -- sleep "$mark"
    await is_there
    kill_it
    await gone
  done
done

# Whatever the command left running in its PID namespace goes with it.
pid=,pid
expect 5 switch root -- sh -c "sleep $mark & exit 5"
await gone
start root -- sh -c "sleep $mark & sleep $mark & wait"
await is_there
kill_it
await gone

# Killed at any time: no process, and no directory for the old root.
for ((round = 0; round < 40; ++round)); do
  start --strategy put-old root -- sleep "$mark"
  sleep "0.00$((round / 4))"
  kill_it
done
await gone
same_names() { ls -A root | cmp -s - names_before; }
rm -rf root/data/climbs root/data/leaves root/data/top
await same_names
nothing_changed 'all signals'

# Killed with all of its group: nobody is left to remove the directory, so the next run does; but not
# one that is in use.
pid=
for ((round = 0; round < 20; ++round)); do
  "${as_user[@]}" setsid "$PIVOTCHECK" switch --unshare user --map root --strategy put-old root -- \
    sleep "$mark" </dev/null >out 2>err &
  sleep "0.00$((round / 2))"
  kill -KILL -- "-$!" 2>/dev/null || true
  kill_it
done
await gone
for strategy in put-old manual proc-first; do
  as_user mkdir -m 0700 root/.pivotcheck-old-1-1 root/.pivotcheck-old-1-2
  exec 8<root/.pivotcheck-old-1-2
  flock 8
  expect 0 switch --strategy "$strategy" root -- true
  [[ $(echo root/.pivotcheck-old-*) == root/.pivotcheck-old-1-2 ]] || die "$strategy: not that one"
  exec 8<&-
  expect 0 switch --strategy "$strategy" root -- true
  nothing_changed "$strategy"
done

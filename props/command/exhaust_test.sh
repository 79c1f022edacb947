# SPDX-License-Identifier: Apache-2.0
# `pivotcheck exhaust`: what it covers, what it finds, that it goes on after a kill, and that its parts
# are the whole. All of it on the model of one release, so that it is the same on every kernel; then
# two operations on the kernel that runs.
source "$(dirname "$0")/common.sh"

on_model() { pivotcheck exhaust --no-kernel --model 6.18.0 "$@"; }
value() { grep -o "\"$1\":[^,}]*" "${2:-out}" | head -1 | cut -d: -f2; }  # of the first object

# --- what there is, and what is refused
expect 0 out:'layout two-peers' pivotcheck exhaust --list
has out 'alphabet propagation'
expect 0 pivotcheck exhaust --list --json
expect 2 err:'no layout has this name' pivotcheck exhaust nowhere
for bad in --depth\ 0 --shard\ 3/2 --shard\ 0/2 --shard\ 1 --alphabet\ none --model\ 6 --jobs\ 0; do
  # shellcheck disable=SC2086
  expect 2 pivotcheck exhaust --no-kernel $bad two-peers
done
printf 'about: /\nmkdir /a\nmkdir /a\n' >refused.scn
expect 2 err:'a step of a layout is refused' pivotcheck exhaust --no-kernel refused.scn
for places in '' 'about: ' 'about: / /1 /2 /3 /4 /5' 'about: @'; do
  printf '%s\nmkdir /a\nmount tmpfs /a\n' "$places" >own.scn
  expect 2 err:'its first about: is not one to 5 paths' on_model own.scn
done
printf 'about: /\nspawn B\nB: exit\n' >ended.scn
expect 2 err:'ended: no task B' on_model --tasks 2 ended.scn
printf 'about: / /a\nmkdir /a\nmount tmpfs /a\n' >own.scn

# --- from one mount with two places, one operation
expect 0 out:'"whole":true' on_model --alphabet propagation --depth 1 --json --privilege root own.scn
[[ $(value operations) -eq 26 ]] || die 'mount 2, bind 4, rbind 4, move 4, types 8, umount 4'
[[ $(value transitions) -eq 26 ]] || die 'each operation is tried once'

# --- the sentence, and the same figures each time
search=(--alphabet propagation --depth 2 --privilege userns two-peers)
expect 0 out:'covered: Every sequence of at most 2 operations of `propagation` by one task from two-peers' \
  on_model "${search[@]}"
has out 'the model of 6.18.0'
[[ ! -e artifacts ]] || die 'a folder is left in which nothing is'
expect 0 on_model --json "${search[@]}"
head -1 out | sed 's/"seconds.*//' >once
expect 0 on_model --json --jobs 3 "${search[@]}"
diff once <(head -1 out | sed 's/"seconds.*//') || die 'another number of processes, other figures'
[[ $(value states_by_depth) == '[1' ]] || die 'the start is one state'

# --- what is left out is counted
expect 0 on_model --json --mounts 4 "${search[@]}"
[[ $(value too_many_mounts) -gt 0 && $(value states) -lt $(value states once) ]] ||
  die 'worlds of five mounts are not left out'

# --- a set that is too small: some states are met as new ones again, and none is lost
large=(--json --alphabet propagation --depth 3 --tasks 2 --no-laws --privilege root less-privileged)
expect 0 on_model "${large[@]}"
cp out remembered
[[ $(value not_remembered) -eq 0 ]] || die 'they all fit in 256 MiB'
expect 0 on_model --memory 1 "${large[@]}"
[[ $(value not_remembered) -gt 0 ]] || die 'they all fit in 1 MiB'
[[ $(value transitions) -eq $(value transitions remembered) ]] || die 'a transition is lost'

# --- the parts of a search are the whole
sum_of() { local total=0 number; for number in "$@"; do ((total += number)); done; echo "$total"; }
for part in 1/3 2/3 3/3; do
  on_model --json --shard $part "${search[@]}" >"part${part%/3}" || die "part $part"
done
for key in expanded transitions refused too_many_mounts; do
  [[ $(sum_of $(value $key part1) $(value $key part2) $(value $key part3)) -eq $(value $key once) ]] ||
    die "the parts' $key are not the whole's"
done

expect 0 out:'whole, ' pivotcheck exhaust --check-parts part1 part2 part3
expect 3 out:'part 2/3 is missing' pivotcheck exhaust --check-parts part1 part3
sed 's/"sum":"./"sum":"f/' part2 >other
cmp -s part2 other && sed 's/"sum":"./"sum":"0/' part2 >other
expect 3 out:'are not all states' pivotcheck exhaust --check-parts part1 other part3
expect 2 pivotcheck exhaust --check-parts own.scn

# --- the table: each rule once, with what reaches it; and what is not reached is listed
expect 0 out:'rules not reached:' on_model --table --alphabet all --depth 1 --jobs 1 two-peers
has out 'rule put-old-on-root-mount: 1 from two-peers, userns'
has out 'situation move-propagates: 1 from two-peers, userns'
[[ $(grep -c '^rule ' out) -eq $(grep '^rule ' out | sort -u | wc -l) ]] || die 'a rule stands twice'
expect 0 on_model --table --json --alphabet all --depth 1 --jobs 1 two-peers
[[ $(grep -c '^{"rule"' out) -eq $(pivotcheck rules --json | wc -l) ]] || die 'a rule is missing'

# With a journal it is the same, also where a part of it was found by an earlier run.
two=(--table --alphabet all --jobs 1 --privilege userns two-peers --depth)
expect 0 on_model "${two[@]}" 2
grep -v seconds out >table
expect 0 on_model --journal tables "${two[@]}" 1
grep -v seconds out >shallow
expect 0 on_model --journal tables "${two[@]}" 2
diff table <(grep -v seconds out) || die 'in two runs, another table'
expect 0 on_model --journal tables "${two[@]}" 1
diff shallow <(grep -v seconds out) || die 'sequences of two operations in a table of one'

# --- printed: each scenario once, with all that the search performs; a state's refusals are one
expect 0 pivotcheck exhaust --print --model 6.18.0 --alphabet propagation --depth 1 --privilege root \
  two-peers
[[ $(wc -l <out) -eq $(sort -u out | wc -l) ]] || die 'a scenario is printed twice'
cp out printed
expect 0 on_model --json --alphabet propagation --depth 1 --privilege root two-peers
[[ $(wc -l <printed) -eq $(($(value transitions) - $(value refused) + 1)) ]] || die 'other scenarios'
pivotcheck predict --model 6.18.0 <printed >out || die 'predict refuses them'
[[ $(grep -c '"steps"' out) -eq $(wc -l <printed) ]] || die 'a scenario is not as predict reads it'

# --- after kill -9 it goes on: nothing is lost, nothing is counted twice
long=(--alphabet propagation --no-laws --privilege root --json two-peers --depth 3)
expect 0 on_model "${long[@]}"
head -1 out | sed 's/"seconds.*//' >whole
mkdir journal
# So deep that it is not done before it is killed, on whatever machine.
"$PIVOTCHECK" exhaust --no-kernel --model 6.18.0 --journal journal --jobs 1 "${long[@]:0:8}" 6 \
  >/dev/null 2>&1 &
child=$!
file=journal/two-peers-propagation-root.journal
until [[ -e $file && $(stat -c %s "$file") -gt 20000 ]] || ! kill -0 $child 2>/dev/null; do :; done
kill -KILL $child 2>/dev/null || true
status=0
wait $child || status=$?
[[ $status -eq 137 ]] || die "it was not killed while it worked: $status"
expect 0 on_model --journal journal "${long[@]}"
diff whole <(head -1 out | sed 's/"seconds.*//') || die 'after a kill, other figures'
# And once it is whole there is nothing to do; a journal of another search is refused.
expect 0 on_model --journal journal "${long[@]}"
diff whole <(head -1 out | sed 's/"seconds.*//') || die 'read again, other figures'
expect 3 err:'this is the journal of another search' on_model --journal journal --mounts 9 "${long[@]}"
printf 'about: / /a\nmkdir /a\n' >own.scn
expect 0 on_model --journal journal --depth 1 own.scn
printf 'about: /a /\nmkdir /a\n' >own.scn
expect 3 err:'this is the journal of another search' on_model --journal journal --depth 1 own.scn
# A deeper search goes on where another ended, and one that is not so deep counts no more than its own.
expect 0 on_model --journal journal "${long[@]:0:8}" 2
[[ $(value transitions) -lt $(value transitions whole) ]] || die 'of depth 2, and counted like depth 3'
rm -r journal
expect 0 on_model --journal journal "${long[@]:0:8}" 2
expect 0 on_model --journal journal "${long[@]}"
diff whole <(head -1 out | sed 's/"seconds.*//') || die 'in two runs, other figures'

# --- a worker that is killed is named, with where it was; the search ends
workers_of() { grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3; }
"$PIVOTCHECK" exhaust --no-kernel --model 6.18.0 --jobs 2 "${long[@]:0:8}" 6 >out 2>err &
child=$!
while kill -0 $child 2>/dev/null; do
  for worker in $(workers_of $child); do kill -KILL "$worker" 2>/dev/null || true; done
done
status=0
wait $child || status=$?
[[ $status -eq 3 ]] || die "a worker was killed, and the exit status is $status"
has err 'a worker was killed by SIGKILL, at or after: artifacts/lost-two-peers.scn'
has out '"failures":1'
expect 0 out:'#' pivotcheck draw artifacts/lost-two-peers.scn
rm -r artifacts

# --- a fault that needs four operations: found by four, not by three, and as the shortest there is.
# Which law breaks is that of kernels before 6.17; the model of them is not excused here.
printf 'about: /\nmkdir /a\nmount tmpfs /a\nmount tmpfs /a\n' >two.scn
fault=(--no-law-quirks --model contract,umounts_largest_set=off --alphabet propagation
  --privilege root two.scn)
expect 0 out:', 0 broken laws' pivotcheck exhaust --no-kernel --depth 3 "${fault[@]}"
expect 1 out:', 1 broken laws' pivotcheck exhaust --no-kernel --depth 4 "${fault[@]}"
[[ $(ls artifacts) == two-root-1.scn ]] || die 'one finding, one file'
[[ $(grep -vc '^#\|^privilege:' artifacts/two-root-1.scn) -eq $((3 + 4)) ]] ||
  die 'it is not the three steps of the start and four operations'
expect 1 out:'not_whole: 1' pivotcheck exhaust --no-kernel --depth 5 "${fault[@]}"

# --- on the running kernel
needs_worlds
expect 0 out:'0 differences' pivotcheck exhaust --depth 1 --alphabet all --privilege userns
has out 'not_whole: 0'

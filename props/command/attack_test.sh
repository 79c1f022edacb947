# SPDX-License-Identifier: Apache-2.0
# Every strategy against every known way out (props/attack/attack.c), with and without CAP_SYS_ADMIN
# and CAP_SYS_CHROOT inside; as root, and as an ordinary user in a user namespace. What comes out is
# the table in props/attack/TABLE.md, or this test fails. A second table is about PID 1 of a PID namespace
# of the command's own: who takes it over, does he gain anything?
#
# The host of these attacks is a mount namespace of the test's own, so that a way out that is open
# leads no further. Its tree is shared, as machines have it.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
source "$(dirname "$0")/filters.sh"
: "${ATTACK:?the attacking program}"

# --- in the host of its own: measure MODE --------------------------------------------------------
if [[ ${1:-} == measure ]]; then
  mode=$2
  inside=()
  [[ $mode != user ]] || inside=(--unshare user --map root)
  marker=${WORK#/}/marker
  open_descriptor=$WORK

  # try WAY OPTION...: prints OUT or in
  try() {
    local way=$1 answer
    shift
    cut -d' ' -f5 /proc/self/mountinfo >"$WORK/$mode.before"
    # Descriptor 9 is a directory of the host's that its caller left open.
    answer=$("$PIVOTCHECK" switch "${inside[@]}" "$@" "$WORK/root" -- \
      /attack "$way" "$marker" /mnt 2>"$WORK/$mode.err" 9<"$open_descriptor") || answer=broken
    [[ $answer != broken ]] || { echo "$* $way: $(cat "$WORK/$mode.err")" >&2; }
    if ! cut -d' ' -f5 /proc/self/mountinfo | cmp -s - "$WORK/$mode.before"; then
      answer=OUT
      umount "$WORK/root/mnt"
    fi
    echo "$answer"
  }
  # both WAY OPTION...: with the two capabilities, and without
  both() {
    local with without
    with=$(try "$@")
    without=$(try "$@" --drop sys_admin,sys_chroot)
    if [[ $with == "$without" ]]; then echo "$with"; else echo "$with / $without"; fi
  }
  for strategy in "${all_strategies[@]}"; do
    by=(--strategy "$strategy")
    own_proc=$(both proc "${by[@]}" --unshare pid --proc /proc)
    hosts_proc=refused
    hosts_exe=refused
    if [[ $mode == root && $strategy != proc-first ]]; then
      hosts_proc=$(both proc "${by[@]}" --proc /proc)
      hosts_exe=$(both exe "${by[@]}" --proc /proc)
    fi
    [[ $strategy != proc-first ]] || { hosts_proc=never; hosts_exe=never; }
    echo "| $strategy | $(both second-chroot "${by[@]}") | $(both descriptor "${by[@]}") |" \
      "$(both descriptor "${by[@]}" --keep-fd 9) | $own_proc | $hosts_proc | $hosts_exe |" \
      "$(both umount-setns "${by[@]}") | $(both mount "${by[@]}") | $(both cwd "${by[@]}") |"
  done

  # What is mounted, and the terminal; and everything together with --confine.
  mkdir -p "$WORK/shared"
  locked=(--bind "$WORK/shared:/mnt:ro")
  own_proc=(--unshare pid --proc /proc)
  at_terminal() {  # OPTION...
    local words
    words=$(printf '%q ' "$PIVOTCHECK" switch "${inside[@]}" "$@" "$WORK/root" -- \
      /attack terminal "$marker")
    script -qec "$words" /dev/null </dev/null | tr -d '\r' || true
  }
  confined() {  # STRATEGY: one word if all answers are the same
    local by=(--confine --strategy "$1" "${own_proc[@]}")
    [[ $1 != chroot && $1 != move-chroot ]] || { echo refused; return; }
    (
      inside=()
      for way in second-chroot descriptor umount-setns mount cwd unmask proc outer; do
        try "$way" "${by[@]}"
      done
      try unlock "${by[@]}" "${locked[@]}"
      at_terminal "${by[@]}"
      try init "${by[@]}" | sed 's/ | /\n/g'
    ) | sort -u | paste -sd/
  }
  mounts_row() {  # STRATEGY MAP COLUMN, the last one
    local by=(--strategy "$1") inside=() proc=("${own_proc[@]}")
    [[ $1 != proc-first ]] || proc=()
    # shellcheck disable=SC2206 # $2 is words
    [[ -z $2 ]] || inside=(--unshare user $2)
    echo "| $1 | ${2:-none} | $(both unlock "${by[@]}" "${locked[@]}") |" \
      "$(both unlock "${by[@]}" "${locked[@]}" --no-lock) |" \
      "$(both unlock-root "${by[@]}" --read-only) | $(both unmask "${by[@]}" "${proc[@]}") |" \
      "$(at_terminal "${by[@]}") | $(at_terminal "${by[@]}" --new-session) | $3 |"
  }
  [[ $mode == root ]] && map= || map='--map root'
  for strategy in "${all_strategies[@]}"; do
    mounts_row "$strategy" "$map" "$(confined "$strategy")"
  done >"$WORK/${mode}_mounts_rows"

  # The user whom --map root makes root inside owns the new root.
  [[ $mode == user ]] || chown 0:0 "$WORK/root"
  if [[ $mode == root ]]; then
    for strategy in "${all_strategies[@]}"; do
      mounts_row "$strategy" '--map root' above
    done >>"$WORK/root_mounts_rows"
  fi
  # PID 1: a row for each combination of id map, dropped capabilities and filter; the strategies
  # agree, or their answers are all printed.
  for map in '' '--map root'; do
    [[ $mode == root || -n $map ]] || continue
    for drop in '' sys_ptrace sys_admin,sys_chroot all; do
      for filter in '' mkdirat; do
        answers=
        for strategy in "${all_strategies[@]}"; do
          # shellcheck disable=SC2086 # $map is words
          answers+=$(inside=(); try init --strategy "$strategy" --unshare pid --proc /proc ${map:+--unshare user $map} \
            ${drop:+--drop "$drop"} ${filter:+--seccomp 8} 8<"$WORK/${filter:-marker}")$'\n'
        done
        echo "| ${map:-none} | ${drop:-none} | ${filter:-none} |" \
          "$(sort -u <<<"${answers%$'\n'}" | paste -sd/) |" >>"$WORK/${mode}_init_rows"
      done
    done
  done
  exit 0
fi

# --- outside -------------------------------------------------------------------------------------
needs_user_namespaces
open_up
make_root root
cp "$ATTACK" root/attack
cp "$(dirname "$0")/common.sh" "$(dirname "$0")"/{roots,filters}.sh .
chmod -R a+rX .
[[ $EUID -ne 0 ]] || chown -R 65534:65534 .
echo marker >marker
echo covered >root/mnt/covered
filter mkdirat >mkdirat
chmod 644 marker mkdirat

# measure MODE COMMAND...: runs this file again, in a namespace whose tree is shared
measure() {
  local mode=$1
  shift
  "$@" env WORK="$folder" PIVOTCHECK="$PIVOTCHECK" SOURCE="$SOURCE" ATTACK="$ATTACK" \
    sh -ec 'mount --make-rshared /; exec bash "$@"' sh "$self" measure "$mode"
}
table() {
  { echo "$head"; echo "$line"; cat "$1_rows"; } >"$1_table"
  { echo "$init_head"; echo "$init_line"; cat "$1_init_rows"; } >"$1_init_table"
  { echo "$mounts_head"; echo "$mounts_line"; cat "$1_mounts_rows"; } >"$1_mounts_table"
}
self=$folder/attack_test.sh
cp "$0" "$self"
chmod 644 "$self" common.sh roots.sh filters.sh

head='| strategy | `..` after a second chroot | directory left open | directory passed on |'
head+=' `/proc/PID/root`, own PID namespace | `/proc/PID/root` of the host | `exe` of the switch |'
head+=' `umount /` and setns |'
head+=' mount seen by the host | cwd at the old root |'
line='| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |'

mounts_head='| strategy | id map | `:ro` undone | the same, `--no-lock` | `--read-only` undone |'
mounts_head+=' masks of `/proc` taken off |'
mounts_head+=' terminal | the same, `--new-session` | all ways, `--confine` |'
mounts_line='| --- | --- | --- | --- | --- | --- | --- | --- | --- |'

init_head='| id map | dropped | filter | taken over | `mem` | `fd` | `ns` | `exe` |'
init_line='| --- | --- | --- | --- | --- | --- | --- | --- |'

measure user as_user unshare --user --map-root-user --mount >user_rows 2>messages ||
  die "the attacks did not run: $(cat messages)"
table user
if [[ $EUID -eq 0 ]]; then
  measure root unshare --mount >root_rows 2>messages ||
    die "the attacks did not run: $(cat messages)"
  table root
else
  echo 'not root: its half of the table was not measured'
fi

cat ./*_table
! grep -q broken ./*_table || die "an attack did not work: $(cat messages)"
for mode in user user_mounts user_init root root_mounts root_init; do
  [[ -e ${mode}_table ]] || continue
  awk -v from="<!-- attacks: $mode -->" '
    $0 == from { on = 1; next } on && !/^\|/ { exit } on' "$SOURCE/props/attack/TABLE.md" |
    diff - "${mode}_table" || die "TABLE.md has another table (<) than was measured (>)"
done

# SPDX-License-Identifier: Apache-2.0
# A refused `pivotcheck switch` names the rule, also where the call and its errno would leave many: the
# one that `pivotcheck explain` names for the same process; and none where no rule explains it. Each
# set-up is a mount namespace of its own, which ends with the shell that made it.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
source "$(dirname "$0")/filters.sh"
[[ -z ${SANITIZE:-} ]] ||
  skip 'no refusal: a sanitizer has a say of its own where there is no /proc of the process'
make_root_for_all
mkdir -m 777 w
touch file
export W=$folder/w R=$folder/root PIVOTCHECK folder

# refused WORDS ENTER... -- ARGUMENT...: what it says begins with the words; the command did not run.
refused() {
  local words=$1 enter=()
  shift
  while [[ $1 != -- ]]; do enter+=("$1"); shift; done
  shift
  expect 125 "${enter[@]}" "$PIVOTCHECK" switch "$@" "$R" -- /bin/echo started
  has err "pivotcheck switch: $words"
  [[ $(wc -l <err) -eq 1 && ! -s out ]] || die "not one line: $words"
  [[ -z $(find root -name '.pivotcheck-old*') ]] || die 'something stayed in the root'
  named=$((named + 1))
}
named=0

# --- a file on a directory: one of many rules for EINVAL of move_mount
kind="EINVAL move-kind-mismatch: "
for strategy in "${all_strategies[@]}"; do
  refused "the mount at /mnt: move_mount @tree0 @target: $kind" as_user -- --strategy "$strategy" \
    --unshare user,pid --map root --bind "$folder/file:/mnt"
done
# --- what is not there, and what may not be written
refused 'the mount at /x: open /x in the new root: ENOENT name-missing: ' \
  as_user -- --unshare user --map root --tmpfs /x
cat >read_only <<'END'
mount --bind "$R" "$R"
mount -o remount,bind,ro "$R"
exec "$@"
END
printf 'mount -t tmpfs none /proc\nexec "$@"\n' >no_proc
namespace=(as_user unshare --user --map-root-user --mount sh -e)
refused "new root $R: mkdir -m 0700 .pivotcheck-old" "${namespace[@]}" read_only -- --strategy put-old
has err 'EROFS read-only: '
# --- where /proc has other numbers than this PID namespace, or is missing, only the table is asked
pids=(as_user unshare --user --map-root-user --mount --pid --fork)
refused 'the mount at /mnt: move_mount @tree0 @target: Invalid argument (EINVAL)' "${pids[@]}" -- \
  --bind "$folder/file:/mnt"
refused 'the mount at /mnt: move_mount @tree0 @target: Invalid argument (EINVAL)' \
  "${namespace[@]}" no_proc -- --bind "$folder/file:/mnt"
refused "new root $R: mkdir -m 0700 .pivotcheck-old" "${pids[@]}" sh -e read_only -- --strategy put-old
has err 'EROFS read-only: '
# --- no capability
refused 'unshare mnt: EPERM unshare-mnt-no-capability: ' as_user --
has err 'it takes a user namespace (--unshare user --map root)'
# --- where a user namespace is no advice, because none can be made
unmapped="a user namespace can't be made here: no id of this process is mapped"
refused 'unshare mnt: EPERM unshare-mnt-no-capability: ' as_user unshare --user --mount --
has err "$unmapped"
refused 'unshare user: Operation not permitted (EPERM); ' as_user unshare --user -- \
  --unshare user --map root
has err "$unmapped"
cat >in_chroot <<'END'
mkdir -p "$W/new/bin" "$W/bin" "$W/proc"
cp "$PIVOTCHECK" "$W/bin/pivotcheck"
cp "$R/bin/busybox" "$W/new/bin/true"
mount --rbind /proc "$W/proc"
! chroot "$W" /bin/pivotcheck switch /new -- /bin/true || exit 1
exec chroot "$W" /bin/pivotcheck switch --strategy chroot /new -- /bin/true
END
expect 0 err:'there, as root, --strategy chroot works' "${namespace[@]}" "$folder/in_chroot"
refused "new root $R: chroot .: EPERM chroot-no-capability: " \
  as_user unshare --user --map-root-user --mount setpriv --bounding-set -sys_chroot -- --strategy move-chroot
# --- an unbindable root: template copies no mount tree in which it would not be any more
cat >unbindable <<'END'
mount --bind "$R" "$R"
mount --make-unbindable "$R"
exec "$@"
END
refused "new root $R: open_tree newroot . clone,recursive: EINVAL bind-unbindable: " \
  "${namespace[@]}" unbindable -- --strategy template
if [[ $EUID -ne 0 ]]; then
  mounts | cmp - before || die 'the mounts of the machine changed'
  echo "$named refusals named"
  echo 'NOT RUN: the set-ups with a chroot and a filter: they take root'
  exit 0
fi

# --- a chroot: to a plain directory; and to a mount on a shared one, where pivot_root refuses
cat >enter <<'END'
mount -t tmpfs none "$W"
mkdir "$W/r"
if [ "$KIND" = shared ]; then
  mount --make-shared "$W"
  mount -t tmpfs none "$W/r"
  mount --make-private "$W/r"
fi
mkdir -p "$W/r$folder"
dress "$W/r"
mount --bind "$folder" "$W/r$folder"
chroot "$W/r" "$@" || exit $?  # this process stays outside, and sees what the root is mounted on
END
private=(unshare --mount --propagation private bash -eu enter)
export KIND=shared
for strategy in put-old dot-dot manual proc-first tmpfs-sandbox template; do
  about="new root $R: "
  [[ $strategy != template ]] || about=  # refused while its own namespace is prepared
  refused "${about}pivot_root . " "${private[@]}" -- --strategy "$strategy"
  has err ': EINVAL root-parent-shared: the parent mount of'
done
expect 1 "${private[@]}" "$PIVOTCHECK" explain --json "$R/data" "$R/data"
has out '"rule":"root-parent-shared"'
expect 0 "${private[@]}" "$PIVOTCHECK" switch --strategy move-chroot "$R" -- /bin/true
KIND=plain
refused 'make-rprivate /: EINVAL propagation-not-mount-point: ' "${private[@]}" -- --strategy put-old
has err 'root-not-mount-point'
refused 'unshare user: EPERM unshare-user-chrooted: ' "${private[@]}" -- --unshare user --map root

# --- a filter that answers in the kernel's place: no rule of the table, though one has that errno
filtered() { "$PIVOTCHECK" switch --strategy chroot --seccomp 8 / -- "$@"; }
filter pivot_root >pivot.bpf
filter unshare >unshare.bpf
refused "new root $R: pivot_root . .: EPERM seccomp-filter: " filtered -- --strategy dot-dot 8<pivot.bpf
expect 1 filtered "$PIVOTCHECK" explain --json "$R" "$R" 8<pivot.bpf
has out '"rule":"seccomp-filter","errno":"EPERM"'
refused 'unshare mnt: Operation not permitted (EPERM)' filtered -- --strategy dot-dot \
  8<unshare.bpf
mounts | cmp - before || die 'the mounts of the machine changed'
echo "$named refusals named"

# SPDX-License-Identifier: Apache-2.0
# `pivotcheck switch` on a real busybox root, by every strategy, as root, as an ordinary user and
# inside of a user namespace: what the command sees, and that the machine sees nothing.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
source "$(dirname "$0")/filters.sh"
make_root_for_all
exec 9</  # a descriptor of the caller's: it must not be open inside

cat >root/look <<'END'
#!/bin/sh
echo "uid $(id -u) pwd $(pwd) init $(cat /proc/1/comm) self $$"
cd / && cd .. && pwd && ls -d /.. /bin/busybox
echo "names $(echo /*)"
# Descriptor 3 is the folder that ls reads.
echo "descriptors $(echo $(ls /proc/self/fd))"
while read -r _ _ _ root point rest; do echo "mount $root $point"; done </proc/self/mountinfo
(sleep 0.01 &)
sleep 0.1
grep -c '^State:.*Z' /proc/[0-9]*/status | grep -v ':0$'
exit 7
END
chmod 755 root/look
names='/bin /data /dev /etc /look /mnt /proc /tmp'

# saw_the_root STRATEGY ROOTS_UID
saw_the_root() {
  has out "uid $2 pwd / init pivotcheck-init self 2"
  has out "names $names"
  has out 'descriptors 0 1 2 3'
  [[ $(sed -n 2p out) == / ]] || die "'..' at the root leads to $(sed -n 2p out)"
  has_not out ':1'  # zombies
  local mount
  grep '^mount' out | grep -v ' /proc/' >seen  # those hide parts of /proc
  if [[ $1 == tmpfs-sandbox ]]; then
    has seen 'mount / /'
    for mount in bin data dev etc mnt tmp proc look; do has seen " /$mount"; done
    [[ $(wc -l <seen) -eq 10 ]] || die "mounts that nobody asked for: $(cat seen)"
  else
    [[ $(cat seen) == "mount $(cat root_in_filesystem) /"$'\n''mount / /proc' ]] ||
      die "mounts that nobody asked for: $(cat seen)"
  fi
}

# What mountinfo says of a bind of the root: its path in its filesystem.
unshare --user --map-root-user --mount sh -c 'mount --bind root root && cat /proc/self/mountinfo' |
  awk -v point="$folder/root" '$5 == point { print $4 }' | tail -n 1 >root_in_filesystem

ls -A root >names_before  # with the programs
inside=(--unshare pid --proc /proc root -- /look)
for strategy in "${all_strategies[@]}"; do
  expect 7 as_user "$PIVOTCHECK" switch --strategy "$strategy" --unshare user --map root \
    "${inside[@]}"
  saw_the_root "$strategy" 0
  if [[ $EUID -eq 0 ]]; then
    expect 7 pivotcheck switch --strategy "$strategy" "${inside[@]}"
    saw_the_root "$strategy" 0
  fi
  expect 7 as_user unshare --user --map-root-user --mount \
    "$PIVOTCHECK" switch --strategy "$strategy" "${inside[@]}"
  saw_the_root "$strategy" 0
  nothing_changed "$strategy"
done

# --- it does what unshare(1) and pivot_root(8) do ------------------------------------------------
cat >root/same <<'END'
#!/bin/sh
id; pwd; cd ..; pwd; echo /*
grep -c . /proc/self/mountinfo; readlink /proc/self/root; cat /proc/self/cgroup
END
chmod 755 root/same
cat >by_hand <<'END'
mount --make-rprivate /
mount --rbind root root
mount -t proc proc root/proc
cd root
mkdir old
pivot_root . old
exec chroot . /bin/sh -c 'umount -l /old; rmdir /old; exec /same'
END
PATH=$PATH:/sbin:/usr/sbin
as_user unshare --user --map-root-user --mount --pid --fork sh -e by_hand >wanted
expect 0 as_user "$PIVOTCHECK" switch --unshare user,pid --map root --open-proc /proc root -- /same
cmp out wanted || die 'it is not what pivot_root(8) does for a user'
if [[ $EUID -eq 0 ]]; then
  unshare --mount --pid --fork sh -e by_hand >wanted
  expect 0 pivotcheck switch --unshare pid --open-proc /proc root -- /same
  cmp out wanted || die 'it is not what pivot_root(8) does for root'
fi

# --- mounts --------------------------------------------------------------------------------------
mkdir -p source/below
echo text >source/below/file
user=(as_user "$PIVOTCHECK" switch --unshare user,pid --map root)
expect 0 "${user[@]}" --bind "$folder/source:/mnt" root -- cat /mnt/below/file
touch root/etc/file
expect 0 out:text "${user[@]}" --bind source/below/file:/etc/file root -- cat /etc/file
# A mount below the source comes along, and is read-only too.
cat >nested <<'END'
mount -t tmpfs none source/below
echo nested >source/below/file
exec "$@"
END
expect 0 as_user unshare --user --map-root-user --mount sh -e nested "$PIVOTCHECK" switch \
  --bind source:/mnt:ro root -- \
  sh -c 'cat /mnt/below/file && ! touch /mnt/new && ! touch /mnt/below/new'
has out nested
for strategy in "${all_strategies[@]}"; do
  expect 0 "${user[@]}" --strategy "$strategy" --read-only --tmpfs /tmp --dev /dev \
    --bind source:/mnt root -- \
    sh -c '! touch /new && ! touch /data/new && touch /tmp/new && echo >/dev/null &&
      test -d /mnt/below'
done
expect 0 "${user[@]}" --strategy tmpfs-sandbox --tmpfs /made/of/air root -- sh -c \
  'test -d /made/of/air && ! touch /made/of/new'
# An absolute link in the root is one of the root's.
ln -s /data/deep root/link
expect 0 "${user[@]}" --proc /proc --tmpfs /link root -- grep -c ' /data/deep ' /proc/self/mountinfo
has out 1

# --- what the command does not have --------------------------------------------------------------
status() { "${user[@]}" --proc /proc "$@" root -- cat /proc/self/status >out; }
status --drop all
has out $'CapEff:\t0000000000000000'
has out $'CapBnd:\t0000000000000000'
status --drop cap_sys_admin,SYS_CHROOT
expect 1 "${user[@]}" --drop sys_admin root -- mount -t tmpfs none /tmp
status --no-new-privs
has out $'NoNewPrivs:\t1'
printf '\x06\0\0\0\0\0\xff\x7f' >allow  # return SECCOMP_RET_ALLOW
printf '\x06\0\0\0\0\0\0\0' >kill       # return SECCOMP_RET_KILL_THREAD
chmod 644 allow kill
status --seccomp 8 8<allow
has out $'Seccomp:\t2'
status --seccomp 8 8<kill && die 'the program was not loaded'
[[ $? -ne 0 ]]
# All filters are loaded, in order, for the command and for its init.
filter mkdirat >no_mkdir
filter ppoll "$filter_kill" >no_poll
filter seccomp "$filter_kill" >no_more
chmod 644 no_mkdir no_poll no_more
status --seccomp 8 --seccomp 9 8<allow 9<no_mkdir
has out $'Seccomp_filters:\t2'
expect 0 "${user[@]}" --proc /proc --seccomp 8 --seccomp 9 root -- cat /proc/1/status 8<allow 9<allow
has out $'Seccomp_filters:\t2'
expect 125 "${user[@]}" --seccomp 8 root -- true 8<no_poll
has err 'the seccomp filters stop the init of the new PID namespace'
expect 125 "${user[@]}" --seccomp 8 --seccomp 9 root -- true 8<no_more 9<allow
has err 'the seccomp filters stop the init of the new PID namespace'
expect 125 as_user "$PIVOTCHECK" switch --unshare user --map root --seccomp 8 --seccomp 9 root -- true \
  8<no_more 9<allow
has err "seccomp filter 2 can't be loaded: an earlier one kills the process that tries"
expect 0 "${user[@]}" --proc /proc --keep-fd 9 root -- sh -c 'test -d /proc/self/fd/9'

# --- ids -----------------------------------------------------------------------------------------
expect 0 out:"$(as_user id -u)" as_user "$PIVOTCHECK" switch --unshare user --map self root -- id -u
if [[ $EUID -eq 0 ]]; then
  # /etc/subuid of a machine that gives this user ids, in a namespace where it is that.
  echo '65534:200000:1000' >subordinate
  chmod 644 subordinate
  expect 0 unshare --mount sh -ec 'touch /etc/subuid /etc/subgid
    mount --bind subordinate /etc/subuid; mount --bind subordinate /etc/subgid
    exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' sh \
    "$PIVOTCHECK" switch --unshare user,pid --map auto --proc /proc root -- cat /proc/self/uid_map
  [[ $(awk '{ print $1, $2, $3 }' out) == $'0 65534 1\n1 200000 1000' ]] || die 'not that map'
fi

# --- /proc in a user namespace -------------------------------------------------------------------
# Without a PID namespace the kernel refuses it, which is why the option does.
expect 32 as_user unshare --user --map-root-user --mount mount -t proc proc /proc
expect 125 as_user "$PIVOTCHECK" switch --unshare user --map root --proc /proc root -- true
has err 'pivotcheck switch: a new /proc in a user namespace needs a new PID namespace'
# With one, but where no other /proc can be seen any more, the kernel refuses it too; which is why
# strategies mount it before the old root goes.
expect 1 err:'denied' "${user[@]}" root -- mount -t proc proc /proc
expect 0 "${user[@]}" --open-proc /proc root -- mount -t proc proc /proc
# What hides parts of it is locked, so that another one would show what is hidden: refused.
expect 1 err:'denied' "${user[@]}" --proc /proc root -- mount -t proc proc /proc
expect 0 "${user[@]}" --no-lock --proc /proc root -- mount -t proc proc /proc

mounts | cmp - before || die 'the mounts of the machine changed'

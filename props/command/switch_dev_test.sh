# SPDX-License-Identifier: Apache-2.0
# What `pivotcheck switch` makes in the new root besides mounts of the machine's: a /dev that programs
# can live with, directories and links in a tmpfs, `lo` of a new network; and what a bind does not
# allow unless asked. By every strategy, as an ordinary user, and as root where this is root.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
make_root_for_all
cat >root/dev_works <<'END'
#!/bin/sh -e
for node in null zero full random urandom tty; do test -c /dev/$node; done
echo x >/dev/null
echo x 2>/dev/full >/dev/full && exit 1
{ echo to-stdout >/dev/stdout; } | cat
echo from-stdin | cat /dev/stdin
echo by-fd | cat /dev/fd/0
{ echo to-stderr >/dev/stderr; } 2>&1 | cat
echo shared >/dev/shm/file
test "$(stat -c %a /dev/shm)" = 1777
test "$(stat -c %a /dev)" = 755
exec 7<>/dev/ptmx
test -c /dev/pts/0
stat -c 'pts %a' /dev/pts/0
END
cat >root/masked <<'END'
#!/bin/sh
for name in bus fs irq sys sysrq-trigger; do
  test ! -e /proc/$name || grep -q " /proc/$name ro," /proc/self/mountinfo || exit 2
done
(echo taken >/proc/sys/kernel/hostname) 2>/dev/null && exit 3
for name in /proc/*; do
  test ! -c $name || echo ${name#/proc/}: device
  test ! -d $name || test -n "$(ls -A $name)" || echo ${name#/proc/}: empty
done
END
for name in acpi asound kcore keys latency_stats sched_debug timer_stats timer_list scsi; do
  [[ ! -d /proc/$name ]] || echo "d $name"
  [[ ! -f /proc/$name ]] || echo "f $name"
done >hidden
[[ -s hidden ]] || die 'this kernel has nothing to hide'
chmod 755 root/dev_works root/masked
ln -sf busybox root/bin/stat
ln -sf busybox root/bin/ifconfig
find root | sort >files_before
ls -A root >names_before

refused() {  # refused STATUS WORDS COMMAND...
  local wanted=$1 words=$2
  shift 2
  expect "$wanted" "err:$words" "$@"
  [[ $(wc -l <err) -eq 1 && ! -s out ]] || die "not one clear line: $*"
}

all() {  # all COMMAND...: that switches
  local strategy by
  echo text >source/file
  for strategy in "${all_strategies[@]}"; do
    by=("$@" --strategy "$strategy")
    # --- /dev
    expect 0 out:'to-stdout' out:'from-stdin' out:'by-fd' out:'to-stderr' out:'pts 620' \
      "${by[@]}" --proc /proc --dev /dev root -- /dev_works
    expect 0 "${by[@]}" --dev /dev root -- sh -c 'test ! -e /dev/console'
    # --- mounts below a tmpfs, in their order, and what is made there
    expect 0 out:'text /x target' "${by[@]}" --tmpfs /tmp --tmpfs /tmp/a/b --dir /tmp/a/d/e \
      --bind source/file:/tmp/a/d/file --bind source:/tmp/a/b/c:ro --symlink /x:/tmp/l/link root -- \
      sh -c 'cd /tmp/a; echo $(cat d/file) $(readlink ../l/link) target; test -d d/e &&
        test -f b/c/file && ! touch b/c/new && touch b/new ../new'
    expect 0 "${by[@]}" --dev /dev --tmpfs /dev/shm --dir /dev/mqueue --bind source/file:/dev/null \
      --bind source:/dev/shm/there root -- \
      sh -c 'test -d /dev/mqueue -a -f /dev/null -a -f /dev/shm/there/file'
    # The last of two covers the first.
    expect 0 "${by[@]}" --tmpfs /tmp/ --dir /tmp/one --tmpfs /tmp --dir /tmp/two root -- \
      sh -c 'test -d /tmp/two -a ! -e /tmp/one'
    # --- never in the root's own files
    refused 2 'not in a tmpfs' "${by[@]}" --dir /data/x root -- true
    refused 2 'not in a tmpfs' "${by[@]}" --symlink y:/data/x root -- true
    refused 2 'not in a tmpfs' "${by[@]}" --tmpfs /tmp --dir /tmp/../data/x root -- true
    refused 2 'not in a tmpfs' "${by[@]}" --tmpfs /tmp --bind source:/tmp/s --dir /tmp/s/x root -- true
    refused 2 'not in a tmpfs' "${by[@]}" --dir /tmp/x --tmpfs /tmp root -- true
    refused 2 'behind the link' "${by[@]}" --tmpfs /tmp --symlink /data:/tmp/l --dir /tmp/l/x \
      root -- true
    refused 125 EEXIST "${by[@]}" --tmpfs /tmp --dir /tmp/l --symlink x:/tmp/l root -- true
    # --- binds
    expect 0 out:nosuid,nodev "${by[@]}" --proc /proc --bind source:/mnt root -- \
      grep ' /mnt ' /proc/self/mountinfo
    expect 0 "${by[@]}" --proc /proc --bind "$folder/plain:/mnt:suid:dev" root -- \
      grep ' /mnt ' /proc/self/mountinfo
    grep -q ' / .*nosuid\|/tmp .*nosuid' /proc/self/mountinfo || has_not out nosuid
    refused 2 '--bind takes' "${by[@]}" --bind source:/mnt:rw root -- true
    # --- what in /proc is the whole machine's
    expect 0 "${by[@]}" --unshare uts --proc /proc root -- /masked
    while read -r what name; do
      [[ $what != d ]] || has out "$name: empty"
      [[ $what != f ]] || has out "$name: device"
    done <hidden
    expect 1 "${by[@]}" --open-proc /proc root -- grep ' /proc/' /proc/self/mountinfo
    # --- lo
    expect 0 out:'inet addr:127.0.0.1' out:UP "${by[@]}" --unshare net root -- ifconfig lo
    nothing_changed "$strategy"
    find root | sort | cmp - files_before || die "$strategy made something in the root"
  done
  expect 0 "$@" --strategy tmpfs-sandbox --dir /made/of/air --symlink air:/made/of/link root -- \
    sh -c 'test -d /made/of/air -a -d /made/of/link && ! touch /made/of/air/new'
  # A terminal of devpts (major number 136), bound as console.
  printf '%q ' "$@" --dev /dev root -- stat -c 'console %t' /dev/console >line
  expect 0 'out:console 88' script -qec "$(cat line)" /dev/null
  # --- the root / itself; but put-old, manual and proc-first would write to the machine's
  for strategy in dot-dot tmpfs-sandbox move-chroot chroot template; do
    by=("$@" --strategy "$strategy" --unshare mnt --proc /proc)
    case $strategy in
      move-chroot) refused 125 move-into-itself "${by[@]}" / -- true ;;
      *)
        expect 0 "out:$folder" "${by[@]}" --tmpfs "$folder/source" / -- \
          sh -c "cd $folder/source && pwd && ! test -e file && grep -c $folder/source /proc/mounts" ;;
    esac
  done
}

mkdir source plain
[[ $EUID -ne 0 ]] || chown -R 65534:65534 source plain root
chmod -R a+rX .
all "${as_user[@]}" "$PIVOTCHECK" switch --unshare user,pid --map root
if [[ $EUID -eq 0 ]]; then
  all "$PIVOTCHECK" switch --unshare pid
  # To the machine's root /proc/sys is writable, unless it is masked.
  for ids in '' 'user --map root'; do
    # shellcheck disable=SC2206 # they are words
    by=("$PIVOTCHECK" switch --unshare pid,uts ${ids:+--unshare $ids})
    expect 0 "${by[@]}" --proc /proc root -- /masked
    expect 0 "${by[@]}" --open-proc /proc root -- sh -c 'echo opened >/proc/sys/kernel/hostname'
  done
fi
mounts | cmp - before || die 'the mounts of the machine changed'

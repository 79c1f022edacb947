# SPDX-License-Identifier: Apache-2.0
# What `pivotcheck switch` gives the command besides its root: environment, directory, host name,
# session, namespaces; and what it says where one of them can't be had. As an ordinary user, and as
# root where this is root.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
source "$(dirname "$0")/filters.sh"
make_root_for_all
mkdir outside
chmod 755 outside

# refused STATUS WORDS COMMAND...: one line that has the words; the command did not run.
refused() {
  local wanted=$1 words=$2
  shift 2
  expect "$wanted" "err:$words" "$@"
  [[ $(wc -l <err) -eq 1 && ! -s out ]] || die "not one clear line: $*"
}

# options COMMAND...: all of it, by a command that switches
options() {
  # --- the environment
  expect 0 out:'one=1 two= PATH=/bin' "$@" --clearenv --setenv one 1 --setenv two '' \
    --setenv gone x --unsetenv gone --setenv PATH /bin root -- \
    sh -c 'echo "one=$one two=$two PATH=$PATH"; [ -z "${gone+set}" ]'
  expect 0 out:'kept new' env kept=kept other=old "$@" --setenv other new root -- \
    sh -c 'echo "$kept $other"'
  expect 0 out:'kept-' env kept=kept other=old "$@" --unsetenv other root -- \
    sh -c 'echo "$kept-$other"'
  expect 0 out:'-c' env kept=kept "$@" --setenv last x --clearenv root -- \
    sh -c 'echo "$kept$last-c"'
  expect 0 out:'/data' "$@" --setenv PATH /data root -- found
  refused 2 'NAME VALUE' "$@" --setenv one=1 two root -- true
  refused 2 '--setenv takes two words' "$@" --setenv one -- true
  refused 2 'no variable has the name' "$@" --unsetenv '' root -- true

  # --- the directory: of the new root, whatever its links say
  for strategy in "${all_strategies[@]}"; do
    expect 0 "$@" --strategy "$strategy" --chdir /data/deep root -- pwd
    [[ $(cat out) == /data/deep ]] || die "$strategy begins in $(cat out)"
    refused 125 'the current directory: open /no in the new root: ENOENT' \
      "$@" --strategy "$strategy" --chdir no root -- true
    # As CVE-2024-21626: a link to a directory of the host's that its caller left open.
    refused 125 'ELOOP' "$@" --strategy "$strategy" --bind /proc:/proc --chdir /data/leak root -- \
      ls 8<outside
  done
  expect 0 out:/data/deep "$@" --chdir /../data/abs root -- pwd
  expect 0 "$@" --chdir /. root -- pwd
  [[ $(cat out) == / ]] || die "not the root: $(cat out)"
  refused 125 'ENOTDIR' "$@" --chdir /etc/file root -- true
  expect 0 out:here "$@" --chdir /data root -- ./found

  # --- a path with a colon
  expect 0 out:text "$@" --bind 'so\:ur\\ce:/data/a\:b' root -- cat /data/a:b/file
  expect 0 out:text "$@" --bind 'so\:ur\ce:/mnt:ro' root -- sh -c 'cat /mnt/file; ! touch /mnt/new'
  refused 2 'a colon in a path' "$@" --bind 'so:ur:ce' root -- true

  # --- namespaces
  refused 2 'a host name needs a UTS namespace' "$@" --hostname inside root -- true
  expect 0 out:inside "$@" --unshare uts,pid --hostname inside --proc /proc root -- \
    cat /proc/sys/kernel/hostname
  refused 2 'more than 64 bytes' "$@" --unshare uts --hostname "$(printf %065d 0)" root -- true

  # --- the session
  for pid in '' 'pid'; do
    expect 0 "$@" ${pid:+--unshare "$pid"} --new-session --bind /proc:/proc root -- \
      cut -d' ' -f6 /proc/self/stat
    [[ $(cat out) != $(cut -d' ' -f6 /proc/self/stat) ]] || die 'it has the session of its caller'
  done

  # --- an interpreter that is not there
  expect 127 "err:/data/script in the new root: its interpreter is missing: /no/sh" \
    "$@" root -- /data/script
  for pid in '' 'pid'; do
    expect 127 'err:its interpreter is missing: "/odd\x1B[m"' \
      "$@" ${pid:+--unshare "$pid"} --chdir /data root -- ./odd
    expect 127 'err:its interpreter is missing: /lib' \
      "$@" ${pid:+--unshare "$pid"} root -- /data/elf
    expect 127 'err:its interpreter is missing: /no/sh' \
      "$@" ${pid:+--unshare "$pid"} --setenv PATH /bin:/data root -- two
    expect 127 'err:No such file or directory (ENOENT)' "$@" ${pid:+--unshare "$pid"} root -- /no
  done
}

ln -s /data/deep root/data/abs
ln -s /proc/self/fd/8 root/data/leak
ln -sf busybox root/bin/pwd
ln -sf busybox root/bin/cut
touch root/etc/file
mkdir 'so:ur\ce' root/data/a:b
echo text >'so:ur\ce/file'
printf '#!/bin/sh\necho "$PATH" here\n' >root/data/found
printf '#! /no/sh -e\n' >root/data/script
printf '#!/odd\033[m\n' >root/data/odd
printf '#!/data/script\n' >root/data/two
cp "$(command -v env)" root/data/elf  # it wants a loader, which the root does not have
chmod -R a+rX .
chmod 755 root/data/{found,script,odd,two,elf}
head -c 4 root/data/elf | cmp -s - <(printf '\177ELF') || die 'env is no ELF file here'

options "${as_user[@]}" "$PIVOTCHECK" switch --unshare user --map root
[[ $EUID -ne 0 ]] || options "$PIVOTCHECK" switch

# --- all namespaces
own() { readlink /proc/self/ns/{user,pid,mnt,ipc,uts,net,cgroup}; }
own | sort >outer
cat >root/data/kinds <<'END'
#!/bin/sh
for kind in user pid mnt ipc uts net cgroup; do readlink /proc/self/ns/$kind; done
END
chmod 755 root/data/kinds
for strategy in dot-dot chroot; do
  expect 0 as_user "$PIVOTCHECK" switch --strategy "$strategy" --unshare all --map root \
    --proc /proc root -- /data/kinds
  sort out | comm -12 - outer >shared
  [[ $(wc -l <out) -eq 7 && ! -s shared ]] || die "shared with the caller: $(cat shared)"
done
refused 2 'map' as_user "$PIVOTCHECK" switch --unshare all root -- true

# --- confinement: whole, or refused
for strategy in dot-dot template tmpfs-sandbox; do
  expect 0 as_user "$PIVOTCHECK" switch --confine --strategy "$strategy" --proc /proc root -- \
    sh -c '/data/kinds; cat /proc/self/status /proc/self/uid_map'
  head -n 7 out | sort | comm -12 - outer >shared
  [[ ! -s shared ]] || die "shared with the caller: $(cat shared)"
  grep -q '^CapBnd:[[:space:]]0*$' out && grep -q '^NoNewPrivs:[[:space:]]1$' out ||
    die 'a capability is left, or it may gain one'
  [[ $(tail -n 1 out | awk '{ print $1, $2 }') == '65534 65534' ]] || die "it has other ids"
done
excluded() {  # WHAT OPTION...
  refused 2 "confinement excludes $1" "$PIVOTCHECK" switch --confine "${@:2}" root -- true 9</
}
excluded 'the strategy chroot' --strategy chroot
excluded 'the strategy move-chroot' --strategy move-chroot
excluded "a map of this machine's id 0" --map 0:0
excluded 'a /proc that hides nothing' --open-proc /proc
excluded 'mounts that are not locked' --no-lock
excluded 'set-user-ID programs or devices on /mnt' --bind /etc:/mnt:dev
excluded 'descriptor 9, a directory' --keep-fd 9
excluded "this machine's /" --bind /:/mnt
excluded "this machine's /" --proc /mnt/proc --bind /:/mnt
# A command, or its interpreter, that leads to the program that executes it: no program of the host's
# comes in by that (CVE-2019-5736).
ln -s /proc/self/exe root/data/leads_out
printf '#!/proc/self/exe\n' >root/data/interpreted
chmod 755 root/data/interpreted
for command in leads_out interpreted; do
  refused 125 'the command leads to /proc/self/exe' as_user "$PIVOTCHECK" switch --confine \
    --proc /proc root -- "/data/$command" --version
  refused 127 'No such file' as_user "$PIVOTCHECK" switch --confine root -- /data/leads_out
done
# A filter from outside, by which a call does nothing and says that it was done.
if [[ $EUID -eq 0 ]]; then
  for call in pivot_root umount2 mount_setattr capset prctl seccomp setgroups setresuid setsid; do
    filter "$call" '\0\0\5\0' >pretending
    refused 125 'pivotcheck switch: ' "$PIVOTCHECK" switch --strategy chroot --seccomp 7 / -- \
      "$PIVOTCHECK" switch --confine "$PWD/root" -- true 7<pretending
  done
fi
# Where no user namespace can be made: told, or refused.
no_more() { as_user unshare --user --map-root-user sh -ec \
  'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$PIVOTCHECK" switch "$@"; }
expect 0 'err:the mounts are not locked' no_more --read-only root -- true
refused 125 'ENOSPC' no_more --confine --read-only root -- true

mounts | cmp - before || die 'the mounts of the machine changed'

# SPDX-License-Identifier: Apache-2.0
# roots.sh: what the tests of `pivotcheck switch` share: a real root with busybox in it, and the
# people who switch to it. To be sourced behind common.sh.

# make_root DIRECTORY: a busybox root, with the directories that mounts go to.
make_root() {
  local name
  mkdir -p "$1"/{bin,dev,etc,mnt,proc,tmp,data/deep}
  cp "$(command -v busybox)" "$1/bin/busybox"
  touch "$1/dev/null"  # where there is no better one: a shell wants to open it
  chmod 666 "$1/dev/null"
  for name in sh cat chroot echo false grep id kill ls mount mkdir readlink rmdir sleep touch true \
    umount; do
    ln -sf busybox "$1/bin/$name"
  done
}

# as_user COMMAND...: as an ordinary user, which this test may be by itself. As words, so that a
# command in the background is the process itself.
as_user=()
[[ $EUID -ne 0 ]] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
as_user() { "${as_user[@]}" "$@"; }

needs_user_namespaces() {
  local new=(unshare --user --map-root-user --mount)
  as_user "${new[@]}" true 2>/dev/null ||
    { echo 'SKIPPED: ordinary users may not make user namespaces here'; exit 77; }
  as_user "${new[@]}" --pid --fork mount -t proc proc /proc 2>/dev/null ||
    { echo 'SKIPPED: something is mounted on parts of /proc here, so no new one may be'; exit 77; }
}

# The folder of the test, and a copy of the command, where an ordinary user can reach them.
open_up() {
  chmod 755 . "$folder"
  cp "$PIVOTCHECK" pivotcheck
  chmod 755 pivotcheck
  PIVOTCHECK=$folder/pivotcheck
}

all_strategies=(put-old dot-dot manual proc-first tmpfs-sandbox move-chroot chroot template)

# The mounts of this process's namespace, without ids, which are used again by others meanwhile.
mounts() { awk '{ $1 = $2 = ""; print }' /proc/self/mountinfo; }

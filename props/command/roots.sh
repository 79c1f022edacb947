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

# dress DIRECTORY: all that a shell needs, each of it a bind of the machine's. For the shells in
# namespaces of their own, too.
dress() {
  local name
  for name in bin sbin lib lib64 lib32 usr etc proc dev; do
    if [[ -L /$name ]]; then
      cp -P "/$name" "$1/$name"
    elif [[ -d /$name ]]; then
      mkdir "$1/$name"
      mount --rbind "/$name" "$1/$name"
      mount --make-rprivate "$1/$name"
    fi
  done
}
export -f dress

# as_user COMMAND...: as an ordinary user, which this test may be by itself. As words, so that a
# command in the background is the process itself.
as_user=()
[[ $EUID -ne 0 ]] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
as_user() { "${as_user[@]}" "$@"; }

needs_user_namespaces() {
  local new=(unshare --user --map-root-user --mount)
  as_user "${new[@]}" true 2>/dev/null || skip 'ordinary users may not make user namespaces here'
  as_user "${new[@]}" --pid --fork mount -t proc proc /proc 2>/dev/null ||
    skip 'something is mounted on parts of /proc here, so no new one may be'
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

# root/, for everybody, and what nothing_changed compares with.
make_root_for_all() {
  needs_user_namespaces
  open_up
  make_root root
  [[ $EUID -ne 0 ]] || chown -R 65534:65534 root
  mounts >before
  ls -A root >names_before
}
# nothing_changed WORDS: the machine's mounts and the names in root/ are as they were.
nothing_changed() {
  mounts | cmp - before || die "$1: the mounts of the machine changed"
  ls -A root | cmp - names_before || die "$1: something stayed in the root"
}

# SPDX-License-Identifier: Apache-2.0
# pivot_root on an initramfs, the failure that people meet most: `pivotcheck explain` names it, what it
# prints to mend it is run, and `pivotcheck claims` shows the claim about rootfs, all of it in user-mode
# Linux, whose root is rootfs there. Its kernel is also another one than that of this machine.
source "$(dirname "$0")/common.sh"

missing=()
for tool in linux.uml busybox cpio gzip; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [[ ${#missing[@]} -gt 0 ]]; then
  echo "NOT RUN: no initramfs was tried: missing ${missing[*]} (ci/install tests)"
  exit 77
fi
if [[ -n ${SANITIZE:-} ]]; then
  echo 'NOT RUN: no initramfs was tried: a command with sanitizers does not fit into its memory'
  exit 77
fi
busybox=$(command -v busybox)
if ldd "$busybox" 2>/dev/null | grep -q '=>'; then
  echo 'NOT RUN: no initramfs was tried: busybox is not a static one (busybox-static)'
  exit 77
fi

mkdir -p root/{bin,proc,new,dev,tmp}
cp "$busybox" root/bin/busybox
for name in sh mount umount chroot pivot_root mkdir cat ls awk sed poweroff; do
  ln -s busybox "root/bin/$name"
done
cp "$PIVOTCHECK" root/bin/pivotcheck
libraries_of() {
  # A static one needs none, and ldd says so by its status.
  { ldd "$1" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r library; do
    mkdir -p "root$(dirname "$library")"
    cp -L "$library" "root$library"
  done
}
libraries_of "$PIVOTCHECK"
if command -v bwrap >/dev/null; then
  cp "$(command -v bwrap)" root/bin/bwrap
  libraries_of root/bin/bwrap
else
  echo 'NOT RUN: bwrap is missing (ci/install tests)'
fi
cat >root/init <<'END'
#!/bin/sh
mount -t proc proc /proc
mount -t tmpfs none /new
mkdir /new/old
echo '<explain>'; pivotcheck explain --try --json /new /new/old; echo "<status $?>"
echo '<claims>'; pivotcheck claims; echo "<status $?>"
echo '<offline>'; pivotcheck explain --mountinfo /proc/self/mountinfo --root / --json /new /new/old
echo '<switch>'
pivotcheck switch --strategy dot-dot /new -- /bin/sh 2>&1; echo "<status $?>"
mkdir /new/bin; cp /bin/busybox /new/bin/busybox
pivotcheck switch --strategy move-chroot /new -- /bin/busybox echo moved
[ ! -x /bin/bwrap ] || bwrap --bind /new / /bin/busybox true 2>&1
echo '<second>'
mount --rbind / /
chroot /.. sh -c 'pivotcheck explain --json /new /new/old; echo "<status $?>"'
umount -l /..
echo '<mending>'
pivotcheck explain /new /new/old | awk '/^What mends/ { on = 1; next } /^$/ { on = 0 } on' |
  sed 's/^  //' >/tmp/script
sh -e /tmp/script; echo "<status $?>"
echo '<end>'
poweroff -f
END
chmod +x root/init
(cd root && find . | cpio -o -H newc 2>/dev/null | gzip -1) >initramfs.gz

# A panic ends it with a status of its own; that it came to its end is known by the marker.
HOME=$folder timeout 120 linux.uml initrd="$folder/initramfs.gz" rdinit=/init mem=256M quiet con=null \
  con0=null,fd:1 >out 2>err </dev/null || true
grep -q '<end>' out || die 'user-mode Linux did not come to its end'
part() { sed -n "/<$1>/,/<status/p" out >"part.$1"; }
part explain; part claims; part switch; part mending; part second
has part.explain '"verdict":"refused","rule":"root-is-rootfs","errno":"EINVAL"'
has part.explain '<status 1>'
has part.explain '- rootfs rootfs rw'
has part.claims 'holds      shown        pivot_root cannot work on rootfs'
has part.claims '<status 0>'
has part.mending '<status 0>'
has part.switch 'pivotcheck switch: pivot_root . .: EINVAL root-is-rootfs: '
has part.switch '<status 1>'
has out 'moved'
[[ ! -x root/bin/bwrap ]] || has out 'bwrap: pivot_root: Invalid argument'
sed -n '/<offline>/,/<second>/p' out >part.offline
has part.offline '"rule":"root-is-rootfs"'
has part.second '"verdict":"would succeed"'
echo "on an initramfs: named, mended, and the claims shown: $(grep -Ec '^(holds|fails|imprecise) +shown' part.claims)"

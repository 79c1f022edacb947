# SPDX-License-Identifier: Apache-2.0
# pivot_root on an initramfs, the failure that people meet most: `pivotcheck explain` names it, what it
# prints to mend it is run, and `pivotcheck claims` shows the claim about rootfs. Since Linux 7.0 it is no
# failure any more, and all of them say so. All of it runs in guests, under qemu without KVM and with its
# plainest processor, so that it does not depend on the host's. The kernels are of ci/kernels, not the
# running one.
source "$(dirname "$0")/common.sh"

not_run() { skip "no initramfs was tried: $*"; }

missing=()
for tool in qemu-system-x86_64 busybox cpio gzip; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
[[ ${#missing[@]} -eq 0 ]] || not_run "missing ${missing[*]} (ci/install tests)"
[[ -z ${SANITIZE:-} ]] || not_run 'a command with sanitizers does not fit into its memory'
busybox=$(command -v busybox)
! ldd "$busybox" 2>/dev/null | grep -q '=>' ||
  not_run 'busybox is not a static one (busybox-static)'

mkdir -p root/{bin,proc,new,dev,tmp}
cp "$busybox" root/bin/busybox
for name in sh mount umount chroot pivot_root mkdir cat ls awk sed uname poweroff; do
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
export NO_COLOR=1
mount -t proc proc /proc
mount -t devtmpfs none /dev
echo "<kernel> $(uname -r)"
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
pivotcheck explain /new /new/old | awk '/^To make it succeed/ { on = 1; next } /^$/ { on = 0 } on' |
  sed 's/^  //' >/tmp/script
sh -e /tmp/script; echo "<status $?>"
echo '<end>'
poweroff -f
END
chmod +x root/init
(cd root && find . | cpio -o -H newc 2>/dev/null | gzip -1) >initramfs.gz

# A panic ends it as well (panic=-1 with -no-reboot): that init came to its end is known by the marker.
# Under TCG a guest's clock may fail its first test on a busy machine, before init: then once more.
boot() {  # NAME: sets release, and makes out and the parts of it
  local kernel tries
  kernel=$("$SOURCE/ci/kernels" fetch "$@" 2>err) || not_run "$(cat err)"
  for tries in 1 2 3; do
    timeout 300 qemu-system-x86_64 -M q35 -cpu qemu64 -m 512 -accel tcg -nodefaults -display none \
      -serial stdio -no-reboot -kernel "$kernel" -initrd initramfs.gz \
      -append 'console=ttyS0 quiet panic=-1 mitigations=off' 2>err </dev/null | tr -d '\r' >out || true
    ! grep -q '<kernel>' out || break
  done
  grep -q '<end>' out || die "the guest did not come to its end: $(tail -n 5 out)"
  release=$(sed -n 's/.*<kernel> //p' out)
  part() { sed -n "/<$1>/,/<status/p" out >"part.$1"; }
  part explain; part claims; part switch; part mending; part second
  sed -n '/<offline>/,/<second>/p' out >part.offline
}

boot
has part.explain '"verdict":"refused","rule":"root-is-rootfs","errno":"EINVAL"'
has part.explain '<status 1>'
has part.explain '- rootfs rootfs rw'
has part.claims 'holds      shown        pivot_root cannot work on rootfs'
has part.claims '<status 0>'
has part.mending '<status 0>'
has part.switch ': pivot_root . .: EINVAL root-is-rootfs: '
has part.switch '--strategy move-chroot works there'
has part.switch '<status 125>'
has out 'moved'
[[ ! -x root/bin/bwrap ]] || has out 'bwrap: pivot_root: Invalid argument'
has part.offline '"rule":"root-is-rootfs"'
has part.second '"verdict":"would succeed"'
echo "on an initramfs of Linux $release: named, mended, and the claims shown: $(grep -Ec '^(holds|fails|imprecise) +shown' part.claims)"

boot 7.3.4
has part.explain '"verdict":"would succeed"'
has part.explain '"tried":true'
has part.explain '<status 0>'
has part.claims 'fails      shown        pivot_root cannot work on rootfs'
has part.claims '<status 0>'
has part.switch 'exec /bin/sh in the new root: '
has part.switch '<status 127>'
has out 'moved'
! grep -q 'bwrap: ' out || die "bubblewrap: $(grep 'bwrap: ' out)"
has part.offline '"verdict":"would succeed"'
has part.second '"verdict":"would succeed"'
echo "on an initramfs of Linux $release: would succeed, and the claims shown: $(grep -Ec '^(holds|fails|imprecise) +shown' part.claims)"

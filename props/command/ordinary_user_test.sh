# SPDX-License-Identifier: Apache-2.0
# An ordinary user can run everything that does not ask for root, and is told of what does.
source "$(dirname "$0")/common.sh"
needs_worlds

printf 'mkdir /new => ok\nmount tmpfs /new\npivot_root /new /new\n' >userns.scn
printf 'privilege: root\nmkdir /new => ok\n' >root.scn
cp "$PIVOTCHECK" pivotcheck
chmod 755 . pivotcheck
chmod 644 ./*.scn

as_user=()
[[ $EUID -ne 0 ]] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs)
if ! "${as_user[@]}" unshare -Ur true 2>/dev/null; then
  echo "SKIPPED: ordinary users may not make user namespaces here"
  exit 77
fi

expect 0 "${as_user[@]}" ./pivotcheck run userns.scn root.scn
has out 'userns.scn: agree (3 steps)'
has err 'skipped 1: privilege: root needs root'
expect 4 "${as_user[@]}" ./pivotcheck run root.scn
expect 0 "${as_user[@]}" ./pivotcheck doctor
has out 'NO  privilege: root: the caller is not root'

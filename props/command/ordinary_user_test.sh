# SPDX-License-Identifier: Apache-2.0
# An ordinary user can run everything that does not ask for root, and is told of what does.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
needs_worlds

printf 'mkdir /new => ok\nmount tmpfs /new\npivot_root /new /new\n' >userns.scn
printf 'privilege: root\nmkdir /new => ok\n' >root.scn
open_up
chmod 644 ./*.scn
user=(as_user setpriv --no-new-privs)
"${user[@]}" unshare -Ur true 2>/dev/null || skip 'ordinary users may not make user namespaces here'

expect 0 out:'userns.scn: agree (3 steps)' err:'skipped 1: privilege: root needs root' \
  "${user[@]}" ./pivotcheck run userns.scn root.scn
expect 4 "${user[@]}" ./pivotcheck run root.scn
expect 0 out:'NO  privilege: root: the caller is not root' "${user[@]}" ./pivotcheck doctor

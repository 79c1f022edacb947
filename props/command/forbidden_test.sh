# SPDX-License-Identifier: Apache-2.0
# A machine that forbids user namespaces gets a clear line and exit status 4: never a pass. Such a
# machine is made here: a user namespace in which no further one may be made.
source "$(dirname "$0")/common.sh"

printf 'mkdir /new => ok\n' >userns.scn
printf 'privilege: root\nmkdir /new => ok\n' >root.scn

if unshare -Ur true 2>/dev/null; then
  forbid=(unshare -Ur bash -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' -)
else
  forbid=(setpriv --bounding-set=-all)  # this machine forbids them by itself
  [[ $EUID -eq 0 ]] || forbid=(env)
fi

expect 4 "${forbid[@]}" "$PIVOTCHECK" run userns.scn root.scn
has_not out agree
has err CLONE_NEWUSER
has err 'nothing ran'
expect 4 "${forbid[@]}" "$PIVOTCHECK" run --json userns.scn
grep -q '^{"file":"userns.scn","result":"skipped","steps":0,"reason":".*ENOSPC.*"}$' out ||
  [[ ${forbid[0]} != unshare ]] || die 'the object does not say why'
expect 4 "${forbid[@]}" "$PIVOTCHECK" run --jobs 2 userns.scn userns.scn root.scn
expect 4 out:'NO  privilege: userns' err:'nothing can run here' "${forbid[@]}" "$PIVOTCHECK" doctor
if [[ ${forbid[0]} == unshare ]]; then
  has out 'unshare(CLONE_NEWUSER): ENOSPC'
  has out 'sysctl -w user.max_user_namespaces='
fi
expect 4 "${forbid[@]}" "$PIVOTCHECK" explore --seconds 1

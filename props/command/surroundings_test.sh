# SPDX-License-Identifier: Apache-2.0
# What else is mounted on the machine changes no world; what is mounted over its root is in the way, and is
# named, not taken for a disagreement.
source "$(dirname "$0")/common.sh"
needs_worlds
here() { unshare --mount ${user:+--map-root-user} sh -c "$1"' && exec "$2" run --jobs 1 w.scn' - "$@"; }
user=$([[ $(id -u) -eq 0 ]] || echo yes)
here : true 2>/dev/null || skip 'unshare cannot make a mount namespace'
printf 'privilege: root\nmkdir /d\nmount tmpfs /d => ok\npivot_root /d /d => ok\n' >w.scn
expect 0 'err:1 agree' here 'mount -t tmpfs none /mnt' "$PIVOTCHECK"
expect 0 'err:1 agree' here 'mount --rbind / /mnt && mount --make-rshared /' "$PIVOTCHECK"
expect 4 'err:a fresh world is not as it should be: namespace 1: mount / [2]: only the kernel has it' \
  'err:is anything mounted over the root of this machine?' here 'mount -t tmpfs none /' "$PIVOTCHECK"
has_not err disagree

# SPDX-License-Identifier: Apache-2.0
# Nothing that a scenario does reaches the machine: its mounts are byte for byte the same before and
# after, and no process stays behind.
source "$(dirname "$0")/common.sh"
needs_worlds

cat >wild.scn <<'END'
make-rshared /
mkdir /a
mount tmpfs /a
mkdir /a/b
bind / /a/b
spawn B
B: unshare mnt
B: umount /a detach
unshare user,mnt
pivot_root /a /a/b
umount /b detach
END
{ echo 'privilege: root'; cat wild.scn; } >wild_root.scn

cat /proc/self/mountinfo >before
[[ $EUID -ne 0 ]] || cat /proc/1/mountinfo >>before
"$PIVOTCHECK" run --every-step --jobs 2 wild.scn wild_root.scn >out 2>err || die 'it disagrees'
timeout --signal=KILL 0.3 "$PIVOTCHECK" run wild.scn wild.scn wild_root.scn >/dev/null 2>&1 || true
cat /proc/self/mountinfo >after
[[ $EUID -ne 0 ]] || cat /proc/1/mountinfo >>after
cmp before after || die 'the mounts of the machine changed'

# In a session of its own, so that whoever stays behind can be told from other tests' processes.
setsid --wait bash -c 'echo $$ >session; "$0" run wild.scn >/dev/null 2>&1' "$PIVOTCHECK"
session=$(cat session)
for stat in /proc/[0-9]*/stat; do
  # Behind the name in brackets: state, parent, group, session.
  read -r _ _ _ its_session _ < <(sed 's/.*) //' "$stat" 2>/dev/null) || continue
  [[ $its_session != "$session" ]] || die "a process stayed behind: $stat"
done

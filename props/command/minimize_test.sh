# SPDX-License-Identifier: Apache-2.0
# `pivotcheck minimize` ends as `run` does, and its output is a scenario again.
source "$(dirname "$0")/common.sh"

printf 'mkdirr /a\n' >bad.scn
expect 2 "$PIVOTCHECK" minimize bad.scn
expect 2 "$PIVOTCHECK" minimize not_there.scn
expect 2 "$PIVOTCHECK" minimize
needs_worlds

printf 'mkdir /a\n' >plain.scn
expect 0 "$PIVOTCHECK" minimize plain.scn
has err 'plain.scn: nothing to minimize: agree (1 steps), and no outcome is stated'
printf 'kernel: <2.6\nmkdir /a => ok\n' >old.scn
expect 4 "$PIVOTCHECK" minimize old.scn
has err 'nothing to minimize: skipped'

cat >long.scn <<'END'
mkdir /x
mkdir /y
mount tmpfs /x nosuid
mkdir /x/old
spawn B
B: pivot_root x /y => EBUSY put-old-on-root-mount
END
expect 0 "$PIVOTCHECK" minimize long.scn
tail -n 1 out | grep -q '^# removed 3 of 6 steps, 1 of 2 tasks, .* ([0-9]* trials)$' ||
  die 'the last line does not say what was removed'
cp out again.scn
expect 0 "$PIVOTCHECK" run again.scn
expect 0 "$PIVOTCHECK" minimize long.scn -o small.scn
has out 'small.scn: removed 3 of 6 steps'
expect 0 "$PIVOTCHECK" minimize small.scn
has out '# nothing to remove'
expect 3 "$PIVOTCHECK" minimize long.scn -o not/there.scn
has err "not/there.scn can't be written: ENOENT"

printf 'mkdir /a\nmkdir /b\nmkdir /b => EPERM\n' >unmet.scn
expect 1 "$PIVOTCHECK" minimize unmet.scn
has out '# unmet.scn: unmet: step 1: EPERM is stated'

# SPDX-License-Identifier: Apache-2.0
# `pivotcheck minimize` ends as `run` does, and its output is a scenario again.
source "$(dirname "$0")/common.sh"

printf 'mkdirr /a\n' >bad.scn
expect 2 pivotcheck minimize bad.scn
expect 2 pivotcheck minimize not_there.scn
expect 2 pivotcheck minimize
needs_worlds

printf 'mkdir /a\n' >plain.scn
expect 0 pivotcheck minimize plain.scn
has err 'plain.scn: nothing to minimize: agree (1 steps), and no outcome is stated'
printf 'kernel: <2.6\nmkdir /a => ok\n' >old.scn
expect 4 err:'nothing to minimize: skipped' pivotcheck minimize old.scn

cat >long.scn <<'END'
mkdir /x
mkdir /y
mount tmpfs /x nosuid
mkdir /x/old
spawn B
B: pivot_root x /y => EBUSY put-old-on-root-mount
END
expect 0 pivotcheck minimize long.scn
tail -n 1 out | grep -q '^# removed 3 of 6 steps, 1 of 2 tasks, .* ([0-9]* trials)$' ||
  die 'the last line does not say what was removed'
cp out again.scn
expect 0 pivotcheck run again.scn
expect 0 out:'small.scn: removed 3 of 6 steps' pivotcheck minimize long.scn -o small.scn
expect 0 out:'# nothing to remove' pivotcheck minimize small.scn
expect 3 err:"not/there.scn can't be written: ENOENT" pivotcheck minimize long.scn -o not/there.scn

printf 'mkdir /a\nmkdir /b\nmkdir /b => EPERM\n' >unmet.scn
expect 1 out:'# unmet.scn: unmet: step 1: EPERM is stated' pivotcheck minimize unmet.scn

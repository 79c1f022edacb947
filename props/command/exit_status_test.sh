# SPDX-License-Identifier: Apache-2.0
# The exit statuses of `pivotcheck run` are those of the format.
source "$(dirname "$0")/common.sh"
needs_worlds

cat >good.scn <<'END'
mkdir /new
mount tmpfs /new
pivot_root /new /new => ok
END
printf 'mkdir /new => EEXIST\n' >unmet.scn
printf 'mkdir /new/x => ENOENT path-empty\n' >wrong_rule.scn
printf 'kernel: <2.6\nmkdir /new\n' >old.scn
printf 'kernel: >=2.6\nkernel: <2.7\nmkdir /new\n' >old_too.scn
: >empty.scn

# 0: what ran agreed; what was skipped is counted with its reason
expect 0 out:'good.scn: agree (3 steps)' pivotcheck run good.scn
expect 0 pivotcheck run empty.scn
expect 0 err:'skipped 1: kernel <2.6 wanted, running ' pivotcheck run good.scn old.scn
expect 0 pivotcheck run --every-step --jobs 3 good.scn good.scn old.scn empty.scn

# 1: a stated outcome, or a stated rule, that does not hold
expect 1 pivotcheck run good.scn unmet.scn old.scn
has out '# unmet.scn: unmet: step 1: EEXIST is stated'
expect 1 pivotcheck run wrong_rule.scn

# 2: bad usage, and nothing is run
expect 2 pivotcheck
expect 2 pivotcheck run
expect 2 pivotcheck run --jobs 0 good.scn
expect 2 pivotcheck run --no-such-option good.scn
expect 2 pivotcheck run good.scn not_there.scn
has_not out good.scn
has err 'not_there.scn: can'\''t be opened: ENOENT'
mkdir nothing
touch nothing/scenario.txt
expect 2 err:'nothing: it has no *.scn file' pivotcheck run nothing

# 3: results that can't be written; but a disagreement is told whatever happens
expect 3 sh -c '"$0" run good.scn >/dev/full' "$PIVOTCHECK"
has err "can't write to standard output: ENOSPC"
expect 1 sh -c '"$0" run unmet.scn >/dev/full' "$PIVOTCHECK"

printf 'trait: no_such=on\nmkdir /new\n' >unknown_trait.scn
expect 3 'out:there is no trait no_such' pivotcheck run unknown_trait.scn

# A trait that is set by hand: the kernel is not so, and what depends on it is skipped or disagrees.
trait=namespace_copy_loses_unbindable
has_it() { pivotcheck doctor | grep -q "trait $trait: on"; }
has_it && not=off || not=on
printf 'trait: %s=%s\nmkdir /new\n' "$trait" "$not" >other.scn
printf 'make-unbindable /\nunshare mnt\n' >unbindable.scn
expect 4 "err:skipped 1: trait $trait=$not wanted" pivotcheck run other.scn
expect 0 pivotcheck run --trait "$trait=$not" other.scn
expect 0 pivotcheck run --trait "$trait=probe" unbindable.scn
expect 1 pivotcheck run --trait "$trait=$not" unbindable.scn
expect 2 'err:--trait: there is no trait x' pivotcheck run --trait x=on good.scn
expect 2 'err:NAME=on, NAME=off or NAME=probe is wanted' pivotcheck run --trait "$trait" good.scn

# 4: nothing ran
expect 4 err:'nothing ran' pivotcheck run old.scn old_too.scn

# Folders are walked in byte order, and the output is in the order of the input, whoever is first.
mkdir -p many/b many/a.d
for i in many/b/2 many/b/10 many/a.d/x many/Z; do cp good.scn "$i.scn"; done
cp good.scn many/not_a_scenario
expect 0 pivotcheck run --jobs 4 good.scn many
sed 's/: agree.*//' out >order
diff - order <<'END' || die 'the order is another'
good.scn
many/Z.scn
many/a.d/x.scn
many/b/10.scn
many/b/2.scn
END

# What is no run ends with 0 as well.
expect 0 pivotcheck --help
expect 0 pivotcheck run --help
expect 0 pivotcheck --version
grep -Eqx 'pivotcheck [0-9.]+ \(commit [0-9a-z-]+\)' out || die 'no commit in --version'

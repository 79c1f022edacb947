# SPDX-License-Identifier: Apache-2.0
# The exit statuses of `pivotcheck explain` and `pivotcheck claims`, and the one line for what is wrong.
source "$(dirname "$0")/common.sh"

cat >good <<'END'
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /new rw - tmpfs none rw
END
usage() {  # usage WORDS ARGUMENT...
  local words=$1
  shift
  expect 2 pivotcheck explain "$@"
  [[ ! -s out && $(wc -l <err) -eq 1 ]] || die "not one line: $*"
  has err "$words"
}
usage 'NEW_ROOT is required'
usage 'PUT_OLD is required' /new
usage 'there is no process 99999999' --pid 99999999 /new /new
usage 'pid' --pid 0 /new /new
usage 'pid' --pid x /new /new
usage '--kernel six' --kernel six /new /new
usage '--mountinfo needs --root' --mountinfo good /new /new
usage '--root: an absolute path' --mountinfo good --root new /new /new
usage '--cwd: an absolute path' --mountinfo good --root / --cwd new . .
usage 'missing: can'\''t be read: ENOENT' --mountinfo missing --root / /new /new
usage 'it has no line' --mountinfo /dev/null --root / /new /new
usage '--caps admin' --mountinfo good --root / --caps admin /new /new
usage 'need --mountinfo' --root / /new /new
usage 'exclude each other' --mountinfo good --root / --pid 1 /new /new
usage 'exclude each other' --mountinfo good --root / --try /new /new
usage 'used with --kernel' --try --kernel 6.1 /new /new
printf '22 1 8:1 / /\n' >bad
usage 'bad: line 1: ' --mountinfo bad --root / /new /new
usage '.: can'\''t be read: EISDIR' --mountinfo . --root / /new /new
sed 's/^30/22/' good >twice
usage 'twice: line 2: mount 22 is there twice' --mountinfo twice --root / /new /new
printf '%s\n' '22 1 8:1 / / rw - ext4 x rw' '' '30 31 0:40 / /a rw - tmpfs x rw' \
  '31 30 0:41 / /b rw - tmpfs x rw' >circle
usage 'circle: line 3: mount 30 is mounted on itself' --mountinfo circle --root / /a /a

expect 0 pivotcheck explain --mountinfo good --root / /new /new
# As it is pasted into a report: indented, with empty lines, with carriage returns.
sed 's/^/    > /; s/> //; s/$/\r/' good >pasted
printf '\n' >>pasted
expect 0 pivotcheck explain --mountinfo pasted --root / /new /new
# A second rootfs, which no kernel prints.
printf '%s\n' '20 1 8:1 / / ro - ext4 x rw' '22 22 0:4 / / ro - tmpfs x rw' >second
"$PIVOTCHECK" explain --mountinfo second --root / / / >/dev/null || [[ $? -eq 1 ]] || die 'a second rootfs'
cat >third <<'END'
20 99 8:1 /sub / ro shared:1 - ext4 x rw
23 23 0:1 / /e/b ro shared:1 - tmpfs x rw
25 22 0:4 /q /e rw - tmpfs x rw
21 20 0:1 /q /e ro master:3 - tmpfs x rw
24 22 0:1 / / rw unbindable - tmpfs x rw
26 26 0:1 / /e/b/f rw shared:3 - tmpfs x rw
22 20 0:3 /q//deleted / ro master:2 propagate_from:1 - tmpfs x rw
END
expect 0 timeout 20 "$PIVOTCHECK" explain --mountinfo third --root / '/e/b/../..' /..
# What / is mounted on is not in the text: that is said.
sed 's/^22 1 /22 1035 /' good >container
expect 0 pivotcheck explain --mountinfo container --root / /new /new
has out 'mount 1035, on which / is mounted, is not in the text'
# Standard input, a pipe or a file; a text that lacks lines; what is no mountinfo.
expect 0 sh -c '"$0" explain --mountinfo - --root / /new /new <good' "$PIVOTCHECK"
expect 0 sh -c 'sed "s/^/> /" good | "$0" explain --mountinfo - --root / /new /new' "$PIVOTCHECK"
usage 'standard input: it has no line' --mountinfo - --root / /new /new
expect 2 sh -c '"$0" explain --mountinfo - --root / /new /new <&-' "$PIVOTCHECK"
has err 'standard input: can'\''t be read: EBADF'
sed 1d good >cut
expect 4 out:'no line is for it' pivotcheck explain --mountinfo cut --root / /new /new
expect 4 out:'"cannot_tell":["what / is' pivotcheck explain --json --mountinfo cut --root / /new /new
printf 'proc on /proc type proc (rw)\n' >mount
usage 'mount: line 1: mount prints this' --mountinfo mount --root / /new /new
# Every byte of a path comes through, and the output is well-formed whatever they are.
printf '22 1 8:1 / / rw - ext4 x rw\n30 22 0:40 / /\xe9\\040\\134 rw - tmpfs x rw\n' >bytes
expect 1 pivotcheck explain --json --mountinfo bytes --root / $'/\xe9 \\/x' $'/\xe9 \\/x'
iconv -f UTF-8 -t UTF-8 out >/dev/null || die 'the output is not UTF-8'
has out '$(printf '
expect 0 pivotcheck explain --mountinfo good --root / --kernel 6.1 --caps CAP_SYS_ADMIN /new /new
expect 1 pivotcheck explain --mountinfo good --root / --caps none /new /new
has out 'EPERM pivot-no-capability'
expect 1 pivotcheck explain --json --mountinfo good --root / /new /
for key in verdict rule errno mounts further commands cannot_tell; do has out "\"$key\":"; done
[[ $(wc -l <out) -eq 1 ]] || die 'not one object on one line'
expect 1 pivotcheck explain '' /  # refused by the kernel, not by us
expect 1 out:not-a-directory pivotcheck explain "$folder/good" /

# A process that this user may not look at.
if [[ $EUID -eq 0 ]]; then
  cp "$PIVOTCHECK" pivotcheck; chmod 755 . pivotcheck
  expect 4 setpriv --reuid 65534 --regid 65534 --clear-groups ./pivotcheck explain --pid $$ / /
  has err 'cannot tell: '
fi

needs_worlds
expect 0 pivotcheck claims
has_not out 'NOT SO HERE'
has err ', 0 not so here, '
expect 0 pivotcheck claims --json "$SOURCE/corpus/claims"
[[ $(grep -c '"result":"shown"' out) -eq $(find "$SOURCE/corpus/claims" -name '*.scn' | wc -l) ]] ||
  die 'a claim was not shown'
sed 's/=> ok/=> EPERM/' "$SOURCE/corpus/claims/put-old-must-be-empty.scn" >wrong.scn
expect 1 out:'NOT SO HERE' pivotcheck claims wrong.scn
printf 'title: no verdict\nmkdir /d\n' >none.scn
expect 2 pivotcheck claims none.scn
expect 2 pivotcheck claims missing.scn

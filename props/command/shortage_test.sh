# SPDX-License-Identifier: Apache-2.0
# `pivotcheck shortage` on this kernel: descriptors run out. Allocations fail in kernels made for it.
source "$(dirname "$0")/common.sh"

without_descriptors() { pivotcheck shortage --lack descriptors "$@" <"$input"; }
input=/dev/null

expect 2 err:lack pivotcheck shortage --lack time
expect 2 err:tries pivotcheck shortage --tries 0
needs_worlds
expect 4 err:'no step to ask' without_descriptors
echo 'mkdir /a' >input
input=input
expect 2 err:'line 1: an object' without_descriptors
[[ -e /proc/self/fail-nth ]] || expect 4 err:'no /proc/self/fail-nth' pivotcheck shortage

pivotcheck exhaust one-mount --depth 1 --alphabet api --privilege userns --print >input
expect 0 out:'findings: 0' without_descriptors
for line in '^(open_tree|fsmount) +[1-9][0-9]* +([1-9][0-9]*) +\2 +0  EMFILE \2$' \
  '^not asked: [0-9]+ \(the step is refused\)$'; do
  grep -Eq "$line" out || die "no line '$line'"
done
expect 0 out:'"findings":0,"failures":0' without_descriptors --json

# The same step after the same ones is asked once.
printf 'mkdir /a\nmount tmpfs /a\nopen h /a\n' >one.scn
cp one.scn two.scn
expect 0 without_descriptors one.scn two.scn
grep -Eq '^open +1 ' out || die 'it was asked twice'

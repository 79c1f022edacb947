# SPDX-License-Identifier: Apache-2.0
# With --json each file is one object on one line, with the keys of the format.
source "$(dirname "$0")/common.sh"

expect 0 pivotcheck rules --json
named='"name":"[a-z0-9-]+","syscall":"[a-z_0-9*]+(,[a-z_0-9]+)*","errno":"E[A-Z0-9]+"'
! grep -Evq "^\{$named,\"reason\":\".+\",\"source\":\".+\",\"since\":\".+\"\}\$" out ||
  die 'a rule is not as it should be'
"$PIVOTCHECK" rules >text
[[ $(wc -l <out) -eq $(grep -c '^[a-z]' text) ]] || die 'text and JSON have not the same number of rules'

expect_any() { "$@" >out 2>err || true; }
expect_any "$PIVOTCHECK" doctor --json
! grep -Evq '^\{"check":".+","ok":(true|false),"what":".+"\}$' out ||
  die 'a check is not as it should be'

needs_worlds
printf 'mkdir /a\nmkdir /a\n' >agree.scn
printf 'mkdir /a\nmkdir /a => EPERM\n' >unmet.scn
printf 'kernel: <2.6\n' >skipped.scn
cat >leaves.scn <<'END'
mkdir /a => ok
mount tmpfs /a
exit
END
expect 1 pivotcheck run --json --jobs 2 agree.scn unmet.scn skipped.scn
diff - <(sed 's/running [0-9.]*/running N/' out) <<'END' || die 'the objects are others'
{"file":"agree.scn","result":"agree","steps":2}
{"file":"unmet.scn","result":"unmet","steps":2,"step":2,"kernel":"EEXIST","model":"EEXIST","rule":"name-exists","reason":"step 2: EPERM is stated"}
{"file":"skipped.scn","result":"skipped","steps":0,"reason":"kernel <2.6 wanted, running N"}
END

# Bytes that are no UTF-8 in a name don't spoil the object.
cp agree.scn $'\xff.scn'
expect 0 pivotcheck run --json $'\xff.scn'
grep -qP '^\{"file":"\x{FFFD}.scn","result":"agree","steps":2\}$' out ||
  die 'a name that is no UTF-8'

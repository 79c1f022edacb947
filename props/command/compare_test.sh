# SPDX-License-Identifier: Apache-2.0
# ci/kernels compare, bisect and ledger, on results that are made up of predictions: no guest is booted.
source "$(dirname "$0")/common.sh"
kernels=$SOURCE/ci/kernels
command -v python3 >/dev/null || skip 'python3 is not installed'
export PIVOTCHECK
finding=corpus/findings/umount-takes-a-busy-copy.scn

# made KERNEL on|off: what a kernel answers that has the trait, or has not, to the finding and to 60
# random scenarios.
made() {
  local traits="contract,umount_takes_busy_copies=$2"
  mkdir -p results
  { python3 -c 'import json, sys; print(json.dumps({"name": sys.argv[1], "scenario": open(sys.argv[2]).read()}))' \
      "$finding" "$SOURCE/$finding"
    pivotcheck generate --cases 60; } >results/cases.jsonl
  { echo "{\"kernel\":\"$1\",\"release\":\"$1\",\"traits\":{\"umount_takes_busy_copies\":$([[ $2 == on ]] &&
      echo true || echo false)}}"
    pivotcheck predict --model "$traits" <results/cases.jsonl |
      sed 's/^{"name":"[^"]*"/&,"result":"agree"/; s/\("[0-9]*":"[A-Z0-9]*\) [a-z0-9-]*"/\1"/g'
    echo '{"end":61,"not_run":0}'; } >"results/$1.jsonl"
}
made 6.12.100 on
made 6.12.117 off
made 6.16.3 on

# One trait explains all of it: known, with its finding, and who keeps the contract.
expect 0 'out:known  umount_takes_busy_copies  (' 'out:An unmount takes away a copy that is in use' \
  'out:6.12.117' 'out:umount-propagation-busy; keeps the contract' \
  'out:breaks the law umount-leaves-what-is-in-use' 'out:6.12.100, 6.16.3' \
  'out:61 scenarios, 3 kernels: 1 known differences, 0 new' "$kernels" compare results
"$kernels" compare results --json >out
[[ $(wc -l <out) -eq 1 ]] || die 'not one object'
has out '"name": "umount_takes_busy_copies"'

# What no model predicts is new; shards are read together; what is not closed is no result.
mkdir other
cp results/cases.jsonl other
{ head -n 1 results/6.16.3.jsonl
  echo "{\"name\":\"$finding\",\"result\":\"panicked\",\"reason\":\"the kernel panicked\"}"
  echo '{"end":1,"not_run":0}'; } >other/6.16.3.jsonl
expect 1 'out:NEW  panicked: the kernel panicked' "out:on 6.16.3: $finding" \
  "$kernels" compare results other
# Of a disagreement it says which side is as the contract says.
mkdir third
cp results/cases.jsonl third
{ head -n 1 results/6.16.3.jsonl
  echo "{\"name\":\"$finding\",\"result\":\"disagree\",\"steps\":6,\"refused\":{\"6\":\"EBUSY\"}," \
    '"step":6,"kernel":"EBUSY","model":"ok"}'
  echo '{"end":1,"not_run":0}'; } >third/6.16.3.jsonl
expect 1 'out:NEW  disagree: umount: the kernel answers EBUSY, its model ok' \
  'out:as the contract says: kernel' "$kernels" compare third

# As other programs read it: a panic is no pass, and every link of the page leads somewhere.
for format in ktap junit json html; do
  expect 0 "$kernels" report --format $format -o report.$format results other
done
diff - <(grep -v '^  ok' report.ktap) <<'END' || die 'the KTAP is another'
KTAP version 1
1..3
  KTAP version 1
  1..61
ok 1 linux-6.12.100
  KTAP version 1
  1..61
ok 2 linux-6.12.117
  KTAP version 1
  1..61
  # corpus/findings/umount-takes-a-busy-copy.scn: panicked: the kernel panicked
  not ok 1 corpus/findings/umount-takes-a-busy-copy.scn
not ok 3 linux-6.16.3
END
has report.junit '<testsuite name="linux-6.16.3" tests="61" failures="1" errors="0" skipped="0">'
python3 - <<'END' || die 'a report is not as its readers want it'
import json, re, xml.dom.minidom
xml.dom.minidom.parse("report.junit")
assert [one["known"] for one in json.load(open("report.json"))["differences"]] == [True, False]
page = open("report.html").read()
links, ids = set(re.findall(r'href="#([^"]*)"', page)), re.findall(r'id="([^"]*)"', page)
assert links == set(ids) and len(ids) == 1, (links, ids)
assert not re.search(r'(src|href)="(?!#|data:)', page), "it needs something else"
signs = re.findall(r'<td class="(\w+)">', page)
assert signs == ["other", "kept", "new"], signs
END

sed -i '$d' other/6.16.3.jsonl
expect 4 'err:the run was not closed' "$kernels" compare results other
expect 4 'err:no results' "$kernels" compare nowhere

# The ledger: between the markers, and nowhere else.
cat >page.md <<'END'
- **Which kernels:** <!-- ledger: umount-takes-a-busy-copy.scn umount_takes_busy_copies=on -->
  6.1.170, 6.12.117 and 7.2.9. Not 6.12.100. It shows nothing on 5.4.1.
  <!-- end of ledger --> (as of now)
By a step: <!-- ledger: umount-takes-a-busy-copy.scn step-6=ok -->
<!-- end of ledger -->
One that it has not: <!-- ledger: umount-takes-a-busy-copy.scn step-99=ok -->
<!-- end of ledger -->
END
expect 0 "$kernels" ledger --page page.md results
diff - page.md <<'END' || die 'the ledger is another'
- **Which kernels:** <!-- ledger: umount-takes-a-busy-copy.scn umount_takes_busy_copies=on -->
  6.1.170, 6.12.100, 6.16.3 and 7.2.9. Not 6.12.117. It shows nothing on 5.4.1.
  <!-- end of ledger --> (as of now)
By a step: <!-- ledger: umount-takes-a-busy-copy.scn step-6=ok -->
6.12.100 and 6.16.3. Not 6.12.117.
<!-- end of ledger -->
One that it has not: <!-- ledger: umount-takes-a-busy-copy.scn step-99=ok -->
It shows nothing on 6.12.100, 6.12.117 and 6.16.3.
<!-- end of ledger -->
END
expect 0 'err:says so already' "$kernels" ledger --page page.md results

# The changes along each stable line, and from line to line.
python3 -B - "$SOURCE/ci/kernels.d" <<'END' || die 'the changes are others'
import sys
sys.path.insert(0, sys.argv[1])
import changes
said = changes.changes_of({"6.12.100": "a", "6.12.117": "b", "6.16.3": "a", "6.16.12": "a",
                           "7.2.9": "a", "7.2.11": "b", "7.3.4": "b"})
assert said == ["6.12: b instead of a between 6.12.100 and 6.12.117",
                "7.2: b instead of a between 7.2.9 and 7.2.11",
                "from 7.2 to 7.3: b instead of a (7.2.9, 7.3.4)"], said
assert changes.changes_of({"6.1.170": "a", "6.12.43": "a"}) == []
END
needs_worlds
expect 0 'out:no kernel answers otherwise' "$kernels" bisect "$SOURCE/$finding" --kernels host
# For git bisect run: what cannot be built, or does not come up, tells nothing.
expect 125 'err:it cannot be built' "$kernels" bisect --build false "$SOURCE/$finding"
expect 125 'err:bzImage is missing' "$kernels" bisect --build true --image bzImage "$SOURCE/$finding"

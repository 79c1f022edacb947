# SPDX-License-Identifier: Apache-2.0
# What the commands list and draw: rules by call, errno and name; claims with their scenarios; the
# verbs of the format; a scenario's end as a graph and as a picture; colours on a terminal only.
source "$(dirname "$0")/common.sh"

names() { grep -o '^[a-z][^ ]*' out; }
narrow() { [[ $(awk 'length > 104' out | grep -v '"' | wc -l) -eq 0 ]] || die "$1 has wide lines"; }

# --- rules
expect 0 pivotcheck rules
narrow rules
names >all
expect 0 pivotcheck rules pivot_root
grep -qx 'put-old-on-root-mount' <(names) || die 'a rule of pivot_root is missing'
grep -qx 'not-a-directory' <(names) || die 'a rule of every path is missing'
[[ $(names | wc -l) -lt $(wc -l <all) ]] || die 'pivot_root has all rules'
has_not out 'rmdir-not-empty'
expect 0 pivotcheck rules pivot_root EBUSY
[[ $(grep -c '^[a-z].*  EBUSY$' out) -eq $(names | wc -l) ]] || die 'another errno'
expect 0 pivotcheck rules --json put-old-on-root-mount
[[ $(wc -l <out) -eq 1 ]] || die 'a rule named is one rule'
expect 2 err:'EWHAT: no rule, call or errno of a rule has this name' pivotcheck rules EWHAT

# --- the format: each verb of its table
expect 0 pivotcheck format
narrow format
sed -n '/^## Verbs/,/^## What/p' "$SOURCE/core/scenario/FORMAT.md" | grep '^| `' |
  sed 's/` |.*//' | grep -oE '`[a-z_-]+' | tr -d '`' | while read -r verb; do
  grep -qE "^$verb( |\$)" out || die "format does not list $verb"
done

# --- situations: listed, and counted in scenarios
expect 0 pivotcheck situations
narrow situations
names >all
has_not out ' scenarios'
printf 'spawn B\nB: unshare mnt\nspawn C\nC: unshare mnt\nspawn D\nD: unshare mnt\n' >four.scn
printf 'spawn B\nB: unshare mnt\n' >two.scn
expect 0 pivotcheck situations four.scn two.scn
diff <(names) all || die 'other situations are counted than are listed'
grep -A3 -x four-namespaces out | grep -qx '    1 of 2 scenarios' || die 'not one of two'
[[ $(grep -cx '    0 of 2 scenarios' out) -eq $(($(wc -l <all) - 1)) ]] || die 'others are reached'
expect 0 pivotcheck situations --json four.scn
grep -q '^{"name":"four-namespaces","situation":".*","scenarios":1}$' out || die 'not so in JSON'

# --- drawings
cat >world.scn <<'END'
mkdir /a&b
mount tmpfs /a&b ro
make-shared /a&b
open h /a&b
spawn B
B: chdir /a&b
unshare mnt
END
expect 0 pivotcheck draw --svg world.scn
python3 - <<'END' || die 'the picture is not what it should be'
import xml.etree.ElementTree as xml
root = xml.parse("out").getroot()
texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
assert len(texts) == 8, texts  # two namespaces, two mounts in each, two tasks
assert sum(text.startswith("/a&b  #") and "ro  shared 1" in text for text in texts) == 2, texts
assert any(text.startswith("B  root #3 /  cwd #4 /a&b") for text in texts), texts
END
expect 0 pivotcheck draw --dot world.scn
has out '"0/1" -> "0/2";'
has out '"task B" -> "1/4" [style=dashed, label="cwd /a&b"];'
if command -v dot >/dev/null; then
  dot -Tsvg out >/dev/null || die 'dot does not understand it'
else
  echo 'NOT RUN: 1 case, Graphviz reads the graph: dot is not installed'
fi
expect 2 pivotcheck draw --dot --svg world.scn
expect 2 err:'draw one scenario' pivotcheck draw --dot "$SOURCE/corpus/claims"

# --- colours
on_terminal() { script -qec "$*" /dev/null </dev/null >out; }
if command -v script >/dev/null; then
  escape=$'\033['
  TERM=xterm on_terminal "$PIVOTCHECK" doctor || true
  has out "$escape"
  NO_COLOR=1 TERM=xterm on_terminal "$PIVOTCHECK" doctor || true
  has_not out "$escape"
  TERM=dumb on_terminal "$PIVOTCHECK" doctor || true
  has_not out "$escape"
  TERM=xterm "$PIVOTCHECK" doctor >out || true
  has_not out "$escape"
else
  echo 'NOT RUN: 4 cases, colours: script(1) is not installed'
fi

# --- claims, whose scenarios run replays
needs_worlds
expect 0 pivotcheck claims --scenarios
[[ $(grep -c '^pivot_root\|: pivot_root' out) -gt 10 ]] || die 'no scenarios'
expect 0 pivotcheck claims --scenarios --json
python3 - <<'END' || die 'no scenarios in --json'
import json
claims = [json.loads(line) for line in open("out")]
with_scenario = [claim for claim in claims if "scenario" in claim]
assert len(with_scenario) == len(claims) - 1, len(with_scenario)
open("claim.scn", "w").write(with_scenario[0]["scenario"])
END
expect 0 pivotcheck run claim.scn

# SPDX-License-Identifier: Apache-2.0
# Scenarios and answers as JSON lines: generate, answer and predict.
source "$(dirname "$0")/common.sh"

# The same numbers are the same scenarios, in shards or not; each is a line, and can be predicted.
expect 0 pivotcheck generate --cases 40 --seed 3
[[ $(wc -l <out) -eq 40 ]] || die 'not 40 scenarios'
cp out whole
for first in 0 1; do
  expect 0 pivotcheck generate --cases 40 --seed 3 --first $first --every 2
  cat out >>parts
done
diff <(sort whole) <(sort parts) || die 'the shards are others'
expect 0 pivotcheck generate --cases 6 --privilege userns
has_not out 'privilege: root'
pivotcheck predict <whole >predicted
[[ $(grep -c '"state":"[0-9a-f]\{16\}"\|"stop"' predicted) -eq 40 ]] || die 'not 40 predictions'

# A model of another kernel, or with a trait changed, answers otherwise; a line may name its own.
finding=$SOURCE/corpus/findings/set-group-leaves-unbindable.scn
expect 0 'out:"refused":{},' 'out:"law":"unbindable-is-private"' \
  pivotcheck predict --laws --model 6.12.117 "$finding"
expect 0 'out:"8":"EINVAL ' pivotcheck predict --laws --model contract "$finding"
has_not out '"law"'
expect 0 'out:"refused":{},' \
  pivotcheck predict --model contract,set_group_leaves_unbindable=on "$finding"
python3 - "$finding" >own <<'END' || skip 'python3 is not installed'
import json, sys
for model in ("6.12.117", "contract"):
    print(json.dumps({"name": model, "scenario": open(sys.argv[1]).read(), "model": model}))
END
pivotcheck predict <own >out
[[ $(grep -c '"refused":{},' out) -eq 1 && $(wc -l <out) -eq 2 ]] || die 'not by the own models'

# What is wrong is said in one line.
expect 2 'err:no kernel: 6' pivotcheck predict --model 6 "$finding"
expect 2 'err:no trait: x' pivotcheck predict --model contract,x=on "$finding"
expect 2 'err:on or off is wanted' pivotcheck predict --model contract,lock_rises_with_cover "$finding"
echo '{"name":"a","scenario":"mkdri /a"}' | pivotcheck predict >out
has out '{"name":"a","result":"invalid","reason":"1:1: '
status=0
echo '{"name":"a"}' | pivotcheck predict >out 2>err || status=$?
[[ $status -eq 2 ]] && has err 'line 1: an object with'

needs_worlds
printf 'kernel: <2.6\nmkdir /a => EPERM\nmkdir /a\n' >elsewhere.scn
printf 'mkdir /a => EPERM\n' >unmet.scn
expect 0 pivotcheck answer --on-begin 'echo "begun: $NAME: $SCENARIO"' elsewhere.scn unmet.scn
sed -e 's/^{"answers".*/answers/' -e 's/"ms":[0-9]*/"ms":N/' -e 's/"state":"[^"]*"/"state":"S"/' \
  -e 's/,"log_not_watched":"[^"]*"//' out >said
diff - said <<'END' || die 'the answers are others'
answers
{"begin":"elsewhere.scn"}
{"name":"elsewhere.scn","result":"agree","steps":2,"refused":{"2":"EEXIST"},"state":"S","ms":N}
{"begin":"unmet.scn"}
{"name":"unmet.scn","result":"unmet","steps":1,"refused":{},"state":"S","step":1,"kernel":"ok","model":"ok","reason":"step 1: EPERM is stated","ms":N}
{"end":2}
END
has err 'begun: unmet.scn: mkdir /a => EPERM'

# The kernel and its model: the same steps refused, the same states.
pivotcheck generate --cases 40 --seed 3 --privilege userns >whole
pivotcheck answer <whole >answered
pivotcheck predict <whole | sed 's/\("[0-9]*":"[A-Z0-9]*\) [a-z0-9-]*"/\1"/g' >predicted
[[ $(grep -c '"result":"agree"' answered) -eq 40 ]] || die 'not all agree'
diff <(grep -o '"steps.*"state":"[^"]*"' answered) <(grep -o '"steps.*"state":"[^"]*"' predicted) ||
  die 'the kernel and its model answer otherwise'

# SPDX-License-Identifier: Apache-2.0
# A malformed file is refused with line and column, and nothing is run.
source "$(dirname "$0")/common.sh"

printf 'mkdir /ok\n' >good.scn
printf 'mkdir /a\nmkdirr /b\n' >verb.scn
printf 'mkdir\n' >missing.scn
printf 'mkdir /a\0\n' >zero.scn
printf 'mkdir /a\nB: chdir /a\n' >task.scn
head -c 4096 /dev/urandom >random.scn
printf '\0' >>random.scn

expect 2 pivotcheck run good.scn verb.scn missing.scn zero.scn task.scn random.scn
has err 'verb.scn:2:1: '
has err 'missing.scn:1:6: '
has err 'zero.scn:1:9: '
has err 'task.scn:2:1: '
grep -Eq '^random.scn:[0-9]+:[0-9]+: ' err || die 'random bytes are refused without a position'
[[ ! -s out ]] || die 'something was run'

expect 2 pivotcheck run --json good.scn verb.scn
grep -Eqx '\{"file":"verb.scn","result":"invalid",.*"line":2,"column":1,"reason":".+"\}' out ||
  die 'no object for the invalid file'
has_not out agree

expect 2 err:'verb.scn:2:1: ' pivotcheck draw verb.scn

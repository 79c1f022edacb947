# SPDX-License-Identifier: Apache-2.0
# ci/kernels: what needs no archive first; then the command in a guest, on this Debian release's own
# kernel: its output, its exit status, and a guest that panics.
source "$(dirname "$0")/common.sh"
kernels=$SOURCE/ci/kernels

expect 2 err:usage: "$kernels"
expect 2 err:usage: "$kernels" list all
expect 2 err:usage: "$kernels" run 6.12.117 doctor
expect 4 'err:no kernel 5.4.1' "$kernels" fetch 5.4.1
expect 4 'err:/no/such/image is missing' "$kernels" run /no/such/image -- doctor
expect 0 out:6.12.117 out:7.3.4 "$kernels" list
# A name, a suite and a package, each package once.
awk '!/^#/ && (NF != 3 || seen[$3]++) { print "a bad line: " $0; bad = 1 } END { exit bad }' \
  "$SOURCE/ci/kernels.list" || die 'ci/kernels.list'

not_run() { skip "no guest was tried: $*"; }
[[ -z ${SANITIZE:-} ]] || not_run 'a command with sanitizers is not linked statically'
image=$("$kernels" fetch 2>err) || not_run "$(cat err)"
printf 'mkdir /a => ok\nmkdir /a => ok\n' >'a file.scn'
status=0
PIVOTCHECK=$PIVOTCHECK "$kernels" run "$image" -- run --json 'a file.scn' >out 2>err || status=$?
[[ $status -ne 4 ]] || not_run "$(cat err)"
[[ $status -eq 1 ]] || die "exit status $status instead of 1"
has out '{"file":"a file.scn","result":"unmet","steps":2,"step":2,"kernel":"EEXIST","model":"EEXIST"'
[[ $(wc -l <out) -eq 1 ]] || die 'more than the command prints'
has err '1 file: 1 unmet'

# Whatever takes the guest down before the command ends is no pass.
printf '#!/bin/sh\necho c >/proc/sysrq-trigger\n' >panics
chmod +x panics
PIVOTCHECK=$PWD/panics expect 3 "err:ended without the command's end" 'err:sysrq' \
  "$kernels" run "$image" -- doctor

# SPDX-License-Identifier: Apache-2.0
# fuzzers.sh: for the tests that need libFuzzer: FUZZERS is the folder of targets that are linked
# with it (the fuzz preset's; ci/test builds them where Clang 19 is there or can be installed).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

: "${FUZZERS:?the folder of the fuzz targets}"
for target in trial canary; do
  "$FUZZERS/fuzz_$target" -help=1 2>&1 | grep minimize_crash >help ||
    skip "no $FUZZERS/fuzz_$target with libFuzzer (ci/build fuzz)"
done
needs_worlds

# What is started by this is known by a word in its environment, which its forks have as well.
export TMPDIR="$folder/tmp"
mkdir "$TMPDIR"
mark="PIVOTCHECK_TEST_MARK=$folder"
marked=(env "$mark")

# Nobody and nothing is left; who was killed just now may take a moment.
nothing_left() {
  local left= i
  for i in {1..100}; do
    left=$(grep -lsF "$mark" /proc/[0-9]*/environ || true)
    [[ -n $left ]] || break
    sleep 0.1
  done
  [[ -z $left ]] || die "$1: processes are left: $left"
  [[ -z $(ls -A "$TMPDIR") ]] || die "$1: files are left: $(ls -A "$TMPDIR")"
}

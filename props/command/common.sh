# SPDX-License-Identifier: Apache-2.0
# common.sh: what the tests of the command share. PIVOTCHECK is the command, SOURCE the checkout;
# each test works in a folder of its own, which goes when it ends.
set -euo pipefail
: "${PIVOTCHECK:?the command to test}" "${SOURCE:?the checkout}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

pivotcheck() { "$PIVOTCHECK" "$@"; }

# skip WORDS: the test, or the rest of it, can't run here, for this reason.
skip() {
  echo "NOT RUN: $*"
  exit 77
}

# To stderr: it may be called where stdout is a pipe.
die() {
  exec >&2
  echo "FAILED: $*"
  [[ ! -e out ]] || { echo '--- its output'; cat out; echo '--- its messages'; cat err; }
  exit 1
}

# expect STATUS [out:WORDS|err:WORDS]... COMMAND...: what it says goes to the files out and err, and
# has the words.
expect() {
  local wanted=$1 status=0 said=() words
  shift
  while [[ $1 == out:* || $1 == err:* ]]; do
    said+=("$1")
    shift
  done
  "$@" >out 2>err </dev/null || status=$?
  [[ $status -eq $wanted ]] || die "exit status $status instead of $wanted: $*"
  for words in "${said[@]}"; do has "${words%%:*}" "${words#*:}"; done
}

# has FILE WORDS: the words stand in the file as they are.
has() { grep -qF -- "$2" "$1" || die "not in $1: $2"; }
has_not() { ! grep -qF -- "$2" "$1" || die "should not be in $1: $2"; }

# The tests of exit status 0 need a machine on which something runs; one that forbids it is what
# forbidden_test.sh is about.
needs_worlds() {
  pivotcheck doctor >/dev/null 2>&1 || skip 'no scenario can run here'
}

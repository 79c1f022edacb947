#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# must_find.sh TARGET ARGUMENTS...: runs a target that has a fault; succeeds when the target
# aborted with a report of a disagreement, and only then.
set -uo pipefail

report=$("$@" 2>&1)
status=$?
[[ $status -eq 4 ]] && { echo "$report"; exit 4; }
if [[ $status -ne 0 ]] && grep -q '^# input: disagree at step' <<<"$report"; then
  echo "found, as it must be:"
  grep -A20 '^# input: disagree at step' <<<"$report"
  exit 0
fi
echo "NOT found (the target ended with $status):"
tail -n 20 <<<"$report"
exit 1

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# DOCUMENTATION.md and corpus/documentation have the same scenarios, each once; and each scenario states
# an outcome, or it would show nothing. SOURCE is the checkout.
set -euo pipefail
cd "${SOURCE:?the checkout}"

bad=0
complain() { echo "$1" >&2; bad=1; }

named=$(sed -nE 's/^\|.*\| `([a-z-]+)` \|$/\1/p' DOCUMENTATION.md | sort)
files=$(cd corpus/documentation && printf '%s\n' *.scn | sed 's/\.scn$//' | sort)
[[ $named == "$files" ]] || {
  diff <(echo "$named") <(echo "$files") >&2 || true
  complain 'DOCUMENTATION.md (<) and corpus/documentation (>) differ'
}
for file in corpus/documentation/*.scn; do
  grep -q '=>' "$file" || complain "$file: no outcome is stated"
done
echo "$(wc -l <<<"$named") differences, each with its scenario"
exit "$bad"

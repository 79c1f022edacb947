# SPDX-License-Identifier: Apache-2.0
# Which kernels a finding is on is written by `ci/kernels ledger` (FINDINGS.md, between markers): each
# scenario of corpus/findings has its markers, with a trait of the model, a key of an answer or a step,
# and nothing but kernels between them. SOURCE is the checkout.
set -euo pipefail
cd "${SOURCE:?the checkout}"

# What is seen by chance is counted by `explore`, not shown by one run; and a step that ends the run of
# the model (unclear-master, unclear-cover) has no prediction to compare with: it was run by itself.
without=' restarted-lookup-counts-links-twice.scn copy-becomes-slave-of-a-wrong-group.scn '
without+='covers-in-a-hidden-order.scn '
said='[0-9.]+|and|Not|It|shows|nothing|on|Otherwise|than|either:|Taken|down|by|it:|,| '

# check PAGE: prints what is wrong with it; 1 if anything is.
check() {
  local bad=0 scenario shown
  while read -r scenario shown; do
    [[ -e corpus/findings/$scenario ]] || { echo "no corpus/findings/$scenario"; bad=1; }
    [[ $shown =~ ^step-[0-9]+=(ok|E[A-Z]+)$ ]] ||
      grep -qw "${shown%=o*}" core/model/*.h cli/answer.cc ||
      { echo "$scenario: $shown is no trait, no key and no step"; bad=1; }
  done < <(sed -nE 's/^.*<!-- ledger: (\S+) (\S+) -->$/\1 \2/p' "$1")
  for scenario in corpus/findings/*.scn; do
    scenario=${scenario##*/}
    [[ $without == *" $scenario "* ]] || grep -q "<!-- ledger: $scenario " "$1" ||
      { echo "$scenario has no markers"; bad=1; }
  done
  awk -v said="$said" '
    /<!-- ledger: / { if (open || !/ -->$/) print FNR ": a marker in a marker, or text after it"
                      open = 1; lines = 0; next }
    /<!-- end of ledger -->/ { if (!open || !lines) print FNR ": an end without a text"; open = 0; next }
    open { lines++; rest = $0; gsub(said, "", rest)
           if (rest != "") print FNR ": not written by ci/kernels ledger: " $0 }
    END { if (open) print "a marker without its end" }' "$1" | { ! grep .; } || bad=1
  return $bad
}

check FINDINGS.md

# It can fail.
page=$(mktemp)
trap 'rm -f "$page"' EXIT
for fault in '/end of ledger/d' 's/^  6\.17\.13, /  about 6.17, /' 's/=on -->/_too=on -->/' \
  's/step-16=/step-last=/' \
  's/ledger: set-group/ledger: get-group/'; do
  sed "$fault" FINDINGS.md >"$page"
  if cmp -s FINDINGS.md "$page" || check "$page" >/dev/null; then
    echo "this was not seen: $fault"
    exit 1
  fi
done
echo "$(grep -c '<!-- ledger: ' FINDINGS.md) entries, each written from runs"

# SPDX-License-Identifier: Apache-2.0
# Each patch of ci/mutants.d says in its first line what it breaks, applies, and changes nothing but
# a few lines of the model; and the faults that props/broken_by.txt names are there. (That each is
# found, ci/mutants shows.) SOURCE is the checkout.
set -euo pipefail
cd "${SOURCE:?the checkout}"

bad=0
complain() { echo "$1" >&2; bad=1; }

for patch in ci/mutants.d/*.patch; do
  [[ $(head -n 1 "$patch") =~ ^[^-+@].{10,98}$ ]] || complain "$patch: what does it break?"
  git apply --check "$patch" || complain "$patch does not apply: make it anew"
  ! sed -n 's|^+++ b/||p' "$patch" | grep -qv '^core/model/.*\.cc$' || complain "$patch: not in core/model"
  [[ $(grep -c '^[-+][^-+]' "$patch") -le 14 ]] || complain "$patch: more than a few lines"
done
count=$(find ci/mutants.d -name '*.patch' | wc -l)
[[ $count -ge 122 ]] || complain 'faults are missing'
while read -r name _; do
  [[ -f ci/mutants.d/$name.patch ]] || complain "props/broken_by.txt: no fault $name"
done < <(grep -v '^#' props/broken_by.txt)
echo "$count patches apply"
exit "$bad"

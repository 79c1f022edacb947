# SPDX-License-Identifier: Apache-2.0
# Each patch of ci/mutants.d says in its first line what it breaks, applies, and changes nothing but
# a few lines of the model; and the faults that props/broken_by.txt and without_law.txt name are there.
# (That each is found, ci/mutants shows.) What `ci/mutants --laws` makes of its results is tried on
# some that were made up: nothing is built here. SOURCE is the checkout.
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

without_law=ci/mutants.d/without_law.txt
listed=$(grep -v '^#' "$without_law" | cut -d ' ' -f 1)
[[ -z $(uniq -d <<<"$listed") ]] || complain "$without_law: a fault is listed twice"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
# judged WANTED WORDS: the exit status for these results, and what is said.
judged() {
  local status=0 said
  said=$(ci/mutants --laws --judge "$results" 2>&1) || status=$?
  [[ $status -eq $1 && $said == *"$2"* ]] || complain "ci/mutants --judge: $status, not $1: $said"
}
for patch in ci/mutants.d/*.patch; do
  name=$(basename "$patch" .patch)
  grep -qx "$name" <<<"$listed" && echo "$name no" || echo "$name yes 1.5 3"
done >"$results"
judged 0 "no law speaks of: $(wc -l <<<"$listed"), each with its reason"
a_listed=$(head -n 1 <<<"$listed")
another=$(sed -n 's/ yes .*//p' "$results" | head -n 1)
sed -i "s/^$another yes.*/$another no/" "$results"
judged 1 "$another breaks no law"
sed -i "s/^$another no/$another compared/" "$results"
judged 1 'comparing the faulty model with itself: 1'
sed -i "s/^$another compared/$another yes/; s/^$a_listed no/$a_listed yes/" "$results"
judged 1 "$a_listed breaks a law"
sed -i "s/^$a_listed yes.*/$a_listed yes 33.5 12/" "$results"
judged 0 "$a_listed broke a law after 33.5 s, which is luck"
while read -r name reason; do
  [[ -f ci/mutants.d/$name.patch ]] || complain "$without_law: no fault $name"
  [[ -n $reason ]] || complain "$without_law: why does no law speak of $name?"
done < <(grep -v '^#' "$without_law")
echo "$count patches apply"
exit "$bad"

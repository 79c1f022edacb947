# SPDX-License-Identifier: Apache-2.0
# Names that were replaced by the field's own terms do not come back: whole words, C++ files only.
# SOURCE is the checkout.
set -euo pipefail
cd "${SOURCE:?the checkout}"

old=(
  Laboratory laboratory make_cast Cast Casting Actor Birthright Newborn Errand Passage
  play_in_fresh_world no_trouble trouble bell desk
  Standpoint PathSeen rehearse Looker Sight guesses unmended judge
  Performer GoWord Conversation handed_on hand_on
  HuntCase Hunter look_after farewell_ms patience
  Tally tally Odometer roundabout careless free_step odd_text
  may_be_too_many_links cut_off looks_first slides_beneath_stack slides_beneath_whole_stack
  Asker Carrier Road roads
)
# In a comment, only names that are no English words.
files() { find core cli fuzz props bench -name '*.cc' -o -name '*.h' -o -name '*.c'; }
code() {
  awk '{ line = $0; sub(/\/\/.*/, "", line); gsub(/"([^"\\]|\\.)*"/, "", line)
         if (line ~ /[A-Za-z]/) print FILENAME ":" FNR ": " line }' "$@"
}
pattern=$(IFS='|'; echo "${old[*]}")
mapfile -t sources < <(files)
[[ ${#sources[@]} -gt 0 ]] || { echo 'no files'; exit 1; }
if code "${sources[@]}" | grep -wE "$pattern"; then
  echo 'these names were replaced: see the glossary in CONTRIBUTING.md'
  exit 1
fi

# A fault of the model is a patch in ci/mutants.d, never in the source.
if grep -rnw --include='*.cc' --include='*.h' planted core; then
  echo 'core knows of no planted faults: they are patches in ci/mutants.d'
  exit 1
fi

# It can fail.
code <(echo 'Laboratory laboratory;') | grep -qwE "$pattern" || { echo 'it sees nothing'; exit 1; }
echo "${#sources[@]} files, none of ${#old[@]} old names"

# SPDX-License-Identifier: Apache-2.0
# Every scenario that is kept agrees with the running kernel, and each rule has one named after it,
# whose last step states just that rule.
source "$(dirname "$0")/common.sh"

"$PIVOTCHECK" rules | awk '/^[a-z]/ { print $1, $3 }' | sort >rules
for file in "$SOURCE"/corpus/rules/*.scn; do
  last=$(sed -E 's/(^|[[:blank:]])#.*//; s/[[:space:]]+$//' "$file" | grep -v '^$' | tail -n 1)
  [[ $last =~ '=>'[[:blank:]]*(E[A-Z0-9]+)[[:blank:]]+([a-z0-9-]+)$ ]] ||
    die "the last step of $file states no rule: $last"
  [[ ${BASH_REMATCH[2]} == "$(basename "$file" .scn)" ]] || die "$file states another rule: $last"
  echo "${BASH_REMATCH[2]} ${BASH_REMATCH[1]}"
done | sort >stated
diff rules stated || die 'corpus/rules (>) and pivotcheck rules (<) are not the same'

needs_worlds
expect 0 pivotcheck run --jobs 2 "$SOURCE/corpus"
expect 0 pivotcheck run --every-step --jobs 2 "$SOURCE/corpus"

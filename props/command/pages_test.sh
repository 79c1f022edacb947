# SPDX-License-Identifier: Apache-2.0
# The pages that teach: each command in them prints what the page says.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/pages.sh"

mkdir bin
ln -s "$PIVOTCHECK" bin/pivotcheck
export PATH=$folder/bin:$PATH
worlds=yes
"$PIVOTCHECK" doctor >/dev/null 2>&1 || worlds=
checked=0
not_run=0

run_command() {
  local said pattern
  if [[ -z $worlds && $1 =~ pivotcheck\ (run|minimize) ]]; then
    not_run=$((not_run + 1))
    return
  fi
  said=$(bash -c "$1" 2>err || true)
  pattern=$(sed 's/[][\\*?()|]/\\&/g; s/\.\.\./*/g' <<<"${2%$'\n'}")
  # shellcheck disable=SC2053 # it is a pattern
  [[ $said == $pattern ]] ||
    die "$page: $1"$'\n'"$(diff <(echo "${2%$'\n'}") - <<<"$said")"$'\n'"$(cat err)"
  checked=$((checked + 1))
}

for page in core/scenario/TUTORIAL.md core/explain/README.md; do
  checked=0
  mkdir -p "here/$page"
  cd "here/$page"
  walk_page "$SOURCE/$page"
  cd "$folder"
  [[ $((checked + not_run)) -ge 2 ]] || die "$page: no commands were found"
done
[[ $not_run -eq 0 ]] || skip "$not_run commands of the pages, because no scenario can run here"

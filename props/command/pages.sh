# SPDX-License-Identifier: Apache-2.0
# pages.sh: what a page of the documentation shows, as files and commands, so that it can be tried.
# To be sourced behind common.sh. A block of a page is
#   ```cpp main.cc       a file of this name, if the fence names one
#   ```console           commands, after "$ ", each with what it prints; ... stands for anything
# and all others are only to be read.

# walk_page PAGE: writes its files into this folder and calls `run_command COMMAND OUTPUT`, in the
# order of the page.
walk_page() {
  local line inside='' words block
  while IFS= read -r line; do
    if [[ $line == '```'* && -z $inside ]]; then
      inside=yes block=''
      read -ra words <<<"${line#'```'}"
    elif [[ $line == '```' ]]; then
      inside=''
      if [[ ${words[0]-} == console ]]; then
        walk_console "$block"
      elif [[ ${#words[@]} -eq 2 ]]; then
        printf %s "$block" >"${words[1]}"
      fi
    elif [[ -n $inside ]]; then
      block+=$line$'\n'
    fi
  done <"$1"
  [[ -z $inside ]] || die "$1: a block without an end"
}

walk_console() {
  local line command='' output=''
  while IFS= read -r line; do
    if [[ $line == '$ '* ]]; then
      [[ -z $command ]] || run_command "$command" "$output"
      command=${line#'$ '} output=''
    else
      output+=$line$'\n'
    fi
  done <<<"${1%$'\n'}"
  run_command "$command" "$output"
}

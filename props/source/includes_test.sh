# SPDX-License-Identifier: Apache-2.0
# The arrows between the folders go one way: each #include of the code against the table in
# includes.txt. SOURCE is the checkout.
set -euo pipefail
cd "${SOURCE:?the checkout}"

# check TABLE FILE...: prints each include that the table does not allow; 1 if there is one.
check() {
  awk -v table="$1" '
    function folder_of(path) {  # the longest folder of the table that the path lies in
      while (sub(/\/[^\/]*$/, "", path)) if (path in allowed) return path
      return ""
    }
    function exists(path, line, found) {
      found = (getline line <path) >= 0
      close(path)
      return found
    }
    BEGIN {
      while ((getline line <table) > 0) {
        if (line ~ /^(#|$)/) continue
        split(line, part, ":")
        allowed[part[1]] = part[2] " "
      }
    }
    FNR == 1 { from = folder_of(FILENAME); files++
               if (from == "") { print FILENAME ": its folder is not in the table"; bad = 1 } }
    /^#include "/ {
      split($0, quoted, "\"")
      beside = FILENAME; sub(/[^\/]*$/, "", beside)
      to = beside quoted[2]
      if (!exists(to)) to = "core/" quoted[2]
      if (!exists(to)) to = quoted[2]
      if (!exists(to)) next  # made by the build
      into = folder_of(to)
      if (into == from || index(allowed[from], " " into " ")) next
      top = into; sub(/\/.*/, "", top)
      if (index(allowed[from], " " top " ")) next
      print FILENAME ":" FNR ": " from " may not include " into
      bad = 1
    }
    END { if (files == 0) { print "no files"; bad = 1 }; exit bad }' "${@:2}"
}

sources() { find core cli fuzz props bench -name '*.cc' -o -name '*.h' -o -name '*.c'; }
mapfile -t files < <(sources)
check props/source/includes.txt "${files[@]}"

# It can fail: the same files against a table in which one arrow is missing.
table=$(mktemp)
trap 'rm -f "$table"' EXIT
sed 's/^core\/check\/gen: .*/core\/check\/gen: core\/base/' props/source/includes.txt >"$table"
if check "$table" "${files[@]}" >/dev/null; then
  echo 'a forbidden include was not seen'
  exit 1
fi
echo "${#files[@]} files, each include is one that props/source/includes.txt allows"

# SPDX-License-Identifier: Apache-2.0
# The command that people run knows no planted faults: not their option, not their names. A build
# that does know them says so, and can't be installed.
source "$(dirname "$0")/common.sh"

: "${BUILD:?the build folder}"
grep -oE '^  X\([a-z_]+, "[^"]+"' "$SOURCE/core/model/faults.h" >faults
[[ $(wc -l <faults) -ge 44 ]] || die 'the table of faults is not where it was'

expect 0 "$PIVOTCHECK" --version
if grep -q 'planted faults' out; then
  expect 1 cmake --install "$BUILD" --prefix "$PWD/installed"
  has err 'it is not to be installed'
  [[ ! -e installed/bin/pivotcheck ]] || die 'it was installed'
  exit 0
fi
expect 2 "$PIVOTCHECK" --planted-fault peer_forgotten rules
expect 2 "$PIVOTCHECK" faults
# A build to be debugged has the names of its functions, and is for nobody else.
if readelf -SW "$PIVOTCHECK" | grep -q '\.debug_info'; then
  echo 'a build with debug information: its names were not looked at'
  exit 0
fi
! grep -qa 'planted' "$PIVOTCHECK" || die 'the word is in the binary'
sed -E 's/.*, "(.*)"/\1/' faults >descriptions
! grep -qaFf descriptions "$PIVOTCHECK" || die 'the description of a fault is in the binary'
sed -E 's/^  X\(([a-z_]+),.*/\1/' faults >names
# A name that is one word might stand in the binary for another reason.
! grep -E '_.*_' names | grep -qaFf - "$PIVOTCHECK" || die 'the name of a fault is in the binary'

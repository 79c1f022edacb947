# SPDX-License-Identifier: Apache-2.0
# The library has no object that is constructed before main: nobody who links it pays for that, and
# `pivotcheck switch`, which begins before main where it is linked statically (cli/switch.cc), finds
# everything as it is.
source "$(dirname "$0")/common.sh"

: "${BUILD:?the build folder}"
[[ -z ${SANITIZE:-} ]] || skip 'a sanitizer brings objects of its own'
nm -C "$BUILD/core/libpivotcheck.a" >symbols
has symbols 'pivotcheck::RootSwitch::start'
awk '/\.o:$/ { file = $0 } /_GLOBAL__sub_I/ { print file }' symbols >found
[[ ! -s found ]] || die "constructed before main: $(tr '\n' ' ' <found)"
